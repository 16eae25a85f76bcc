"""Whose router is asked to reload: where ours is meant to listen, another one may.

Who asks says which configuration and ledger are meant, in headers; the answer says in one which
configuration it is from. Who says neither, such as curl, is answered by whoever listens.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

CONFIG, LEDGER = "Hubherald-Config", "Hubherald-Ledger"
"""Headers: absolute paths, as in a URL."""


@dataclass(frozen=True, slots=True)
class Whose:
    """The configuration of a router, and its ledger."""

    config: Path
    ledger: Path

    @classmethod
    def of(cls, config: Path, ledger_url: str) -> Whose:
        """From the file as it was named, and sqlite:///FILE."""
        return cls(config.absolute(), Path(ledger_url.removeprefix("sqlite:///")).absolute())

    def headers(self) -> dict[str, str]:
        """What says so in a request or an answer."""
        return {CONFIG: quote(str(self.config)), LEDGER: quote(str(self.ledger))}

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why who asks with these headers means another router; None where this one is meant."""
        theirs = [Path(unquote(headers.get(name, ""))) for name in (CONFIG, LEDGER)]
        ours = [self.config, self.ledger]
        if all(
            name not in headers or _same(*pair)
            for name, pair in zip((CONFIG, LEDGER), zip(ours, theirs, strict=True), strict=True)
        ):
            return None
        return (
            f"this is the router of {self.config} with the ledger {self.ledger}, not that of "
            f"{theirs[0]} with {theirs[1]}: name its configuration, or give each router a port of "
            f"its own (operations.listen)"
        )


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.realpath(one) == os.path.realpath(other) or one.samefile(other)
    except (OSError, ValueError):  # a header holds anything
        return False
