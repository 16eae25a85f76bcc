"""Made-up markets, simulated and routed, for the tests that ask a whole ledger."""

from __future__ import annotations

import re
from pathlib import Path

from support.commandline import call


def market(folder: Path, *, seed: int, hubs: int = 60, activations: int = 120) -> Path:
    """The files of a market whose users are all suspended, so that nothing is sent."""
    words = ["--hubs", hubs, "--users", "12", "--activations", activations, "--seed", seed]
    assert call("simulate", *map(str, words), "--out", folder).exit_code == 0
    users = folder / "service_users.yaml"
    text = re.sub(r"\n    status: \w+", "", users.read_text())
    users.write_text(text.replace("\n    channels:", "\n    status: suspended\n    channels:"))
    config = folder / "hubherald.yaml"
    text = config.read_text()
    assert ":9464" in text
    config.write_text(text.replace(":9464", ":0"))  # any free port
    return folder


def route(folder: Path) -> None:
    """Decide all facts of a market."""
    files = ["--hubs", folder / "hubs.csv", "--registrations", folder / "registrations.csv"]
    assert call("inventory", "import", *files, folder=folder).exit_code == 0
    done = call("run", "--until-idle", folder=folder)
    assert done.exit_code == 0, done.output
