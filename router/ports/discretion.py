"""What must not come out of what an adapter says: it quotes libraries, and other people's servers.

A receiver may repeat in its answer the address that we asked for, with all that is secret in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

from pydantic import BaseModel

from router.files.secrecy import HIDDEN, Redactor, private_parts

SHORTEST = 4
"""Characters of a secret; what is shorter stands in every other word."""


class Discretion:
    """Takes out of every text what the core knows to be secret, whose it may be."""

    def __init__(self, *known: object) -> None:
        self._secrets: dict[str, str] = {}
        self._hide = Redactor(())
        self.learn(*known)

    def learn(self, *known: object) -> None:
        """These too, from now on; what was secret before a reload still is."""
        found = {text: shown for each in known for text, shown in _private("", each, urls=False)}
        if not found.keys() <= self._secrets.keys():
            self._secrets |= found
            self._hide = Redactor(self._secrets.items())

    def __call__(self, text: str) -> str:
        """The text without them."""
        return self._hide(text)

    def beside(self, *known: object) -> Redactor:
        """The same, and what somebody with these options must not tell: see `redactor`."""
        return Redactor((pair for each in known for pair in _private("", each)), lambda: self._hide)


def redactor(*known: object) -> Redactor:
    """For texts of whoever knows these options: secrets, what may be one in a URL of theirs, and
    the names of key files, in whose place the name of the option is shown."""
    return Redactor(pair for each in known for pair in _private("", each))


def _private(name: str, value: object, *, urls: bool = True) -> Iterator[tuple[str, str]]:
    secret = getattr(value, "get_secret_value", None)
    if secret is not None:
        text = secret()
        text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
        for form in dict.fromkeys([text, re.sub("^(whsec|whsk)_", "", text)]):  # many leave it out
            if len(form) >= SHORTEST:
                yield form, HIDDEN
    elif isinstance(value, Path):
        if urls and name.endswith("_file"):
            yield str(value), name
    elif isinstance(value, str):
        if urls and value[:6].lower().startswith(("http:", "https:")):
            yield from ((part, HIDDEN) for part in private_parts(value))
    else:
        for inner_name, inner in _inside(name, value):
            yield from _private(inner_name, inner, urls=urls)


def _inside(name: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, BaseModel):
        yield from ((each, getattr(value, each)) for each in type(value).model_fields)
    elif is_dataclass(value):
        yield from ((each.name, getattr(value, each.name)) for each in fields(value))
    elif isinstance(value, dict):
        yield from ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((name, inner) for inner in value)
