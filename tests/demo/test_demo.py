"""The demo as somebody meets it who has just cloned the repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HUBHERALD = Path(sys.executable).with_name("hubherald")


def demo(*words: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `hubherald demo` with temporary folders below `folder`."""
    return subprocess.run(
        [HUBHERALD, "demo", *words],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_demo_routes_everything_and_tells_what_it_did(tmp_path: Path) -> None:
    done = demo(folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = done.stdout
    (folder,) = tmp_path.glob("hubherald-demo-*")
    expected = json.loads((folder / "expected.json").read_text())["counts"]
    held = expected["held"]
    last = re.search(
        r"All ([\d,]+) Alerts that the simulation expects: (\d+) over HTTP and (\d+) in DUIS over "
        r"mutual TLS, all with verified signatures, (\d+) as files, (\d+) held\.$",
        told.rstrip(),
    )
    assert last is not None, told
    assert [int(last[1]), int(last[5])] == [expected["alerts"], held]
    assert int(last[2]) > 100
    assert int(last[3]) > 20
    assert int(last[4]) == len(list((folder / "outbox").glob("*/*.json")))
    for reason in (
        "failed-activation: ",
        "smets1-has-its-own-alert: ",
        "hub-replaced: ",
        "hub-decommissioned: ",
        "in quarantine: ",
        "as gas_supplier: no eligible user: not a Service User",
        "held, as the user is suspended",
        f"cd {folder}",
    ):
        assert reason in told
    assert (folder / "router.log").stat().st_size > 0


def test_the_demo_leaves_a_folder_in_use_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    done = demo("--out", tmp_path / "mine", folder=tmp_path)
    assert done.returncode == 1
    assert "is there and not empty; give a new folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]
