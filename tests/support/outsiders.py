"""Adapters and sources of other people, installed as pip would: a distribution each."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

from router.entrypoints import ADAPTERS

HEAD = """\
import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any
from pydantic import field_validator
from router.ports import *
from router.ports import ChannelFault, Closed, Delivered, Reason, Refused, Retry

class Takes(Adapter):
    Config = Options

    def __init__(self, config):
        self.config = config

    async def deliver(self, deliveries):
        return [Delivered("taken")] * len(deliveries)
"""
"""What each begins with; `Takes` is an adapter that takes everything."""


def install(folder: Path, kind: str, code: str, group: str = ADAPTERS, head: str = HEAD) -> Path:
    """A distribution `others-KIND` 1.2 with one module, whose class is `Mine`; gives its file."""
    module = f"others_{kind}"
    about = folder / f"{module}-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: others-{kind}\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(f"[{group}]\n{kind} = {module}:Mine\n")
    file = folder / f"{module}.py"
    file.write_text(head + "\n" + dedent(code))
    return file


def environment(folder: Path) -> dict[str, str]:
    """In which what is installed there is found."""
    return {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "80"}


def wait(router: subprocess.Popen[bytes], done: Callable[[], object]) -> None:
    """The limit is there to fail, not to measure."""
    limit = time.monotonic() + 120
    while not done():
        assert router.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.1)
