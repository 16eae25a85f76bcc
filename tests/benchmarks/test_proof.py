"""That the proof finds what it is there to find: a check that can't fail proves nothing."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from router.ports.alerts import alert_id

PROOF = Path(__file__).parents[2] / "benchmarks" / "proof.py"
USER, OTHER = "90-B3-D5-1F-30-01-00-01", "90-B3-D5-1F-30-01-00-02"
FACTS = [
    {
        "source": "urn:dcc:dsp:north",
        "id": f"s1-{number}",
        "device_id": f"00-DB-12-34-00-00-00-0{number}",
        "firmware_version": "01020400",
        "alerts": [{"service_user_id": USER, "roles": ["import_supplier"], "alert_code": "N64"}],
    }
    for number in range(4)
]


def line(number: int, *, path: str = USER, **changes: Any) -> str:
    """The receipt of Alert `number`, its data changed."""
    fact = FACTS[number]
    data = {
        "alert_code": "N64",
        "device_id": fact["device_id"],
        "firmware_version": "01020400",
        "service_user_id": USER,
        "roles": ["import_supplier"],
        "sequence": number + 1,
    } | changes
    found = str(alert_id(str(fact["source"]), str(fact["id"]), USER, "N64"))
    event = {"id": found, "time": "2026-01-31T10:00:00Z", "data": data}
    body = json.dumps(event)
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f"1769853600.5\t/{path}\t{found}\t204\t{digest}\t{body}\n"


def prove(folder: Path, lines: list[str]) -> tuple[int, str]:
    expected, log = folder / "expected.json", folder / "received.tsv"
    expected.write_text(json.dumps({"facts": FACTS, "suspended": []}))
    log.write_text("".join(lines))
    done = subprocess.run(
        [sys.executable, PROOF, expected, log], check=False, capture_output=True, text=True
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_all_alerts_some_of_them_twice_is_as_promised(tmp_path: Path) -> None:
    lines = [line(number) for number in (0, 1, 1, 2, 3, 0)]
    assert prove(tmp_path, lines) == (0, "4 of 4 Alerts, 2 duplicates\n")


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda lines: lines[:2] + lines[3:], "1 lost"),
        (lambda lines: [each.replace("\t204\t", "\t503\t") for each in lines], "4 lost"),
        (lambda lines: [*lines, line(0, sequence=9)], "came with two contents"),
        (lambda lines: [*lines, line(0, sequence=9)], "came with two bodies"),
        (lambda lines: [*lines[:3], line(3, firmware_version="9")], "expected _Due"),
        (lambda lines: [*lines[:3], line(3, roles=["gas_supplier"])], "expected _Due"),
        (lambda lines: [*lines[:3], line(3, path=OTHER)], "somebody else's"),
        (lambda lines: [*lines[:3], line(3, sequence=5)], "not gapless from 1"),
        (
            lambda lines: [each.replace(line(3).split("\t")[2], "another") for each in lines],
            "1 foreign",
        ),
    ],
)
def test_what_is_not_as_promised_is_found(
    tmp_path: Path, spoil: Callable[[list[str]], list[str]], finding: str
) -> None:
    code, told = prove(tmp_path, spoil([line(number) for number in range(4)]))
    assert code == 1
    assert finding in told
