"""Where a row plays: an estate with its ledger, a queue of facts and recipients of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import market
from proof import Proof, prove
from support.broker import Broker

from faults.facts import HUBS, Facts, body
from faults.ledgers import LedgerKind
from faults.life import HUBHERALD, Broken, Life
from faults.line import Line
from faults.recipients import Recipients

USERS = market.users(12)
FACTS = 120
"""Three Alerts each; thirty for each user."""
WINDOW = 16
UNTIL_IDLE = ("run", "--until-idle", "--timeout", "300")
IN_FLIGHT = len(USERS) * WINDOW
"""Alerts that can be under way when a router dies."""


class Scene:
    """One row on one ledger."""

    def __init__(
        self,
        folder: Path,
        kind: LedgerKind,
        *,
        broker: Broker,
        recipients: Recipients,
        brief: bool,
        undo: ExitStack,
    ) -> None:
        self.folder = folder
        self.estate = folder / "estate"
        self.kind = kind
        self.broker = broker
        self.recipients = recipients
        self.brief = brief
        """What only takes longer is left out."""
        self.undo = undo
        """What is to be undone at the row's end."""
        self.facts = Facts(broker.url)
        self.lives: list[Life] = []
        self.note = ""
        self.configure()

    def configure(
        self,
        channels: Mapping[str, dict[str, Any]] | None = None,
        *,
        source: str = "",
        **more: Any,
    ) -> None:
        """Write the configuration: channels that differ, the source's URL, further keys."""
        usual = {user: self.webhook(user) for user in USERS}
        facts = self.facts.source(source)
        url = self.kind.url(self.estate)
        market.describe(self.estate, {**usual, **(channels or {})}, facts, ledger=url, **more)

    def webhook(self, user: str, url: str = "", **more: Any) -> dict[str, Any]:
        """The channel of a user to our recipients."""
        url = url or self.recipients.url
        return {"adapter": "webhook", "url": f"{url}/{user}", "window": WINDOW, **more}

    def send(self, first: int = 0, count: int = FACTS) -> None:
        """These facts, in order, each confirmed."""
        self.facts.send(body(number) for number in range(first, first + count))

    def start(
        self,
        *words: str,
        at: tuple[str, int] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Life:
        """A router; killed at the row's end at the latest."""
        life = Life(self.estate, *words, at=at, environment=environment)
        self.lives.append(life)
        self.undo.callback(life.kill)
        return life

    def until_idle(self) -> None:
        """A router that works until nothing is left to do, and ends well."""
        self.start(*UNTIL_IDLE).ends()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What `hubherald` says."""
        return subprocess.run(
            [HUBHERALD, *words], cwd=self.estate, capture_output=True, text=True, check=False
        )

    def must(self, *words: str) -> str:
        """The same, where it must work."""
        done = self.command(*words)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise Broken(f"hubherald {' '.join(words)} ended with {done.returncode}: {said}")
        return done.stdout

    def proof(self, numbers: Iterable[int], users: Sequence[str] = USERS) -> Proof:
        """What has come to these users against what must come of these facts."""
        expected = market.expected(numbers, USERS, hubs=HUBS)
        for fact in expected["facts"]:
            fact["alerts"] = [each for each in fact["alerts"] if each["service_user_id"] in users]
        log = self.recipients.log
        if tuple(users) != tuple(USERS):
            log = self.folder / "some.tsv"
            lines = self.recipients.log.read_text().splitlines(keepends=True)
            theirs = [each for each in lines if each.split("\t")[1].rpartition("/")[2] in users]
            log.write_text("".join(theirs))
        return prove(expected, log)

    def line(
        self,
        name: str,
        *,
        numbers: Iterable[int] = range(FACTS),
        duplicates: int = 0,
        quarantined: Mapping[str, int] | None = None,
        users: Sequence[str] = USERS,
        in_order: bool = True,
    ) -> Line:
        """What it comes to, with at most so many `duplicates`; `quarantined` by reason.

        `in_order`: no lane has failed, so none has tried what is new before what is old.
        """
        numbers = list(numbers)
        proof = self.proof(numbers, users)
        problems = list(proof.problems)
        if proof.duplicates > duplicates:
            problems.append(f"{proof.duplicates} duplicates, at most {duplicates} may be")
        if in_order and proof.overtaken >= WINDOW:
            problems.append(f"an Alert came before {proof.overtaken} earlier ones")
        problems += self._books(len(set(numbers)), dict(quarantined or {}))
        if left := self.facts.left():
            problems.append(f"{left} messages were never acknowledged")
        return Line(
            name,
            self.kind.name,
            self.facts.sent,
            proof.expected,
            proof.received,
            proof.lost,
            proof.foreign,
            proof.duplicates,
            note=self.note,
            problems=problems,
        )

    def _books(self, facts: int, quarantined: dict[str, int]) -> Iterator[str]:
        """What the ledger says: one row for each fact, each Alert delivered, what waits."""
        ask = self.kind.ask
        twice = ask(
            self.estate, "SELECT count(*) FROM (SELECT 1 FROM facts GROUP BY source, event_id"
            " HAVING count(*) > 1) AS twice"
        )[0][0]  # fmt: skip
        (known,) = ask(self.estate, "SELECT count(*) FROM facts")[0]
        if known != facts or twice:
            yield f"the ledger has {known} facts, {twice} of them twice; {facts} were sent"
        states = dict(ask(self.estate, "SELECT state, count(*) FROM deliveries GROUP BY state"))
        if set(states) - {"delivered"}:
            yield f"not all is delivered: {states}"
        waits = dict(ask(self.estate, "SELECT reason, count(*) FROM holding GROUP BY reason"))
        if waits != quarantined:
            yield f"in quarantine: {waits}, expected {quarantined}"


@contextmanager
def playing(
    folder: Path, template: Path, kind: LedgerKind, broker: Broker, *, brief: bool
) -> Iterator[Scene]:
    """A scene of its own in a new folder, all of it stopped at the end."""
    with ExitStack() as undo:
        shutil.copytree(template, folder / "estate")
        kind.copy(template, folder / "estate")
        recipients = undo.enter_context(Recipients(folder / "received.tsv"))
        yield Scene(folder, kind, broker=broker, recipients=recipients, brief=brief, undo=undo)


def template(folder: Path, kind: LedgerKind) -> Path:
    """An estate whose inventory is loaded, for all rows to begin with."""
    folder.mkdir(parents=True)
    os.environ.setdefault("COLUMNS", "80")
    usual = {user: {"adapter": "log"} for user in USERS}
    inbox = {"adapter": "folder", "path": "inbox/"}
    market.found(folder, usual, inbox, HUBS, ledger=kind.url(folder))
    return folder
