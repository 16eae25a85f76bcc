"""What harnesses say that there is not: their tests are no part of a run, which says so at its end.

To pytest they are skipped, each with its reason; `router.pytest_plugin` tells them together.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from router.conformance.harness import Harness
from router.conformance.situations import Ability, Situation
from router.pytest_plugin import DECLARED

Need = Situation | Ability
Declared = pytest.skip.Exception
"""How such a test ends."""


def look(harness: Harness, needs: Sequence[Need]) -> None:
    """Leave the test where the harness can't give it what it needs."""
    for need in needs:
        if need in harness.cannot:
            name = type(harness).__name__
            pytest.skip(f"{DECLARED}{name}: {need.value}: {harness.cannot[need]}")
