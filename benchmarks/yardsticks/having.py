"""What the yardsticks need and Hubherald does not: fetched where that can be, else why not."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support import servers

CACHE = Path(__file__).parents[2] / ".cache"
PLACE, BELOW = "/usr/share/prometheus/alertmanager", "./usr/shar/prometheus/alertmanager"
"""Of one length."""
FASTSTREAM = "faststream[rabbit]==0.7.8"
SHARED = ("aio-pika", "aiohttp", "uvloop")
"""What both use, in the same version."""


class CannotHaveError(Exception):
    """Why a yardstick is missing, in a few words."""


def rabbitmq() -> None:
    """The broker's program, which nothing is measured without."""
    try:
        servers.program("rabbitmq-server")
    except servers.MissingServerError:
        servers.fetch(servers.PACKAGES["rabbitmq-server"])


def faststream(*, fetch: bool) -> Path:
    """The Python of an environment with FastStream."""
    python = CACHE / "faststream" / "bin" / "python"
    if python.exists() and _run(python, "-c", "import faststream.rabbit, aiohttp, uvloop") == "":
        return python
    if not fetch:
        raise CannotHaveError("not installed")
    same = [f"{name}=={version(name)}" for name in SHARED]
    quiet = ("-qq", "--disable-pip-version-check", "--no-input")
    reason = _run(sys.executable, "-m", "venv", CACHE / "faststream")
    reason = reason or _run(python, "-m", "pip", "install", *quiet, FASTSTREAM, *same)
    if reason:
        raise CannotHaveError(f"could not be installed: {reason}")
    return python


def alertmanager(*, fetch: bool) -> Path:
    """The program: on PATH, or Debian's package unpacked under `.cache`."""
    for name in ("prometheus-alertmanager", "alertmanager"):
        if found := shutil.which(name):
            return Path(found)
    moved = CACHE / "alertmanager" / "alertmanager"
    if not moved.exists():
        if not fetch:
            raise CannotHaveError("not installed")
        try:
            servers.fetch(["prometheus-alertmanager"])
        except (servers.MissingServerError, OSError) as reason:
            raise CannotHaveError(f"could not be fetched: {reason}") from reason
        _move(moved)
    return moved


def _move(moved: Path) -> None:
    """Debian's program knows one place for its templates only: it gets one below its folder."""
    moved.parent.mkdir(exist_ok=True)
    templates = moved.parent / BELOW
    templates.parent.mkdir(parents=True, exist_ok=True)
    templates.unlink(missing_ok=True)
    templates.symlink_to(CACHE / "debian" / PLACE.lstrip("/"))
    binary = (CACHE / "debian/usr/bin/prometheus-alertmanager").read_bytes()
    moved.write_bytes(binary.replace(PLACE.encode(), BELOW.encode()))
    moved.chmod(0o755)


def _run(*words: str | Path) -> str:
    """Why it failed, in a line; nothing when it did not."""
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"{words[0]} ended with {done.returncode}"])[-1]
