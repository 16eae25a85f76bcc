"""Simulate, import, route: what an operator does in a week, in a few seconds."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, redirect_stderr
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from router import logs
from router.config.loading import Config, load
from router.demo.recipients import Recipients
from router.intake.inventory_import import import_inventory
from router.ledger.database import Use, open_database
from router.ledger.queries.totals import LedgerTotals, ledger_totals
from router.service import app
from router.simulation import EstateSummary, Setting, simulate
from router.workbench.starter import shipped_rules

HUBS, USERS, ACTIVATIONS, SEED = 200, 12, 150, 1


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What was done, for whoever prints it."""

    folder: Path
    config: Config
    made: EstateSummary
    totals: LedgerTotals
    posted: Counter[str]
    """Alerts received by webhook, by user."""
    signed: Counter[str]
    """Alerts received in DUIS, by user."""
    filed: Counter[str]
    """Alerts found in folders, by user."""
    unsigned: int
    hub: str
    """A hub worth asking about: one company was told, another could not be."""

    @property
    def complete(self) -> bool:
        """Exactly as many Alerts arrived, or are held, as the simulation's oracle expects."""
        arrived = self.posted.total() + self.signed.total() + self.filed.total()
        expected = self.made.expected
        return arrived + expected.held == expected.alerts and not self.unsigned


def demonstrate(folder: Path) -> Demonstration:
    """Simulate, import and route in `folder`, which must be new or empty."""
    with Recipients() as recipients:
        setting = Setting(
            channels=recipients.channels, dcc=recipients.dcc, suspended=1, listen="127.0.0.1:0"
        )
        rules = shipped_rules()
        made = simulate(HUBS, USERS, ACTIVATIONS, SEED, folder, rules=rules, setting=setting)
        recipients.write_keys(folder)
        config = load(folder / "hubherald.yaml")
        _import(config, folder)
        with (folder / "router.log").open("w", encoding="utf-8") as log:
            with redirect_stderr(log):
                logs.configure()
            app.run(config, until_idle=True)
        receipts = recipients.receipts
    with closing(open_database(config.ledger.url, Use.READ)) as database:
        totals = ledger_totals(database)
    files = (file.parent.name for file in (folder / "outbox").glob("*/*.json"))
    return Demonstration(
        folder=folder,
        config=config,
        made=made,
        totals=totals,
        posted=receipts.posted,
        signed=receipts.signed,
        filed=Counter(files),
        unsigned=receipts.unsigned,
        hub=made.examples["outside_gas"],
    )


def _import(config: Config, folder: Path) -> None:
    with closing(open_database(config.ledger.url, Use.CHANGE)) as database:
        import_inventory(
            database,
            hubs=folder / "hubs.csv",
            registrations=folder / "registrations.csv",
            operator="demo",
            clock=lambda: datetime.now(UTC),
            report=_no_bad_rows,
        )


def _no_bad_rows(row: object) -> None:
    raise AssertionError(f"the simulation wrote a bad row: {row}")
