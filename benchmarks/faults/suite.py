"""All rows on all ledgers, one after the other."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

from support.broker import Broker

from faults.ledgers import LedgerKind, Postgresql, Sqlite
from faults.life import Broken
from faults.line import Line, failed
from faults.row import Row
from faults.rows import bodies, brokers, clocks, folders, kills, recipients, rulefiles, stores
from faults.scene import playing, template

ROWS: Sequence[Row] = (
    *kills.ROWS,
    *brokers.ROWS,
    *stores.ROWS,
    *recipients.ROWS,
    *bodies.ROWS,
    *rulefiles.ROWS,
    *folders.ROWS,
    *clocks.ROWS,
)
LEDGERS: Sequence[type[LedgerKind]] = (Sqlite, Postgresql)


def run(
    folder: Path,
    broker: Broker,
    *,
    brief: bool = False,
    only: str = "",
    on: str = "",
    ledgers: Sequence[type[LedgerKind]] = LEDGERS,
) -> Iterator[Line]:
    """Each row's lines as they come; what failed leaves its files in the folder."""
    for make in ledgers:
        if on.lower() not in make.name.lower():
            continue
        with make() as kind:
            ground = template(folder / kind.name / "template", kind)
            for number, row in enumerate(ROWS):
                if (brief and not row.brief) or only not in row.name:
                    continue
                if row.on(kind.name, kind.shared):
                    place = folder / kind.name / f"{number:02}"
                    yield from play(place, ground, kind, broker, row, brief=brief)


def play(
    place: Path, ground: Path, kind: LedgerKind, broker: Broker, row: Row, *, brief: bool
) -> list[Line]:
    """One row; its folder goes when all was held."""
    lines: list[Line] = []
    try:
        with playing(place, ground, kind, broker, brief=brief) as scene:
            lines += row.play(scene)
    except Broken as wrong:
        lines.append(failed(row.name, kind.name, str(wrong)))
    except Exception as error:
        traceback.print_exc()
        lines.append(failed(row.name, kind.name, f"the suite itself failed: {error!r}"))
    for line in lines:
        line.promised = line.promised or row.promised
    if all(line.verdict == "held" for line in lines):
        shutil.rmtree(place)
    return lines
