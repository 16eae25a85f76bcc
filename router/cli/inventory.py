"""`hubherald inventory`: hubs and registrations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.cli.context import eui64, ledger, moment_of, now, operator, plain_file
from router.cli.naming import NAME, named, with_names
from router.cli.printing import as_object, flat, line, output, shown
from router.errors import UsageError
from router.files.counts import plural

if TYPE_CHECKING:
    from router.domain.inventory import Home, Running
    from router.intake.inventory_import import Imported


@click.group("inventory")
def command() -> None:
    """Load hubs and registrations; show who is responsible for a hub."""


@command.command("import")
@click.option("--hubs", type=plain_file, metavar="FILE", help="CSV of hubs.")
@click.option("--registrations", type=plain_file, metavar="FILE", help="CSV of registrations.")
@output
@click.pass_context
def import_(
    ctx: click.Context, *, hubs: Path | None, registrations: Path | None, output: str
) -> None:
    """Load CSV files into the ledger; a router may run meanwhile.

    What is there already under the same key is replaced. A bad row is told as `file:line: what`
    and left out, the rest is loaded, and the exit code is 1. A meter point number whose check
    digits do not fit is loaded, counted, and told as `file:line: warning: what` (the first ones),
    or is a bad row with `facts: {check_digits: refuse}` in hubherald.yaml.

    All rows are checked before the first is loaded; until then they stand in a temporary file (in
    TMPDIR). Up to 5,000 hubs are loaded in one transaction, more in several, each hub with its
    registrations and with the hubs that share a meter point with it. What is broken off leaves no
    half of a home, and the same command again loads all of it.

    \b
    Columns of hubs, in any order (the last five may be missing; groups are separated by `;`):
      device_id,status,smets_version,csp_region,model,hardware_version,replaced_by,groups
    Columns of registrations:
      device_id,mpxn,point,supplier_id,network_operator_id,effective_from,effective_to

    Both dates are days in London. effective_to is the first day NO LONGER in effect: where another
    supplier takes over, its effective_from; it is empty while there is no end. point is
    import_mpan, export_mpan or mprn; an MPRN is the same with and without leading zeros.

    \b
    Example:
      hubherald inventory import --hubs hubs.csv --registrations registrations.csv
    """
    from router.cli.import_watch import Watch
    from router.config.settings import own_settings
    from router.intake.inventory_import import import_inventory
    from router.ledger.database import Use

    files = [file for file in (hubs, registrations) if file is not None]
    if not files:
        raise click.UsageError("give --hubs, --registrations or both")
    who = operator()
    size = sum(file.stat().st_size for file in files)
    with ledger(ctx.obj, Use.CHANGE, make=True) as database, Watch(size) as watch:
        done = import_inventory(
            database,
            hubs=hubs,
            registrations=registrations,
            operator=who.name,
            clock=now,
            report=watch.report,
            check_digits=own_settings(ctx.obj).facts.check_digits,
            watch=watch,
        )
    if output == "json":
        as_object(done)
    else:
        _tell(done)
    if done.bad:
        ctx.exit(1)


def _tell(done: Imported) -> None:
    loaded = f"{plural(done.hubs, 'hub')}, {plural(done.registrations, 'registration')}"
    doubtful = f", {done.misfits:,} of them with wrong check digits" if done.misfits else ""
    bad = f"; {plural(done.bad, 'bad row')} left out" if done.bad else ""
    line(f"loaded: {loaded}{doubtful}{bad}")


@command.command("correct")
@click.argument("hub", metavar="ID", type=eui64)
@click.option("--firmware-version", metavar="VERSION", help="What the hub runs.")
@click.option("--activated-at", type=moment_of, metavar="TIME", help="Since when.")
@click.option("--unknown", is_flag=True, help="Instead of both: nobody knows what it runs.")
@output
@click.pass_obj
def correct(
    config_file: Path,
    hub: str,
    *,
    firmware_version: str | None,
    activated_at: datetime | None,
    unknown: bool,
    output: str,
) -> None:
    """Mend what a hub runs where a wrong fact has set it; nobody is told.

    The newest successful activation is what a hub runs, so one with a wrong version or a wrong
    activated_at stands against all right ones that are older. Rules ask for the versions that facts
    name; this is what `inventory show`, `rollout` and the status page say. It is recorded who
    corrected it, and what stood there.

    \b
    Examples:
      hubherald inventory correct 90-B3-D5-1F-30-01-00-00 --firmware-version 01020304 \\
          --activated-at 2026-03-31T02:15:00Z
      hubherald inventory correct 90-B3-D5-1F-30-01-00-00 --unknown
    """
    from pydantic import TypeAdapter, ValidationError

    from router.config.settings import own_settings
    from router.domain.identifiers import FirmwareVersion
    from router.domain.inventory import Running
    from router.ledger.actions import correct_firmware
    from router.ledger.database import Use

    if unknown is (firmware_version is not None) or unknown is (activated_at is not None):
        raise click.UsageError("give --firmware-version and --activated-at, or --unknown")
    running = None
    if firmware_version is not None and activated_at is not None:
        try:
            version: str = TypeAdapter(FirmwareVersion).validate_python(firmware_version)
        except ValidationError:
            raise click.BadParameter(
                f"{firmware_version!r} is no firmware version: 1 to 8 of 0-9 A-Z a-z . _ -"
            ) from None
        running = Running(version, activated_at)
    with ledger(config_file, Use.CHANGE) as database:
        tolerance = own_settings(config_file).facts.clock_tolerance
        before = correct_firmware(database, hub, running, operator(), tolerance=tolerance)
    if output == "json":
        now_and_then = {"now": running, "before": before}
        told = {when: each and flat(each) for when, each in now_and_then.items()}
        as_object({"device_id": hub, **told})
    else:
        line(f"{hub}: {_runs(running)}; before: {_runs(before)}")


def _runs(running: Running | None) -> str:
    if running is None:
        return "nobody knows what it runs"
    return f"runs {running.version} since {shown(running.activated_at)}"


@command.command("show")
@click.argument("hub", metavar="ID", type=eui64)
@click.option(
    "--at", type=moment_of, metavar="TIME", help="The moment to ask about; now unless given."
)
@output
@click.pass_obj
def show(config_file: Path, hub: str, at: datetime | None, output: str) -> None:
    """Show a hub, its registrations, and who is responsible for it at a moment.

    A day alone means its midnight in London, where registrations begin and end: effective_to is
    the first day NO LONGER in effect. An MPRN is shown without leading zeros.

    \b
    Example:
      hubherald inventory show 90-B3-D5-1F-30-01-00-00 --at 2026-03-31
    """
    from router.ledger.queries.homes import find_home

    with ledger(config_file) as database:
        found = find_home(database, hub)
    if found is None:
        raise UsageError(f"hub {hub} is not in the inventory")
    whole = _whole(*found, at or now())
    if output == "json":
        as_object(whole)
    else:
        _tell_home(whole)


def _whole(home: Home, running: Running | None, at: datetime) -> dict[str, Any]:
    from router.domain.inventory import in_effect, responsible

    hub = home.hub
    effective = in_effect(home, at)
    own = [each for each in home.registrations if each.device_id == hub.device_id]
    own.sort(key=lambda one: (one.mpxn, one.effective_from))
    parties = [
        {"service_user_id": party.id, "role": party.role} for party in responsible(effective)
    ]
    return {
        **hub.model_dump(mode="json", exclude={"groups"}),
        "groups": list(hub.groups),
        "firmware_version": running.version if running else None,
        "activated_at": running.activated_at if running else None,
        "at": at,
        "registrations": [
            {**each.model_dump(mode="json"), "in_effect": each in effective} for each in own
        ],
        "responsible": with_names(parties),
    }


def _tell_home(whole: Mapping[str, Any]) -> None:
    line(_hub(whole))
    for each in whole["registrations"]:
        line(named(_registration(each)))
    for each in whole["responsible"]:
        who = each["service_user_id"] + (f" ({each[NAME]})" if each[NAME] else "")
        line(f"  responsible at {shown(whole['at'])}: {who} as {each['role']}")


def _hub(whole: Mapping[str, Any]) -> str:
    known = {name: whole[name] for name in ("csp_region", "model", "hardware_version")}
    known["groups"] = ";".join(whole["groups"])
    more = "".join(f", {name} {value}" for name, value in known.items() if value)
    gone = f", replaced by {whole['replaced_by']}" if whole["replaced_by"] else ""
    runs = f"runs {whole['firmware_version']} since {shown(whole['activated_at'])}"
    firmware = runs if whole["firmware_version"] else "no activation known"
    return (
        f"{whole['device_id']}: {whole['status']}, {whole['smets_version']}{more}{gone}; {firmware}"
    )


def _registration(row: Mapping[str, Any]) -> str:
    from router.domain.inventory import until

    holds = "in effect" if row["in_effect"] else "not in effect"
    return (
        f"  {row['point']} {row['mpxn']} from {row['effective_from']}"
        f"{until(row['effective_to'])}, {holds}: "
        f"supplier {shown(row['supplier_id'])}, operator {shown(row['network_operator_id'])}"
    )
