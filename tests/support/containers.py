"""What compose.yaml and the Dockerfile say, done without a container engine.

Every mount of the containers is a folder below one root, and each text in it that names a place of
a container names that folder; everything else is as the containers have it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from support.estate import ROOT

Instruction = tuple[str, str]


def yaml(file: Path) -> Any:
    """What the file holds."""
    return YAML(typ="safe", pure=True).load(file.read_text())


def compose() -> dict[str, Any]:
    """compose.yaml, with what its services share put into each."""
    found = yaml(ROOT / "compose.yaml")
    assert isinstance(found, dict)
    return found


def stages() -> list[list[Instruction]]:
    """The Dockerfile's instructions, stage by stage: (name, the rest)."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    found: list[list[Instruction]] = []
    for line in filter(None, lines):
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest.strip()))
    return found


def last(name: str) -> str:
    """What the image's stage says with this instruction, which it has once."""
    (found,) = [rest for each, rest in stages()[-1] if each == name]
    return found


def image_environment() -> dict[str, str]:
    """What the image sets."""
    return dict(word.split("=", 1) for word in shlex.split(last("ENV")) if "=" in word)


class Containers:
    """The services of compose.yaml, laid out below `root`."""

    def __init__(self, root: Path, services: Sequence[str], other: Mapping[str, str]) -> None:
        """`other` is text of files and commands that reads differently here: hosts and ports."""
        self.root = root
        self.other = other
        self.services = compose()["services"]
        mounts = [each for name in services for each in self.services[name]["volumes"]]
        self._sources = {target: source for source, target in map(_mount, mounts)}
        places = ["/opt/hubherald", "/wheels", "/build", *self._sources]
        self._place = re.compile(
            rf"(?:(?<=sqlite:///)|(?<![\w./-]))({'|'.join(sorted(places, reverse=True))})(?![\w.-])"
        )
        (root / "build").parent.mkdir(parents=True, exist_ok=True)
        (root / "build").symlink_to(sys.prefix)  # the locked build tools are in our environment
        for target, source in self._sources.items():
            self._lay(root / target.removeprefix("/"), source)

    def _lay(self, here: Path, source: str) -> None:
        """A mount: a volume is an empty folder, the rest is copied and speaks of this machine."""
        here.parent.mkdir(parents=True, exist_ok=True)
        if not source.startswith("./"):
            here.mkdir()
            return
        mounted = ROOT / source
        if mounted.is_dir():
            shutil.copytree(mounted, here)
        else:
            shutil.copy(mounted, here)
        for file in here.rglob("*") if here.is_dir() else [here]:
            if file.is_file():
                file.write_text(self.here(file.read_text()))

    def here(self, text: str) -> str:
        """The text, with the places of containers as they are here."""
        text = self._place.sub(lambda found: f"{self.root}{found[1]}", text)
        for there, other in self.other.items():
            text = text.replace(there, other)
        return text

    def path(self, place: str) -> Path:
        """A container's path, here."""
        return Path(self.here(place))

    def build(self) -> None:
        """What the Dockerfile does from the first copy of our own files on, and no download.

        The locked packages are those of our own environment; `.ci/try-wheel` installs them anew.
        """
        source = self.root / "src"
        source.mkdir()
        for name, rest in stages()[0]:
            if name == "COPY":
                *files, target = rest.split()
                for file in files:
                    _copy(
                        ROOT / file, source / target / (Path(file).name if target == "./" else "")
                    )
            elif name == "RUN" and not re.search(r"apt-get|requirements", rest):
                self._shell(rest, source)
        (site,) = self.path("/opt/hubherald").glob("lib/python*/site-packages")
        (site / "locked.pth").write_text(sysconfig.get_path("purelib"))

    def _shell(self, line: str, folder: Path) -> None:
        done = subprocess.run(
            ["sh", "-c", self.here(line)],
            cwd=folder,
            env={
                "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """A command in Hubherald's image, as `docker compose exec` would."""
        return subprocess.run(
            self._words(words), capture_output=True, text=True, check=False, **self._inside()
        )

    @contextmanager
    def started(self, words: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
        """A command that goes on, until the end of the block at the latest."""
        with (
            log.open("wb") as said,
            subprocess.Popen(self._words(words), stdout=said, stderr=said, **self._inside()) as own,
        ):
            try:
                yield own
            finally:
                own.kill()

    def _words(self, words: Sequence[str]) -> list[str]:
        return [self.here(str(word)) for word in words]

    def _inside(self) -> dict[str, Any]:
        path = f"{self.path('/opt/hubherald')}/bin:{os.environ['PATH']}"
        environment = {name: self.here(value) for name, value in image_environment().items()}
        return {"cwd": self.path(last("WORKDIR")), "env": {**environment, "PATH": path}}


def _mount(line: str) -> tuple[str, str]:
    source, target, *_ = line.split(":")
    return source, target


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
