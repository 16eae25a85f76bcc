"""Sources, adapters and verifiers are found by their entry point.

So nothing is imported that no file names, and what others install is found like our own.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

SOURCES = "hubherald.sources"
ADAPTERS = "hubherald.adapters"
VERIFIERS = "hubherald.verifiers"
"""Of signed formats, by the adapter that signs: a `Verify`."""
Verify = Callable[[bytes, bytes], str]
"""Of a message and a PEM certificate: what is signed and by whom. SignatureError when it is not."""


def installed(group: str) -> dict[str, EntryPoint]:
    """The sources or adapters that are installed, by kind."""
    return {point.name: point for point in entry_points(group=group)}
