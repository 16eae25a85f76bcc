"""The starter that `hubherald init` writes: small files that work, to be edited line by line.

The rules in it are the shipped ones, with their tests and their guide: what an operator edits first
is what the router would have done anyway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from router.errors import UsageError

HUB = "90-B3-D5-1F-30-02-00-01"
"""A hub of the starter whose activation is told to three Service Users."""

STATE_MODE = 0o750
"""As systemd makes a StateDirectory= whose unit has UMask=0027."""
_NOT_IN_STATE = ("?", "%", "#", "${")
"""What means something else in a URL, or in a file of settings."""
_FILES = Path(__file__).parent / "files"
_CONFIG = Path("hubherald.yaml")
_USERS = Path("service_users.yaml")
_RABBITMQ = Path(__file__).parent / "rabbitmq_source.yaml"
_HOME = Path(__file__).parents[2]


def shipped_rules() -> Path:
    """The folder of the shipped rules: in the package, or in the checkout that this runs from."""
    packed = _HOME / "shipped" / "rules"
    return packed if packed.is_dir() else _HOME.parent / "rules"


def files(rabbitmq: str | None = None, state: Path | None = None) -> dict[Path, bytes]:
    """What the starter consists of, by the path in its folder; see `write`."""
    rules = shipped_rules()
    found = {file.relative_to(_FILES): file for file in _FILES.rglob("*") if file.is_file()}
    for kind in ("*.yaml", "README.md"):
        found |= {Path("rules") / file.relative_to(rules): file for file in rules.rglob(kind)}
    contents = {path: found[path].read_bytes() for path in sorted(found)}
    if rabbitmq is not None:
        contents[_CONFIG] = _from_rabbitmq(contents[_CONFIG].decode(), rabbitmq).encode()
    if state is not None:
        for path in (_CONFIG, _USERS):
            contents[path] = _writing_below(contents[path].decode(), state).encode()
    return contents


def _from_rabbitmq(config: str, url: str) -> str:
    """The configuration with a queue for its source, instead of a folder."""
    before, _, rest = config.partition("sources:\n")
    after = rest[rest.index("rules:") :]
    source = _RABBITMQ.read_text(encoding="utf-8").replace("${URL}", json.dumps(url))
    return before + source + after


def _writing_below(text: str, state: Path) -> str:
    """The ledger, and folders of Alerts, elsewhere than beside the configuration."""

    def absolute(found: re.Match[str]) -> str:
        return found[1] + json.dumps(found[2] + str(state / found[3]))

    written = r"^( +(?:url|path): )(sqlite:///|)(hubherald\.db|alerts/\S+)$"
    return re.sub(written, absolute, text, flags=re.MULTILINE)


def fit_for_state(state: Path) -> None:
    """ValueError for a path that can't stand in the URL of a ledger or in hubherald.yaml."""
    if found := [each for each in _NOT_IN_STATE if each in str(state)]:
        raise ValueError(f"{str(state)!r} must not hold {' or '.join(found)}: choose another path")
    if not str(state).isprintable():
        raise ValueError(f"{str(state)!r} must not hold control characters: choose another path")


def write(folder: Path, rabbitmq: str | None = None, state: Path | None = None) -> list[Path]:
    """Write the starter into `folder`, made when it is missing; the files that were written.

    With `rabbitmq`, the URL of a broker, facts come from a queue there and not from a folder. With
    `state`, an absolute path that `fit_for_state` takes, the router writes below that, and nothing
    into `folder`; it is made when it is missing.
    UsageError when any of them is there already (nothing is written then), or can't be written.
    """
    wanted = {folder / path: content for path, content in files(rabbitmq, state).items()}
    try:
        there = [str(path) for path in sorted(_in_the_way(wanted))]
        if there:
            verb = "is" if len(there) == 1 else "are"
            raise UsageError(
                f"{', '.join(there)} {verb} there already; nothing was written:"
                " choose another folder, or move them away"
            )
        if state is not None and not state.exists():
            state.mkdir(parents=True)
            state.chmod(STATE_MODE)
        for file, content in wanted.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("xb") as out:
                out.write(content)
    except OSError as error:
        raise UsageError(f"{error.filename or folder}: {error.strerror}") from None
    return list(wanted)


def _in_the_way(wanted: Iterable[Path]) -> set[Path]:
    """What is there under a wanted name, and what is a file where a folder must be."""
    found: set[Path] = set()
    for file in wanted:
        found |= {parent for parent in file.parents if parent.exists() and not parent.is_dir()}
        if file.exists() or file.is_symlink():
            found.add(file)
    return found
