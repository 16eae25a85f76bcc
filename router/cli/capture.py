"""`hubherald capture`: a test of rules from a real decision."""

from __future__ import annotations

from pathlib import Path

import click

from router.cli.context import ledger, rules_folder
from router.cli.naming import alert_id_of
from router.cli.printing import as_object, line, output, raw
from router.errors import UsageError


@click.command("capture")
@click.argument("alert", metavar="ALERT", type=alert_id_of)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@output
@click.pass_obj
def command(config_file: Path, *, alert: str, file: Path | None, output: str) -> None:
    """Write a test of rules from the decision that ALERT came from.

    It holds the hub, the registrations, the Service Users and the activation as they were, without
    meter point numbers, and expects exactly what was decided. FILE is by default
    captured/ALERT.test.yaml in the folder of rules, where `hubherald test` finds it; `-` prints it.

    \b
    Example:
      hubherald alerts list --hub 90-B3-D5-1F-30-02-00-01
      hubherald capture 5c3fe18f-bc80-5af7-aea3-b59e90776c6e
      hubherald test
    """
    from router.language.folder import TESTS
    from router.ledger.queries.history import past_of_alert, text_of
    from router.workbench.capturing import test_of
    from router.workbench.pastusers import users_of

    if file is not None and str(file) != "-" and not file.name.endswith(TESTS):
        raise click.UsageError(f"{file}: the name of a file of tests ends in {TESTS}")
    with ledger(config_file) as database:
        past = past_of_alert(database, alert)
        if past is None:
            raise UsageError(f"there is no Alert {alert}; `hubherald alerts list` shows them")
        users = users_of(text_of(database, past.users_digest), past.users_digest)
    text = test_of(past, users, alert)
    if file == Path("-"):
        raw(text)
        return
    if file is None:
        file = rules_folder(config_file) / "captured" / f"{alert}.test.yaml"
    _write(file, text)
    if output == "json":
        as_object({"file": file})
    else:
        line(f"wrote {file}; `hubherald test {file}` runs it")


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise UsageError(f"{file} is there already; name another file, or `-` to print") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from None
