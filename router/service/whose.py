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

from router.config.ledgerurl import ledger_file

CONFIG, LEDGER = "Hubherald-Config", "Hubherald-Ledger"
"""Headers: absolute paths, as in a URL."""


@dataclass(frozen=True, slots=True)
class Whose:
    """The configuration of a router, and its ledger."""

    config: Path
    ledger: str

    @classmethod
    def of(cls, config: Path, ledger_url: str) -> Whose:
        """From the file as it was named, and what names the ledger."""
        file = ledger_file(ledger_url)
        return cls(config.absolute(), ledger_url if file is None else str(file.absolute()))

    def headers(self) -> dict[str, str]:
        """What says so in a request or an answer."""
        return {CONFIG: quote(str(self.config)), LEDGER: quote(self.ledger)}

    def refusal(self, headers: Mapping[str, str]) -> str | None:
        """Why who asks with these headers means another router; None where this one is meant."""
        theirs = [unquote(headers.get(name, "")) for name in (CONFIG, LEDGER)]
        ours = [str(self.config), self.ledger]
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


def _same(one: str, other: str) -> bool:
    try:
        return os.path.realpath(one) == os.path.realpath(other) or Path(one).samefile(other)
    except (OSError, ValueError):  # a header holds anything
        return False
