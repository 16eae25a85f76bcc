"""Secrets that stand in files of their own: for an option `x` that is a Secret, `x_file` names one.

What is wrong with such a file is kept apart from mistakes in what names it: it may concern one
channel alone, and is mended elsewhere, by somebody else.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from router.files.codes import Code
from router.files.document import Document, Place
from router.files.keyfiles import exposure, require_private, unreadable, world_readable
from router.files.messages import reason
from router.files.model_keys import known_models, secret_keys, secret_maps
from router.files.plainfile import open_plain
from router.files.problems import Problem
from router.files.secrecy import Redactor

LARGEST_SECRET = 65_536
"""Bytes; certificates with their chains have a tenth of it."""
T = TypeVar("T")


class Ask(Protocol):
    """Has a function look at files in a folder. TimeoutError when they do not answer."""

    def __call__(self, beside: Hashable, function: Callable[[], T], /) -> T:
        """What the function gives."""
        ...


def at_once(_beside: Hashable, function: Callable[[], T], /) -> T:
    """An Ask that waits for as long as it takes."""
    return function()


class SecretFiles:
    """Those that one value of a document names."""

    def __init__(self, document: Document, ask: Ask = at_once) -> None:
        self.document = document
        self._ask = ask
        self.unfit: dict[Place, str] = {}
        """By the place of the secret: why its file gives none, for people."""
        self._filled: dict[Place, str] = {}
        """By the place of the secret: the key that names its file."""

    def fill(self, model: type[BaseModel], value: Any, within: Place) -> Any:
        """The value with what its `..._file` keys name."""
        if not isinstance(value, dict):
            return value
        value = dict(value)
        for name in secret_keys(model):
            key = f"{name}_file"
            if value.get(name) and (*within, name) not in self.document.filled:
                self.document.secrets.append((*within, name))
            if key in value and key not in model.model_fields:
                self._fill_one(value, name, key, within)
        for name in secret_maps(model) & value.keys():
            value[name] = self._fill_map(value[name], (*within, name))
        for name, inner in value.items():
            for below in known_models(model, name):
                value[name] = self.fill(below, inner, (*within, name))
        return value

    def _fill_map(self, value: Any, within: Place) -> Any:
        """The same for secrets that have names of the operator's own: `X-Key_file` too."""
        if not isinstance(value, dict):
            return value
        value = dict(value)
        for key in list(value):
            if str(key).endswith("_file"):
                self._fill_one(value, key.removesuffix("_file"), key, within)
            elif value[key] and (*within, key) not in self.document.filled:
                self.document.secrets.append((*within, key))
        return value

    def _fill_one(self, value: dict[str, Any], name: str, key: str, within: Place) -> None:
        document, place = self.document, (*within, name)
        path = value.pop(key)
        if name in value:
            message = f"give {name!r} or {key!r}, not both"
            document.add(document.key(*within, key), message, Code.CONFLICT)
            return
        where = document.values[place] = document.at(*within, key)
        if not isinstance(path, str) or not path:
            value[name] = None
            document.add(where, f"{key}: must be the path of a file", Code.KEY_FILE)
            return
        file = document.file.absolute().parent / path
        named = Redactor([(str(file), key)])
        try:
            value[name], doubt = self._ask(file.parent, lambda: (read_secret(file), exposure(file)))
        except (ValueError, TimeoutError) as error:
            value[name] = None
            silent = f"{file} does not answer; is what it is mounted from away?"
            self.unfit[place] = named(f"{key}: {str(error) or silent}")
            return
        self._filled[place] = key
        if doubt:
            warning = Problem(where, named(f"{key}: {doubt}"), Code.KEY_FILE)
            document.papers.add(warning, warning=True)

    def blame(self, error: ValidationError, within: Place) -> None:
        """What was found wrong with what came from a file is wrong with the file."""
        for item in error.errors(include_url=False):
            at = (*within, *item["loc"])
            for place, key in self._filled.items():
                if at[: len(place)] == place:
                    self.unfit[place] = f"{key}: FILE {reason(item, None)}"


def find_exposed(document: Document) -> None:
    """Put into its papers that everybody may read the secrets that stand in the file itself."""
    mode = world_readable(document.file) if document.secrets else None
    if mode is None:
        return
    place = document.secrets[0]
    more = len(document.secrets) - 1
    what = f"{place[-1]}: this secret" + (f" and {more} more" if more else "")
    message = (
        f"{what} can be read by everybody on this machine ({mode}); run: chmod o= "
        f"{document.file}, or keep it in a file of its own: {place[-1]}_file"
    )
    document.papers.add(Problem(document.at(*place), message, Code.KEY_FILE), warning=False)


def read_secret(file: Path) -> str:
    """The text of a file that nobody else can read; ValueError says why there is none."""
    require_private(file)
    try:
        with open_plain(file) as opened:
            content = opened.read(LARGEST_SECRET + 1)
        text = content.decode("utf-8-sig").strip()
    except OSError as error:
        raise ValueError(unreadable(file, error)) from None
    except UnicodeDecodeError:
        utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        kind = "is UTF-16, as Windows PowerShell writes it; save it as UTF-8" if utf_16 else ""
        raise ValueError(f"{file} {kind or 'is not text in UTF-8'}") from None
    if not text or len(content) > LARGEST_SECRET:
        raise ValueError(f"{file} is {'too large' if text else 'empty'}")
    return text
