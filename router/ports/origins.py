"""Where somebody else's adapter or source comes from, and what it did wrong, for operators.

What stops a lane at three in the morning must say whose it is: the adapter, the distribution that
pip knows, the file, and what to do.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING

from router.entrypoints import SOURCES
from router.errors import RouterError
from router.files.redaction import in_one_line

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

AUTHORS = "its author must mend it; install a version that works, then restart the router"
LONGEST = 2_000
"""Characters of an error that are read at all."""


class AdapterError(RouterError):
    """An adapter or a source does not keep the contract; the message is one line."""


@dataclass(frozen=True, slots=True)
class Origin:
    """An adapter or source, and who brought it."""

    kind: str
    role: str = "adapter"
    distribution: str = ""
    """Name and version, as pip lists them."""
    module: str = ""

    def __str__(self) -> str:
        file = _file(self.module)
        of = f" of {self.distribution}" if self.distribution else ""
        return f"{self.role} {self.kind!r}{of}{f' ({file})' if file else ''}"

    def blamed(self, what: str, error: BaseException | None = None, advice: str = AUTHORS) -> str:
        """In one line: whose it is, what it did, where in its own code, and what to do."""
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]  # a TaskGroup's own words say nothing
        where = _line(self.module, error) if error is not None else ""
        at = f" at {where}" if where else ""
        why = f": {words(error)}" if error is not None else ""
        return f"{self} {what}{at}{why}; {advice}"


def origin_of(point: EntryPoint) -> Origin:
    """Whose it is; nothing of it is imported."""
    role = "source" if point.group == SOURCES else "adapter"
    dist = point.dist
    distribution = f"{dist.name} {dist.version}" if dist is not None else ""
    return Origin(point.name, role, distribution, point.module)


def words(error: BaseException) -> str:
    """An error in one line; it is somebody else's, and may fail at being told."""
    kind = type(error).__name__
    try:
        said = str(error)[:LONGEST]
    except BaseException:
        return kind
    return in_one_line(f"{kind}: {said}" if said else kind)


def described_kind(value: object) -> str:
    """What a value is, never what it holds."""
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _file(module: str) -> str:
    """The module's file, found without importing anything; empty where there is none."""
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if isinstance(loaded, str):
        return loaded
    top, _, below = module.partition(".")
    try:
        spec = find_spec(top) if top else None
    except (ImportError, ValueError, AttributeError):
        return ""
    if spec is None:
        return ""
    for folder in spec.submodule_search_locations or ():
        path = Path(folder, *below.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if below and file.is_file():
                return str(file)
    return spec.origin or ""


def _line(module: str, error: BaseException) -> str:
    """`file:line` where its own code raised; empty where none of it did."""
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return f"{error.filename}:{error.lineno}"
    file = Path(_file(module) or "/")
    own = file.parent if file.name == "__init__.py" else file
    found = ""
    for frame, line in walk_tb(error.__traceback__):
        at = Path(frame.f_code.co_filename)
        if at == own or (own in at.parents and own != Path("/")):
            found = f"{at}:{line}"
    return found
