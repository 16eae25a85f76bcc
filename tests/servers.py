"""The servers and tools that tests talk to, from Debian's packages.

What is not on PATH is unpacked under `.cache/debian/`: nothing is installed, no service is
started, and it needs no root. `make test` runs this file before the tests, so that a missing
server is one line at the start and not a failure in the middle; tests ask for a program by name.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache" / "debian"
# program -> the Debian package that has it
PACKAGES = {"promtool": "prometheus"}


class MissingServerError(Exception):
    """A program that the tests need is not here and could not be fetched."""


def program(name: str) -> Path:
    """Where the program is: on PATH, or unpacked by `make test`."""
    found = shutil.which(name) or shutil.which(name, path=str(CACHE / "usr/bin"))
    if found is None:
        raise MissingServerError(
            f"{name} is missing: run 'make test', or, as root: apt-get install {PACKAGES[name]}"
        )
    return Path(found)


def fetch(package: str) -> None:
    """Download a Debian package and unpack it under `.cache/debian/`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    tried = _apt_get("download", package)
    if tried.returncode != 0:  # the machine's package lists are empty or old: fetch our own
        own = [f"Dir::State::Lists={CACHE}/apt/lists", f"Dir::Cache={CACHE}/apt"]
        for folder in ("lists", "archives"):
            (CACHE / "apt" / folder / "partial").mkdir(parents=True, exist_ok=True)
        _apt_get("update", settings=own)
        tried = _apt_get("download", package, settings=own)
    if tried.returncode != 0:
        raise MissingServerError((tried.stderr.strip().splitlines() or ["no reason given"])[-1])
    for archive in CACHE.glob(f"{package}_*.deb"):
        unpacked = _run(["dpkg", "-x", str(archive), str(CACHE)])
        archive.unlink()
        if unpacked.returncode != 0:
            raise MissingServerError(unpacked.stderr.strip())


def _apt_get(*words: str, settings: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    # without its sandbox user, who may not write here
    options = [f"-o{setting}" for setting in ("APT::Sandbox::User=root", *settings)]
    return _run(["apt-get", "-qq", *options, *words])


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=CACHE, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def main() -> int:
    """Fetch what is missing; tell on one line what could not be had."""
    missing: list[str] = []
    for name, package in PACKAGES.items():
        try:
            program(name)
            continue
        except MissingServerError:
            print(f"Fetching {name} (Debian package {package}) into .cache/debian", flush=True)
        try:
            fetch(package)
            program(name)
        except (MissingServerError, OSError) as reason:
            missing.append(f"{name} (Debian package {package}: {reason})")
    if missing:
        packages = " ".join(PACKAGES[line.split()[0]] for line in missing)
        print(
            f"error: the tests need {', '.join(missing)}; as root: apt-get install {packages}",
            file=sys.stderr,
        )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
