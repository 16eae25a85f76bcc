"""The author's guide, followed to the letter in an environment of its own beside Hubherald's wheel.

What it tells to type is typed, what it shows is compared, what it gives is written.
"""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.estate import S1, SUPPLIER, Estate

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "adapters" / "WRITING.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WHEEL = "--no-build-isolation --no-deps --no-index"


def done(command: str, folder: Path, bin_folder: Path) -> str:
    """What a command prints in the environment; it must be fine."""
    path = f"{bin_folder}:/usr/bin:/bin"
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    quiet["PIP_NO_BUILD_ISOLATION"] = "0"  # which says no, to pip
    ended = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={"PATH": path, "HOME": str(folder), "COLUMNS": "200", **quiet},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, f"{command}\n{ended.stdout}{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new virtual environment: Hubherald's wheel, and the packages of here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "venv", with_pip=True)
    (site,) = folder.glob("venv/lib/python*/site-packages")
    packages = folder / "packages"
    packages.mkdir()
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if "hubherald" not in each.name and each.suffix != ".pth":
            (packages / each.name).symlink_to(each)
    (site / "packages.pth").write_text(f"{packages}\n")
    programs = folder / "venv" / "bin"
    done(f"pip -q wheel {WHEEL} --wheel-dir {folder} {ROOT}", folder, programs)
    done(f"pip -q install {folder}/hubherald-*.whl", folder, programs)
    (programs / "pytest").write_text(f'#!/bin/sh\nexec {programs}/python -m pytest "$@"\n')
    (programs / "pytest").chmod(0o755)
    return programs


def steps() -> Iterator[tuple[str, str]]:
    """The blocks of the guide: of which kind, and what is in them."""
    for kind, text in BLOCK.findall(GUIDE):
        if kind != "console":
            yield kind, text
            continue
        for command in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            yield kind, command


def test_whoever_follows_the_guide_has_an_adapter_that_delivers(
    beside: Path, tmp_path: Path
) -> None:
    folder = tmp_path
    said = []
    for kind, text in steps():
        if kind != "console":
            name = text.partition("\n")[0].removeprefix("# ")
            assert name.startswith("./"), f"{name}: say in the first line which file it is"
            assert (folder / name).exists(), f"the scaffold has no {name}"
            (folder / name).write_text(text)
            continue
        command, _, expected = text.partition("\n")
        if command.startswith("cd "):
            folder = (folder / command.removeprefix("cd ")).resolve()
            continue
        printed = done(command, folder, beside)
        said.append(printed)
        assert not expected or printed == expected, printed
    first, second = (words for words in said if " declared in " in words)
    assert "33 passed, 35 declared" in first
    assert "61 passed, 4 declared" in second
    assert "delivery pager" in "".join(said)


def test_a_scaffold_as_a_wheel_is_listed_tried_and_told(beside: Path, tmp_path: Path) -> None:
    """Installed beside Hubherald, as its users have it; Alerts are routed through it."""
    done("hubherald adapter new tape", tmp_path, beside)
    done(f"pip -q wheel {WHEEL} --wheel-dir wheels ./hubherald-tape", tmp_path, beside)
    done("pip -q install wheels/hubherald_tape-0.1.0-*.whl", tmp_path, beside)
    rows = json.loads(done("hubherald adapters -o json", tmp_path, beside))
    (row,) = [row for row in rows if row["adapter"] == "tape"]
    told = row["distribution"], row["version"], row["option"], row["fault"]
    assert told == ("hubherald-tape", "0.1.0", "path", None)

    estate = Estate(tmp_path / "router")
    estate.user(S1, SUPPLIER, channels=[{"adapter": "tape", "path": "alerts.jsonl"}])
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    said = done(f"hubherald adapter try tape --user {S1}", estate.folder, beside)
    assert said == f"{S1} (User 01) tape: delivered appended\n"
    done("hubherald run --until-idle", estate.folder, beside)
    lines = (estate.folder / "alerts.jsonl").read_text().splitlines()
    drill, alert = map(json.loads, lines)
    assert (drill["type"], alert["type"]) == ("hubherald.drill.v1", "hubherald.alert.v1")
    assert "sequence" not in drill["data"]
