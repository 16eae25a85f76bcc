"""Tests of trials: right rules pass in silence, all else is told and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from support.rulemaking import read, rule, shipped

from router.deciding.trial import trial
from router.errors import EngineError


def children() -> set[str]:
    """The processes that this one has started and that are still there."""
    tasks = Path("/proc/self/task").iterdir()
    found: set[str] = set()
    for task in tasks:
        with suppress(FileNotFoundError):  # the thread has ended since
            found.update((task / "children").read_text().split())
    return found


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a C library that children import instead of the real one."""
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path / "durable_rules_engine.py"


def test_a_trial_of_right_rules_says_nothing(tmp_path: Path) -> None:
    trial(shipped())
    lines = [
        'hub.model != "a"',
        'hub.groups has "x"',
        'hub.model in ["b", "c"]',
        "hub.model exists",
    ]
    trial(read(tmp_path, rule(lines)))


def test_a_trial_that_hangs_in_c_is_killed(broken: Path) -> None:
    """A signal handler would never run there, nor a thread: a regex keeps the GIL."""
    broken.write_text("import re\nre.match('(a+)+$', 'a' * 64 + 'b')\n")
    before = children()
    with pytest.raises(
        EngineError, match=r"within 1 s; they were not taken up\. Look at the rules"
    ):
        trial(shipped(), timeout_s=1)
    assert children() <= before


def test_a_trial_that_hangs_ends_though_its_router_is_killed(broken: Path, tmp_path: Path) -> None:
    noted = tmp_path / "child"
    broken.write_text(
        f"import os, re\nopen({str(noted)!r}, 'w').write(str(os.getpid()))\n"
        "re.match('(a+)+$', 'a' * 64 + 'b')\n"
    )
    code = (
        f"import sys; sys.path[:] = {sys.path!r}\n"
        "from support.rulemaking import shipped; from router.deciding.trial import trial; "
        "trial(shipped(), 1)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as router:
        until(lambda: noted.exists() and noted.read_text())
        router.kill()
    child = Path(f"/proc/{noted.read_text()}/stat")
    until(lambda: not child.exists() or child.read_text().split()[2] == "Z")


def until(done: Callable[[], object]) -> None:
    """The limit is there to fail, not to measure."""
    limit = time.monotonic() + 60
    while not done():
        assert time.monotonic() < limit
        time.sleep(0.01)


def test_a_trial_that_crashes_is_told(broken: Path) -> None:
    broken.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with pytest.raises(EngineError, match=r"can't be trusted .*: the trial ended with -11"):
        trial(shipped())


def test_a_trial_that_fails_says_why(broken: Path) -> None:
    broken.write_text("raise ImportError('no PyEval_CallObject')\n")
    with pytest.raises(EngineError) as caught:
        trial(shipped())
    said = str(caught.value)
    assert (
        "durable_rules can't be imported (no PyEval_CallObject); build it again: CPPFLAGS=" in said
    )
    assert "\n" not in said


@pytest.mark.parametrize("spelt", ["", ".", "here/..", "{here}", "{here}/."])
def test_a_trial_takes_nothing_from_the_working_directory(
    spelt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    for name in ("json", "signal", "durable", "router", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('{name}.py was run')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [spelt.format(here=tmp_path), *sys.path])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trial(shipped())
