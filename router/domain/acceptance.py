"""How strictly facts are taken: what `facts:` of hubherald.yaml says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class CheckDigits(StrEnum):
    """What becomes of a meter point number whose check digits do not fit."""

    WARN = "warn"
    """It is taken, told and counted: refusing it would mean that nobody is told about that home."""
    REFUSE = "refuse"
    """Its row or fact is not taken."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Where Hubherald draws the line between a fact that is odd and one that is wrong."""

    clock_tolerance: timedelta = timedelta(minutes=10)
    """How far ahead of our clock a fact's `time` or `activated_at` may lie."""
    await_registration: timedelta = timedelta(hours=24)
    """How long an activation waits for the first registration of its hub."""
    check_digits: CheckDigits = CheckDigits.WARN
