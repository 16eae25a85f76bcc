"""Commands import what they use: a count of modules, where seconds would depend on the machine."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from router.cli import COMMANDS, main
from router.cli.schema import WHAT
from router.config.loading import load
from router.service.app import run
from router.workbench.schema import SCHEMAS
from router.workbench.starter import HUB, write

IMPORTED = re.compile(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", re.MULTILINE)
CLIENTS = {
    *("aiohttp", "aio_pika", "aiormq", "uvloop", "lxml", "signxml", "cryptography", "tenacity"),
    *("htpy", "prometheus_client", "structlog", "jinja2", "alembic"),
}
"""What sends, serves, signs, migrates and logs."""
RULES = {"durable", "durable_rules_engine"}
MODELS = {"pydantic", "pydantic_core"}
DATABASE = {"sqlalchemy", "sqlite3"}
HEAVY = CLIENTS | RULES | MODELS | DATABASE | {"asyncio", "rich", "ruamel", "orjson", "adapters"}


def imported(*args: str, cwd: Path, env: Mapping[str, str] | None = None) -> set[str]:
    """The packages that `hubherald` imports in a process of its own, by their first name."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "router.cli", *args],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {name.partition(".")[0] for name in IMPORTED.findall(done.stderr)}


def helps() -> Iterator[tuple[str, ...]]:
    """Every command and every command of a group."""
    context = click.Context(main)
    for name in COMMANDS:
        yield (name,)
        found = main.get_command(context, name)
        if isinstance(found, click.Group):
            yield from ((name, inner) for inner in found.list_commands(context))


@pytest.mark.parametrize("args", [(), *helps()], ids=" ".join)
def test_help_touches_no_model_no_database_and_no_engine(
    args: tuple[str, ...], tmp_path: Path
) -> None:
    assert not imported(*args, "--help", cwd=tmp_path) & HEAVY


def test_the_version_touches_none_either(tmp_path: Path) -> None:
    assert not imported("--version", cwd=tmp_path) & HEAVY


@pytest.mark.parametrize("words", ["hubherald ", "hubherald alerts ", "hubherald alerts list --"])
def test_nor_does_completion(words: str, tmp_path: Path) -> None:
    asked = {
        "_HUBHERALD_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    assert not imported(cwd=tmp_path, env=asked) & HEAVY


@pytest.fixture
def routed(tmp_path: Path) -> Path:
    """A starter whose router has run, with RabbitMQ beside its folder of facts."""
    write(tmp_path)
    file, homes = tmp_path / "hubherald.yaml", ("hubs", "registrations")
    given = [word for name in homes for word in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    main(["--config", str(file), "inventory", "import", *given], standalone_mode=False)
    run(load(file), until_idle=True)
    broker = 'sources:\n  dsp: {adapter: rabbitmq, url: "amqp://localhost/"}\n'
    file.write_text(file.read_text().replace("sources:\n", broker))
    return tmp_path


def test_lists_wait_for_no_client_no_rules_and_no_models(routed: Path) -> None:
    for args in (("quarantine", "list"), ("rollout",)):
        assert not imported(*args, cwd=routed) & (CLIENTS | RULES | MODELS | {"adapters"}), args


def test_the_list_of_lanes_asks_the_driver_alone(routed: Path) -> None:
    assert imported("lanes", "list", cwd=routed) & HEAVY == {"sqlite3", "ruamel", "rich"}


def test_nor_does_what_tells_of_alerts_and_hubs_wait_for_clients_and_rules(routed: Path) -> None:
    why, home = ("why", "--hub", HUB), ("inventory", "show", HUB)
    for args in (("alerts", "list"), why, home):
        assert not imported(*args, cwd=routed) & (CLIENTS | RULES | {"adapters"}), args


def test_a_check_imports_no_database_no_client_and_leaves_the_engine_to_its_child(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    assert imported("check", cwd=tmp_path) & HEAVY == {*MODELS, "ruamel", "orjson", "adapters"}


def test_a_check_beside_a_ledger_asks_the_driver_alone(routed: Path) -> None:
    file = routed / "hubherald.yaml"  # what serves RabbitMQ imports what it sends with
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "rabbitmq" not in line))
    found = imported("check", cwd=routed)
    assert found & HEAVY == {*MODELS, "ruamel", "orjson", "adapters", "sqlite3"}


def test_help_names_the_schemas_that_there_are() -> None:
    assert tuple(SCHEMAS) == WHAT
