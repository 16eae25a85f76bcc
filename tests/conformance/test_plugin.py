"""The plugin of pytest: a word at the end of runs with a suite, next to nothing in all others."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from support import pager

SUITE = """
from pathlib import Path
import pytest
from router.conformance import Ability, AdapterConformance, SECURE, Situation, because
from support.pager import PagerHarness

class TellsNothing(PagerHarness):
    cannot = {
        **because("the wire is mine", *SECURE),
        **because("it has: no word", Situation.RESTS),
    }
    deadline = 0.05

class TestIt(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> PagerHarness:
        return TellsNothing(tmp_path)
"""


def run(folder: Path, code: str, *words: str) -> tuple[int, str]:
    """What pytest says of a file of tests, in a project of its own."""
    (folder / "test_it.py").write_text(code)
    tests = Path(pager.__file__).parents[1]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, "test_it.py"]
    done = subprocess.run(
        ["env", f"PYTHONPATH={tests}", *command],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_is_found_by_pytest() -> None:
    (point,) = entry_points(group="pytest11", name="hubherald")
    assert point.value == "router.pytest_plugin"


def test_what_is_declared_is_told_once_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -ra\n")
    code, said = run(tmp_path, SUITE)
    assert code == 0, said
    assert "59 passed, 7 declared" in said
    assert "TellsNothing: no rests (1 test): it has: no word\n" in said
    names = "expired, misnamed, outdated, plain, tls, untrusted"
    assert f"TellsNothing: no {names} (6 tests): the wire is mine\n" in said
    assert "SKIPPED" not in said


PLAIN = """
import sys
def test_plain():
    ours = sorted(name for name in sys.modules if name.partition(".")[0] == "router")
    assert ours == ["router", "router.pytest_plugin"]
"""


def test_others_have_next_to_nothing_of_it(tmp_path: Path) -> None:
    code, said = run(tmp_path, PLAIN)
    assert (code, "declare" in said, "1 passed" in said) == (0, False, True), said
