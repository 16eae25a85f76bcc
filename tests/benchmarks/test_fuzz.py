"""A cut of `make fuzz`, and that it finds what it is there to find."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import FoundError, bounded

pytestmark = pytest.mark.once
FUZZ = Path(__file__).parents[2] / "benchmarks" / "fuzz.py"


def test_what_is_wrong_is_a_row_or_an_error() -> None:
    words = [sys.executable, str(FUZZ), "--share", "0.005", "--seed", "16"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("mutated: ") == 6


def test_what_does_not_end_is_found() -> None:
    with pytest.raises(FoundError, match="processor time"), bounded(0.05):
        while True:
            pass
