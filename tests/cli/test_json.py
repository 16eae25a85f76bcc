"""Every command that reads or changes tells programs what it tells people: `-o json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import click
import pytest
from support.commandline import call, row, rows
from support.estate import HUB, ROOT, S1, SUPPLIER, Estate

from router.cli import COMMANDS, main

pytestmark = pytest.mark.once

README = (ROOT / "router" / "cli" / "README.md").read_text()
WITHOUT = {"demo", "schema", "ledger head", "ledger reopen"}
"""A show for people; what prints JSON whatever is asked; what has nothing to tell."""


def every() -> Iterator[tuple[str, click.Command]]:
    """All commands by their words, groups apart."""
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {part}", each) for part, each in command.commands.items())
        else:
            yield name, command


EVERY = dict(every())


def test_every_command_has_it() -> None:
    has = {name for name, each in EVERY.items() if any(p.name == "output" for p in each.params)}
    assert EVERY.keys() - has == WITHOUT


def test_every_command_has_its_shape_in_the_readme() -> None:
    told = re.findall(r"^\| `([a-z ]+)` \| (array|object) \|", README, re.MULTILINE)
    assert [name for name, _ in told] == sorted(EVERY.keys() - WITHOUT)


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """One Alert held, two facts in quarantine, and what a supplier is told by heart."""
    estate = Estate(tmp_path_factory.mktemp("json"))
    estate.user(S1, SUPPLIER, name="Amber Energy")
    estate.hub(groups=["pilot", "north"])
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S1)
    estate.run()
    paused = rows("lanes", "pause", S1, "--reason", "works", folder=estate.folder)
    assert [(each["service_user"], each["refused"]) for each in paused] == [("Amber Energy", None)]
    estate.activation("9001")
    estate.line(b"no fact")
    estate.run()
    return estate


SHAPES = dict(re.findall(r"^\| `([a-z ]+)` \| (array|object) \|", README, re.MULTILINE))
TYPED = (
    "actions list",
    "adapters",
    "alerts list",
    "alerts retry --dry-run",
    "alerts show {alert}",
    "alerts withdraw --user Amber --dry-run",
    "capture {alert} {folder}/one.test.yaml",
    "check",
    "diff {rules}",
    "evidence {alert} --to {folder}/evidence.zip",
    "evidence verify {folder}/evidence.zip",
    "fmt --check {folder}/one.test.yaml",
    "init {folder}/starter",
    "inventory correct {hub} --unknown",
    "inventory import --hubs {starter}/hubs.csv",
    "inventory show {hub}",
    "lanes list",
    "lanes resume Amber",
    "ledger backup {folder}/copy.db",
    "ledger verify",
    "quarantine close 1 --reason trial",
    "quarantine list",
    "quarantine show 1",
    "rollout",
    "rollout 9001",
    "rules list",
    "run --until-idle",
    "simulate --hubs 10 --users 8 --activations 0 --out {folder}/made",
    "status",
    "why {hub}",
)
"""In this order: what one changes, another tells."""


def test_a_list_is_an_array_and_one_thing_an_object(estate: Estate) -> None:
    (alert,) = rows("alerts", "list", folder=estate.folder)
    places = {
        "alert": alert["id"],
        "hub": HUB,
        "folder": estate.folder,
        "rules": ROOT / "rules",
        "starter": ROOT / "router" / "workbench" / "starter" / "files",
    }
    for typed in TYPED:
        words = [word.format(**places) for word in typed.split()]
        done = call(*words, "-o", "json", folder=estate.folder)
        assert (done.exit_code in {0, 1}, bool(done.stdout)) == (True, True), (typed, done.stderr)
        name = next(
            each for each in (" ".join(words[:2]), words[0]) if each in SHAPES or each in EVERY
        )
        shape = dict if SHAPES[name] == "object" or typed == "rollout 9001" else list
        assert isinstance(json.loads(done.stdout), shape), typed


def test_what_is_a_list_or_a_number_stays_one(estate: Estate) -> None:
    folder = estate.folder
    home = row("inventory", "show", HUB, folder=folder)
    assert home["groups"] == ["north", "pilot"] or home["groups"] == ["pilot", "north"]
    assert {each["role"] for each in home["responsible"]} == {"import_supplier", "gas_supplier"}
    (alert,) = rows("alerts", "list", folder=folder)
    shown = row("alerts", "show", alert["id"], folder=folder)
    assert shown["event"]["data"]["firmware_version"] == "9001"
    assert sorted(shown["roles"]) == ["gas_supplier", "import_supplier"]
    assert (shown["service_user"], shown["sequence"]) == ("Amber Energy", 1)
    done = rows("actions", "list", "--action", "lanes pause", folder=folder)
    assert done[0]["record"]["channels"] == ["folder"]
    of_version = row("rollout", "9001", folder=folder)
    assert (of_version["alerts_due"], len(of_version["service_users"])) == (1, 1)
    windows = [each["default"] for each in rows("adapters") if each["option"] == "batch"]
    assert all(isinstance(each, int) for each in windows)
