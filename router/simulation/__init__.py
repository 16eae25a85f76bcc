"""Made-up estates, for trials, proofs and benchmarks.

Nothing in here may import the code that decides (facts, inventory, decisions, rules, engine,
fields): what it expects would then follow from what it tests.
"""

from router.simulation.files import EstateSummary, Setting, simulate
from router.simulation.oracle import Tally

__all__ = ["EstateSummary", "Setting", "Tally", "simulate"]
