"""What people and programs get wrong, a hundred thousand times: a row or an error for each.

    .venv/bin/python benchmarks/fuzz.py                       # the full length, seed 1
    .venv/bin/python benchmarks/fuzz.py --seed 7 --share 0.01 # a hundredth of it

Facts go through a whole router: each body that is none must be one row of quarantine for each
reason, and the next is taken. Configuration, users, rules and tests go through `hubherald check`,
rows of CSV through an import: what is wrong is told in lines that can be shown, and nothing raises.
What takes SLOW seconds of processor time is a hang. Exit 1, and the case kept, when one is found.
"""

from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import structlog
from fuzz_mutations import OF_BYTES, wrong_event, wrong_text

from router.config.loading import load
from router.domain.facts import Defect, Fact, parse_all
from router.errors import RouterError
from router.intake.inventory_import import BadRow, DoubtfulRow, import_inventory
from router.ledger.database import Use, open_database
from router.service import app
from router.workbench.checking import check

FACTS, FILES, ROWS = 100_000, 2_500, 10_000
"""How many of each at full length; FILES of each kind."""
PORTION = 5_000
"""Facts that a router takes before it ends."""
SLOW = 20.0
"""Seconds of processor time in which each file or row is read."""
SLOW_FACT = 0.05
"""The same of each fact of a portion."""
DCC, USER, HUB = (f"90-B3-D5-1F-30-0{kind}-02" for kind in ("0-00", "1-00", "0-10"))
CSV = {
    "hubs": (
        b"device_id,status,smets_version,csp_region,model,hardware_version,replaced_by,groups",
        b"90-B3-D5-1F-30-00-10-%02X,Commissioned,SMETS2,North,Alpha,1.0,,pilot;two",
    ),
    "registrations": (
        b"device_id,mpxn,point,supplier_id,network_operator_id,effective_from,effective_to",
        b"90-B3-D5-1F-30-00-10-%02X,1800021679848,import_mpan,90-B3-D5-1F-30-01-00-02,,2020-01-01,",
    ),
}
RULES = """\
rules:
  - name: tell-suppliers
    when:
      - activation.outcome == "success"
      - any:
          - recipient.role in ["import_supplier", "gas_supplier"]
          - recipient.subscriptions has "firmware"
    alert: N64
  - name: not-yet
    description: Hubs that are not on the wall.
    when:
      - hub.status == "Pending"
    suppress: no Alert before it is on the wall
"""
TESTS = f"""\
given:
  users:
    - {{id: {USER}, roles: [import_supplier]}}
tests:
  - name: a hub is announced
    given:
      hub: {{model: Alpha}}
      registrations:
        - {{point: import_mpan, supplier_id: {USER}}}
      activation: {{firmware_version: "9002"}}
    at: 2026-06-01T12:00:00Z
    without: [not-yet]
    expect:
      alerts:
        - {{user: {USER}, roles: [import_supplier], code: N64}}
"""


class FoundError(Exception):
    """What must not be; the case is in the message."""


@dataclass
class Estate:
    """Files that are right, in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        self.config = self.folder / "hubherald.yaml"
        self.users = self.folder / "service_users.yaml"
        (self.folder / "inbox").mkdir()
        (self.folder / "rules").mkdir()
        (self.folder / "rules/alerts.yaml").write_text(RULES)
        (self.folder / "rules/alerts.test.yaml").write_text(TESTS)
        self.config.write_text(
            "sources:\n  drop: {adapter: folder, path: inbox/}\nledger:\n  url: sqlite:///l.db\n"
            f'dcc: {{id: {DCC}}}\noperations: {{listen: "127.0.0.1:0"}}\n'
            "facts: {clock_tolerance: 10m, await_registration: 1h, check_digits: warn}\n"
        )
        self.users.write_text(
            f"service_users:\n  - id: {USER}\n    name: One\n    roles: [import_supplier]\n"
            '    duis_version: "5.4"\n    subscriptions: [firmware]\n    channels:\n'
            "      - {adapter: folder, path: sent/}\n"
            "      - {adapter: webhook, url: http://127.0.0.1:9/x, window: 4, rate: 1.5}\n"
        )


def events() -> Sequence[dict[str, Any]]:
    """One fact of each kind."""
    registration: dict[str, Any] = {
        "device_id": HUB,
        "mpxn": "1800021679848",
        "point": "import_mpan",
    }
    registration |= {"supplier_id": USER, "network_operator_id": None}
    registration |= {"effective_from": "2020-01-01", "effective_to": None}
    known = {"device_id": HUB, "status": "Commissioned", "smets_version": "SMETS2"}
    activation = {"device_id": HUB, "firmware_version": "9002", "outcome": "failed"}
    activation["activated_at"] = "2026-06-01T12:00:00Z"
    kinds = {"hub.updated": known, "registration.updated": registration}
    kinds["firmware.activated"] = activation
    usual: dict[str, Any] = {"specversion": "1.0", "source": "dsp", "time": "2026-01-01T00:00:00Z"}
    return [
        {**usual, "id": f"f{number}", "type": f"hubherald.{kind}.v1", "data": data}
        for number, (kind, data) in enumerate(kinds.items())
    ]


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """FoundError when this takes more processor time."""

    def end(_number: int, _frame: object) -> None:
        raise FoundError(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def facts(random: Random, count: int, folder: Path) -> str:
    """Through a router, from a folder; then each is looked for in the ledger."""
    estate, usual = Estate(folder), events()
    bodies = dict.fromkeys(_bodies(random, usual, count))
    whole = list(bodies)
    inbox = estate.folder / "inbox" / "facts.jsonl"
    inbox.write_bytes(b"{}\n")  # a file that begins with a packed fact is a packed file
    for start in range(0, count, PORTION):
        portion = whole[start : start + PORTION]
        with inbox.open("ab") as file:
            file.write(b"".join(body + b"\n" for body in portion))
        with bounded(10 + SLOW_FACT * len(portion)):
            app.run(load(estate.config), until_idle=True)
    return _held(whole, estate.folder / "l.db")


def _bodies(random: Random, usual: Sequence[dict[str, Any]], count: int) -> Iterator[bytes]:
    seen = set[bytes]()
    while len(seen) < count:
        event = {**random.choice(usual), "id": f"f{random.randrange(count)}"}
        body = wrong_event(random, event).replace(b"\n", b" ").replace(b"\r", b" ")
        if body.strip(b"\xef\xbb\xbf \t\x0b\x0c") and body not in seen:  # else a blank line
            seen.add(body)
            yield body


def _held(bodies: Sequence[bytes], ledger: Path) -> str:
    """Whether each has its rows; what they came to."""
    with closing(sqlite3.connect(ledger)) as database:
        rows = database.execute("SELECT body, reason, detail FROM quarantined").fetchall()
        taken = {row[0] for row in database.execute("SELECT event_id FROM facts")}
    reasons: dict[bytes, list[str]] = {}
    for body, reason, detail in rows:
        reasons.setdefault(body, []).append(reason)
        if not detail.strip():
            raise FoundError(f"quarantined for {reason} without a word: {body[:300]!r}")
    used, came = 0, Counter[bytes]()
    for body in bodies:
        read = parse_all(body)
        came.update({found.body for found in read})
        for found in read:
            told = reasons.get(found.body, [])
            if isinstance(found, Defect) and not told:
                raise FoundError(f"no row of quarantine: {found.body[:300]!r}")
            if isinstance(found, Fact) and not told and found.id not in taken:
                raise FoundError(f"nowhere: {found.body[:300]!r}")
            used += isinstance(found, Fact)
    del reasons[b"{}"]
    for body, told in reasons.items():  # packed or in a batch, the same comes in several messages
        if max(Counter(told).values()) > came[body]:
            raise FoundError(f"rows of quarantine {told}: {body[:300]!r}")
    return f"{len(rows):,} rows of quarantine, {used:,} facts taken all the same"


def files(random: Random, count: int, folder: Path, of: str) -> str:
    """Through `check`: right, or lines about what is wrong."""
    estate = Estate(folder)
    names = {"config": estate.config, "users": estate.users}
    names |= {"rules": folder / "rules/alerts.yaml", "tests": folder / "rules/alerts.test.yaml"}
    file = names[of]
    usual, found = file.read_bytes(), 0
    for _ in range(count):
        text = wrong_text(random, usual)
        file.write_bytes(text)
        with _case(text), bounded(SLOW):
            problems = check(estate.config, {}).problems
            _presentable([problem.render() for problem in problems])
            found += bool(problems)
    return f"{found:,} refused, {count - found:,} right all the same"


def rows(random: Random, count: int, folder: Path) -> str:
    """Through an import, each between two that are right."""
    bad = 0
    ledger = open_database(f"sqlite:///{folder}/l.db", Use.ROUTE)
    with closing(ledger) as database:
        for number in range(count):
            kind = random.choice(list(CSV))
            head, row = CSV[kind]
            wrong = wrong_text(random, row % 2, OF_BYTES)
            text = b"\n".join((head, row % 1, wrong, row % 3, b""))
            file = folder / f"{kind}.csv"
            file.write_bytes(text)
            told: list[BadRow | DoubtfulRow] = []
            with _case(text), bounded(SLOW):
                given: Any = {"hubs": None, "registrations": None, kind: file}
                try:
                    found = import_inventory(
                        database, **given, operator="fuzz", clock=_now, report=told.append
                    )
                except RouterError as error:
                    _presentable([str(error)])
                    bad += 1
                    continue
                _presentable([str(each) for each in told])
                refused = sum(isinstance(each, BadRow) for each in told)
                if refused != found.bad or found.bad + found.hubs + found.registrations == 0:
                    raise FoundError(f"{found} and {refused} lines, row {number}")
                bad += bool(refused)
    return f"{bad:,} refused, {count - bad:,} right all the same"


def _now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def _case(text: bytes) -> Iterator[None]:
    """Whatever is raised is found, with the case."""
    try:
        yield
    except Exception as error:
        kept = Path(tempfile.mkstemp(prefix="fuzz-")[1])
        kept.write_bytes(text)
        raise FoundError(f"{type(error).__name__}: {error} ({kept})") from error


def _presentable(messages: Sequence[str]) -> None:
    for message in messages:
        if not message.strip() or not all(line.isprintable() for line in message.split("\n")):
            raise FoundError(f"not to be shown: {message!r}")


def main(words: Sequence[str] | None = None) -> int:
    """All of it; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the full length, such as 0.01")
    given = parser.parse_args(words)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    kinds: dict[str, tuple[int, Callable[[Random, int, Path], str]]] = {"facts": (FACTS, facts)}
    for kind in ("config", "users", "rules", "tests"):
        kinds[kind] = (FILES, partial(files, of=kind))
    kinds["CSV rows"] = (ROWS, rows)
    for kind, (most, fuzz) in kinds.items():
        count, before = max(1, round(most * given.share)), time.process_time()
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            try:
                told = fuzz(Random(f"{given.seed} {kind}"), count, Path(folder))
            except FoundError as error:
                print(f"{kind}: seed {given.seed}: {error}", file=sys.stderr)
                return 1
        cost = time.process_time() - before
        print(f"{kind:9} {count:7,} mutated: {told} ({cost:.0f} s of processor time)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
