"""`make faults`: every row of the fault matrix, against real processes.

    make faults                        # all rows, three runs; writes benchmarks/faults.md
    make faults ARGS="--only kill"     # rows whose name has these words; writes nothing

Exit 0 when every row held, 1 when one did not: its files are kept then.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
from pathlib import Path

from support.broker import Broker

from faults.line import Line, heading, table
from faults.suite import run

TABLE = Path(__file__).parents[1] / "faults.md"
ABOUT = """\
# The fault matrix, row by row

Written by `make faults`: what each row does stands in [faults/rows](faults/rows). Every row sends
facts that a real RabbitMQ node confirmed, breaks something, and asks an oracle that shares no code
with the router (`proof.py`) which Alerts had to come. Held means: exactly these came, none lost,
none foreign, each duplicate with the same id and bytes and no more of them than promised, sequences
gapless from 1, one row for each fact, nothing left on the broker, all deliveries settled, and what
else the row promises. Where runs differ, a figure stands for each.
"""


def main() -> None:
    """The runs that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", default="", help="rows whose name has these words")
    parser.add_argument("--on", default="", help="sqlite or postgresql; else both")
    parser.add_argument("--brief", action="store_true", help="the cut that `make test` runs")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hubherald-faults-"))
    runs: list[list[Line]] = []
    with Broker() as broker:
        for number in range(1, given.runs + 1):
            print(heading(), flush=True)
            runs.append([])
            place = folder / f"run-{number}"
            for line in run(place, broker, brief=given.brief, only=given.only, on=given.on):
                print(line, flush=True)
                runs[-1].append(line)
    bad = sum(bool(line.problems) for each in runs for line in each)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = resource.getrusage(resource.RUSAGE_SELF)
    seconds = spent.ru_utime + spent.ru_stime + own.ru_utime + own.ru_stime
    print(f"{seconds:.0f} s of processor time, without the broker's own")
    if not (given.only or given.on or given.brief):
        TABLE.write_text(f"{ABOUT}\n{table(runs)}")
    if bad:
        raise SystemExit(f"{bad} rows did not hold; their files are in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
