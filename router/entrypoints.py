"""Sources, adapters and verifiers are found by their entry point.

So nothing is imported that no file names, and what others install is found like our own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

SOURCES = "hubherald.sources"
ADAPTERS = "hubherald.adapters"
VERIFIERS = "hubherald.verifiers"
"""Of signed formats, by the adapter that signs: a `Verify`."""
Verify = Callable[[bytes, bytes], str]
"""Of a message and a PEM certificate: what is signed and by whom. SignatureError when it is not."""


def installed(group: str) -> dict[str, EntryPoint]:
    """The sources or adapters that are installed, by kind."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - most commands look for none

    return {point.name: point for point in entry_points(group=group)}
