"""A made-up estate on disk: what an operator would have, and what must come of it.

The files are those of a real installation, so that everything is tried through the front door:
`hubherald inventory import`, then `hubherald run`. `expected.json` says which Alerts must follow.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, TextIO

from router.errors import UsageError
from router.simulation.campaign import Campaign
from router.simulation.estate import Estate
from router.simulation.homes import Household
from router.simulation.market import Market, make_market, users_file
from router.simulation.oracle import Oracle, Tally

MOST_HUBS = 80_000_000
"""Beyond, MPRNs of ten digits would run out."""
_STEP = 1_000
_HUB_COLUMNS = (
    "device_id",
    "status",
    "smets_version",
    "csp_region",
    "model",
    "hardware_version",
    "replaced_by",
    "groups",
)
_REGISTRATION_COLUMNS = (
    "device_id",
    "mpxn",
    "point",
    "supplier_id",
    "network_operator_id",
    "effective_from",
    "effective_to",
)
_CONFIG = """\
# A made-up estate, written by `hubherald simulate`. First load the inventory:
#   hubherald inventory import --hubs hubs.csv --registrations registrations.csv
sources:
  inbox: {{adapter: folder, path: inbox/}}
rules: rules/
service_users: service_users.yaml
ledger: {{url: "sqlite:///hubherald.db"}}
dcc: {{{dcc}}}
operations: {{listen: "{listen}"}}
# Facts of hubs and registrations are dated behind any import of the estate.
facts: {{clock_tolerance: 40d}}
"""


@dataclass(frozen=True, slots=True)
class EstateSummary:
    """What was made."""

    folder: Path
    hubs: int
    registrations: int
    users: int
    activations: int
    homes: Mapping[str, int]
    """Homes by kind."""
    examples: Mapping[str, str]
    """The Device ID of one home of each kind."""
    expected: Tally = field(repr=False)


@dataclass(frozen=True, slots=True)
class Setting:
    """How an estate is set up; the defaults suit a trial on one machine."""

    receiver: str = "http://127.0.0.1:8900"
    """Where webhooks go: each user's URL is this, a slash and the User ID."""
    channel: Literal["webhook", "folder"] = "folder"
    """A folder of its own for each user takes whatever comes: the run ends."""
    batch: int = 1
    """The most Alerts in one webhook."""
    window: int = 16
    channels: Callable[[str], Sequence[str]] | None = None
    """Instead of the above: the channels of a User ID, each as YAML in flow style."""
    suspended: int = 0
    """So many users are suspended: their Alerts are held."""
    dcc: Mapping[str, str] = field(default_factory=dict)
    """More keys of `dcc:`, such as those of the signature in DUIS."""
    listen: str = "127.0.0.1:9464"
    """The operations endpoint."""
    today: date | None = None
    """The day on which the estate is alive, None for the current one: until 28 days later the
    outcome is as expected."""

    def channels_of(self, user: str) -> Sequence[str]:
        """The channels of one user, each as YAML in flow style."""
        if self.channels is not None:
            return self.channels(user)
        if self.channel == "folder":
            return [f"{{adapter: folder, path: outbox/{user}, window: {self.window}}}"]
        url = f'adapter: webhook, url: "{self.receiver}/{user}", window: {self.window}'
        return [f"{{{url}, batch: {self.batch}}}" if self.batch > 1 else f"{{{url}}}"]


def simulate(
    hubs: int,
    users: int,
    activations: int,
    seed: int,
    out: Path,
    *,
    rules: Path,
    setting: Setting | None = None,
    progress: Callable[[int], None] | None = None,
) -> EstateSummary:
    """Write an estate into the folder `out`, which must be new or empty.

    The same arguments give the same bytes on the same day. `rules` is the folder of shipped rules
    that is copied. `progress` is told how many of `hubs + activations` have been written since it
    was last told. Raises UsageError when the estate is not possible.
    """
    _check(hubs, activations, out)
    setting = setting or Setting()
    today = setting.today or datetime.now(UTC).date()
    market = make_market(users, suspended=setting.suspended)
    estate = Estate(market, hubs, seed=seed, today=today)
    tell = progress or _quiet
    (out / "inbox").mkdir(parents=True, exist_ok=True)
    shutil.copytree(rules, out / "rules")
    channels = {user: setting.channels_of(user) for user in market.users}
    _write(out / "service_users.yaml", users_file(market, channels))
    keys = {"id": "90-B3-D5-1F-30-00-00-02", **setting.dcc}
    dcc = ", ".join(f"{key}: {value}" for key, value in keys.items())
    _write(out / "hubherald.yaml", _CONFIG.format(listen=setting.listen, dcc=dcc))
    registrations, homes, examples = _write_inventory(estate, out, tell)
    with _expected(out / "expected.json", market, seed) as oracle:
        campaign = Campaign(estate, oracle, activations=activations, seed=seed, today=today)
        _write_inbox(campaign, out / "inbox" / "facts.jsonl", tell)
    return EstateSummary(
        out, hubs, registrations, users, activations, homes, examples, oracle.tally
    )


def _quiet(_count: int) -> None:
    pass


def _check(hubs: int, activations: int, out: Path) -> None:
    if not 1 <= hubs <= MOST_HUBS:
        raise UsageError(f"an estate has 1 to {MOST_HUBS:,} hubs, not {hubs:,}")
    if activations < 0:
        raise UsageError(f"{activations} activations are not possible; give 0 or more")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there and not empty; give a new folder")


def _write(file: Path, text: str) -> None:
    with file.open("x", encoding="utf-8", newline="\n") as out:
        out.write(text)


def _write_inventory(
    estate: Estate, out: Path, progress: Callable[[int], None]
) -> tuple[int, dict[str, int], dict[str, str]]:
    """The two tables; gives the number of registrations, and the number and one hub by kind."""
    registrations, kinds, examples = 0, Counter[str](), dict[str, str]()
    with _table(out / "hubs.csv") as hubs_file, _table(out / "registrations.csv") as rows_file:
        hubs = csv.writer(hubs_file, lineterminator="\n")
        rows = csv.writer(rows_file, lineterminator="\n")
        hubs.writerow(_HUB_COLUMNS)
        rows.writerow(_REGISTRATION_COLUMNS)
        for number, home in enumerate(estate.homes(), start=1):
            hubs.writerow(_hub_cells(home))
            rows.writerows(_registration_cells(home))
            registrations += len(home.registrations)
            kinds[home.kind] += 1
            examples.setdefault(home.kind, home.hub.device_id)
            if number % _STEP == 0:
                progress(_STEP)
    progress(estate.count % _STEP)
    return registrations, dict(sorted(kinds.items())), examples


def _table(file: Path) -> TextIO:
    return file.open("x", encoding="utf-8", newline="")


def _hub_cells(home: Household) -> Sequence[str]:
    hub = home.hub
    return (
        hub.device_id,
        hub.status,
        hub.smets_version,
        hub.csp_region,
        hub.model,
        hub.hardware_version,
        hub.replaced_by or "",
        ";".join(hub.groups),
    )


def _registration_cells(home: Household) -> Iterator[Sequence[str]]:
    for row in home.registrations:
        yield (
            row.device_id,
            row.mpxn,
            row.point,
            row.supplier_id or "",
            row.network_operator_id or "",
            row.effective_from.isoformat(),
            row.effective_to.isoformat() if row.effective_to else "",
        )


@contextmanager
def _expected(file: Path, market: Market, seed: int) -> Iterator[Oracle]:
    """An oracle whose findings go to `file` as they come, one line each; then its tally."""
    with file.open("x", encoding="utf-8", newline="\n") as out:
        out.write('{"facts": [\n')
        separator = ""

        def write(line: str) -> None:
            nonlocal separator
            out.write(f"{separator}{line}")
            separator = ",\n"

        oracle = Oracle(market, write)
        yield oracle
        rest = {
            "seed": seed,
            "service_users": len(market.users),
            "suspended": sorted(user.id for user in market.users.values() if user.suspended),
            "counts": oracle.tally.flat(),
        }
        out.write("\n],\n" + json.dumps(rest, indent=1, sort_keys=True)[2:] + "\n")


def _write_inbox(campaign: Campaign, file: Path, progress: Callable[[int], None]) -> None:
    begun = 0
    with file.open("xb") as out:
        for told, line in campaign.lines():
            out.write(line)
            if told - begun >= _STEP:
                progress(told - begun)
                begun = told
    progress(campaign.activations - begun)
