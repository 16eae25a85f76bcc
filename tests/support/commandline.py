"""Hubherald's command line, called as an operator would, in this process or in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from router.cli import main

PROGRAM = [sys.executable, "-c", "from router.cli import main; main()"]


def call(*words: str | Path, folder: Path | None = None, given: str | bytes = b"") -> Result:
    """Run a command; `folder` is where hubherald.yaml is."""
    config = ["--config", str(folder / "hubherald.yaml")] if folder else []
    result = CliRunner().invoke(main, [*config, *map(str, words)], input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert "a bug of Hubherald" not in result.stderr, result.stderr
    return result


def rows(*words: str | Path, folder: Path | None = None) -> list[dict[str, Any]]:
    """What a command prints as JSON; it must be fine."""
    result = call(*words, "-o", "json", folder=folder)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, list)
    return found


def row(*words: str | Path, folder: Path | None = None) -> dict[str, Any]:
    """The one thing that a command tells of as JSON; it must be fine."""
    result = call(*words, "-o", "json", folder=folder)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@contextmanager
def start(
    *words: str | Path, folder: Path, stderr: int = subprocess.PIPE
) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, in `folder`; a test that fails does not wait for it."""
    with subprocess.Popen(
        [*PROGRAM, *map(str, words)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    ) as process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise
