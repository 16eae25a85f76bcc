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
from router.workbench.schema import SCHEMAS

IMPORTED = re.compile(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", re.MULTILINE)
HEAVY = {
    *("pydantic", "pydantic_core", "sqlalchemy", "alembic", "sqlite3", "durable", "lark"),
    *("aiohttp", "aio_pika", "aiormq", "asyncio", "jinja2", "lxml", "cryptography", "htpy"),
    *("prometheus_client", "structlog", "rich", "ruamel", "orjson", "uvloop", "adapters"),
}


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


def test_help_names_the_schemas_that_there_are() -> None:
    assert tuple(SCHEMAS) == WHAT
