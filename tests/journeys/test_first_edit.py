"""The README's first edit of a rule, word by word: from a mistake to rules that are live."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.commandline import PROGRAM, start
from support.estate import ROOT

README = (ROOT / "README.md").read_text()
JOURNEY = README.partition("\n## Your first edit of a rule\n")[2].partition("\n## ")[0]
YAML = re.findall(r"```yaml\n(.*?)```", JOURNEY, re.DOTALL)
INDENTED = re.findall(r"(?:^    .*\n)+", re.sub(r"```.*?```", "", JOURNEY, flags=re.DOTALL), re.M)
SHOWN = ["".join(line[4:] + "\n" for line in block.splitlines()) for block in INDENTED]
"""What stands indented: what to type, and what it prints."""


def shell(typed: str, folder: Path) -> tuple[int, str]:
    """A line as a shell runs it: exit code, and all that was printed."""
    program = shlex.join(PROGRAM)
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f'hubherald() {{ {program} "$@"; }}; {typed}'],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The starter, routed once as the README says before, on a port of its own."""
    folder = tmp_path / "mine"
    assert shell(f"hubherald init {folder}", tmp_path)[0] == 0
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    config = folder / "hubherald.yaml"
    config.write_text(config.read_text().replace("127.0.0.1:9464", f"127.0.0.1:{port}"))
    inventory = "hubherald inventory import --hubs hubs.csv --registrations registrations.csv"
    for typed in (inventory, "hubherald run --until-idle"):
        assert shell(typed, folder)[0] == 0
    return folder


@contextmanager
def running(folder: Path) -> Iterator[None]:
    log = folder / "log"
    with log.open("w") as said, start("run", folder=folder, stderr=said.fileno()) as router:
        while "router.started" not in log.read_text():
            assert router.poll() is None, log.read_text()
            time.sleep(0.01)
        yield
        router.send_signal(signal.SIGTERM)
        assert router.wait(35) == 0, log.read_text()


def test_the_first_edit_of_a_rule(mine: Path) -> None:
    shipped, mistaken, given, added = YAML
    mistake, test, prove, see, *told, live = SHOWN
    rules, tests = mine / "rules" / "alerts.yaml", mine / "rules" / "alerts.test.yaml"
    rule = re.sub(r" +#.*", "", shipped)
    assert rule in rules.read_text()
    last = '      - recipient.role == "gas_supplier"\n'
    rules.write_text(rules.read_text().replace(last, last + mistaken))
    assert shell("hubherald check", mine) == (1, mistake)

    rules.write_text(rules.read_text().replace("hub.group has", "hub.groups has"))
    assert shell("hubherald check", mine)[0] == 0
    code, said = shell(test, mine)
    assert code == 1
    assert "hub.groups" in said
    text = tests.read_text().replace("given:\n", "given:\n" + given, 1)
    tests.write_text(text + "\n" + added)
    code, said = shell(prove, mine)
    assert code == 0, said

    for typed in see.splitlines():
        code, said = shell(typed, mine)
        assert code == 0, said
    assert said == "\n".join(told)  # an edit that changes nothing would teach nothing
    with running(mine):
        code, said = shell(live, mine)
        assert code == 0, said
        assert said.startswith("live: ")
        rules.write_text(rules.read_text().replace("hub.groups has", "hub.group has"))
        code, said = shell(live, mine)
    assert code == 1
    assert said.splitlines()[0] == mistake.splitlines()[0]
