"""Gauges of roll-outs tell what the ledger has in all, also after a restart."""

from __future__ import annotations

import re
import urllib.request
from pathlib import Path

import pytest
from support.commandline import call, rows
from support.estate import S1
from support.liverouter import Live, one_supplier, running

from router.ledger.queries import rollout_totals as module

pytestmark = pytest.mark.once


def gauges(live: Live) -> dict[str, float]:
    """By what follows `hubherald_rollout_ledger_`."""
    with urllib.request.urlopen(f"{live.url}/metrics", timeout=60) as response:
        text = response.read().decode()
    found = re.findall(r"^hubherald_rollout_ledger_(\S+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_they_go_on_from_what_the_ledger_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PORTION", 2)
    estate = one_supplier(tmp_path)
    for number in range(5):
        estate.activation("9001", activated_at=f"2026-06-01T12:00:0{number}Z")
    estate.activation("9001", outcome="failure")
    estate.run()
    assert call("alerts", "resend", "--user", S1, "--yes", folder=tmp_path).exit_code == 0
    estate.run()
    with running(estate) as live:
        live.until(lambda: gauges(live))
        assert gauges(live) == {
            'activations{firmware_version="9001",outcome="success"}': 5,
            'activations{firmware_version="9001",outcome="failure"}': 1,
            'alerts{firmware_version="9001"}': 5,
            'alerts_delivered{firmware_version="9001"}': 10,
        }
        estate.activation("9002")
        live.until(lambda: gauges(live).get('alerts_delivered{firmware_version="9002"}'))
        assert gauges(live)['alerts{firmware_version="9001"}'] == 5
        with urllib.request.urlopen(live.url, timeout=60) as response:
            page = response.read().decode()
        versions = re.findall(r'scope="row"[^>]*><code>(900\d)</code>', page)
        assert sorted(versions) == ["9001", "9002"]
    due = {
        each["firmware_version"]: each["alerts_due"] for each in rows("rollout", folder=tmp_path)
    }
    assert due == {"9001": 5, "9002": 1}
