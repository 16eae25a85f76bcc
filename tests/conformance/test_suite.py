"""The suite of the conformance kit, on an adapter that keeps all of the contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.pager import PagerHarness

from router.conformance import AdapterConformance, Harness


class TestThePager(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return PagerHarness(tmp_path)
