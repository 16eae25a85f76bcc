"""How the cost of a decision and of a delivery grows with the estate: `make bench-growth`.

    .venv/bin/python benchmarks/growth.py [--most 3000000] [--facts 3000]

More hubs in an empty ledger, then more Alerts behind those hubs, more rules, more users; at each
point a router is started in the estate and decides activations, some that nobody is told of and
some with three Alerts, by the `log` adapter. Draws the curves into benchmarks/growth/ and writes
the figures beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench_machine import Machine
from growth_curves import Curve, Point, draw, table
from growth_ledger import Multiplied
from growth_measure import measure
from market import found, users

OUT = Path(__file__).with_name("growth")
HUBS = 5_000
"""Of the estate that is multiplied."""
USERS = 12
SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
RULES = (10, 30, 100, 300, 1_000)
PEOPLE = (10, 30, 100, 300)
HUBS_CURVE = "hubs"
ALERTS_CURVE = "Alerts in the ledger"


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=SIZES[-1], help="hubs, and Alerts")
    parser.add_argument("--rules", type=int, default=RULES[-1], help="the most")
    parser.add_argument("--users", type=int, default=PEOPLE[-1], help="the most")
    parser.add_argument("--facts", type=int, default=3_000, help="of each kind at each point")
    parser.add_argument("--out", type=Path, default=OUT, help="where the curves go")
    given = parser.parse_args(words)
    machine = Machine.now()
    curves: dict[str, Curve] = {}
    with tempfile.TemporaryDirectory(prefix="hubherald-growth-") as name:
        for what, point in points(Path(name), given):
            print(f"{what}, {point.size:,}: {point.cost}", flush=True)
            curves.setdefault(what, Curve(what, [])).points.append(point)
    given.out.mkdir(exist_ok=True)
    for curve in curves.values():
        draw(curve, given.out, machine)
    text = table(list(curves.values()), machine)
    (given.out / "README.md").write_text(text)
    print(text)
    return 0


def points(folder: Path, given: argparse.Namespace) -> Iterator[tuple[str, Point]]:
    """What grows, and what it costs at each size."""
    yield from of_the_ledger(folder / "large", given)
    for count in (each for each in PEOPLE if each <= given.users):
        estate = market(folder / f"users-{count}", count)
        yield "users", Point(count, measure(estate, HUBS, given.facts))
    for count in (each for each in RULES if each <= given.rules):
        estate = market(folder / f"rules-{count}", USERS)
        write_rules(estate / "rules" / "more.yaml", count)
        yield "rules", Point(count, measure(estate, HUBS, given.facts))


def of_the_ledger(folder: Path, given: argparse.Namespace) -> Iterator[tuple[str, Point]]:
    """More hubs, then more Alerts behind the most of them."""
    sizes = [size for size in SIZES if size <= given.most]
    estate = market(folder, USERS)
    cost = measure(estate, HUBS, max(given.facts, 1_000))  # leaves what is multiplied
    ledger = Multiplied(estate / "hubherald.db", HUBS)
    for size in sizes:
        _grow("hubs", ledger.grow_hubs, size)
        cost = measure(estate, size, given.facts)
        yield HUBS_CURVE, Point(size, cost)
    yield ALERTS_CURVE, Point(ledger.alerts(), cost)
    for size in sizes[1:]:
        _grow("Alerts", ledger.grow_alerts, size)
        yield ALERTS_CURVE, Point(size, measure(estate, sizes[-1], given.facts))


def _grow(what: str, grow: Callable[[int], None], size: int) -> None:
    began = time.perf_counter()
    grow(size)
    print(f"{size:,} {what} made in {time.perf_counter() - began:.0f} s", flush=True)


def market(folder: Path, people: int) -> Path:
    """An estate with so many users, whose Alerts go to the log."""
    folder.mkdir()
    channels = {user: {"adapter": "log"} for user in users(people)}
    found(folder, channels, {"adapter": "folder", "path": "inbox/"}, hubs=HUBS)
    return folder


def write_rules(file: Path, count: int) -> None:
    """So many beside the shipped ones; they match nothing here, but each has its conditions."""
    rules = [
        {
            "name": f"rule-{number}",
            "when": [
                f'activation.firmware_version startswith "9{number:03}"',
                'recipient.role in ["import_supplier", "gas_supplier"]',
                f'hub.model != "model {number % 10}"',
            ],
            "alert": "N64",
        }
        for number in range(count)
    ]
    file.write_text(json.dumps({"rules": rules}))


if __name__ == "__main__":
    sys.exit(main())
