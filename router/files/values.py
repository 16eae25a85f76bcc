"""What files of settings have in common: ${NAME}, secrets in files, options of adapters.

A file may leave out what belongs to the machine or to nobody's eyes: any text may name variables
of the environment, and each option `x` that is a Secret may be given as `x_file`. Both happen
here, before a model looks at the values, and so work for every adapter alike.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from router.files.codes import Code
from router.files.document import Document, Place
from router.files.messages import mistyped
from router.files.model_keys import FILE, kinds_at, known_models, number_or_boolean
from router.files.secrecy import plain_variable
from router.files.secretfiles import Ask, SecretFiles, at_once
from router.files.suggestions import closest

_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Model = TypeVar("Model", bound=BaseModel)


def expand(document: Document, environment: Mapping[str, str]) -> None:
    """Put the environment's values for `${NAME}` in every text; `$${` stands for `${`."""
    document.value = _expanded(document, (), document.value, environment)


def _expanded(document: Document, place: Place, value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: _expanded(document, (*place, key), inner, environment)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _expanded(document, (*place, number), inner, environment)
            for number, inner in enumerate(value)
        ]
    if not isinstance(value, str) or "${" not in value:
        return value

    def fill(found: re.Match[str]) -> str:
        name, end = found[1], found[2]
        if name is None:
            return "${"
        if not end or not _NAME.fullmatch(name):
            message = "must be ${NAME}; write $${ for a plain ${"
            document.add(document.at(*place), message, Code.VARIABLE)
        elif name not in environment:
            is_name = document.cover is None or plain_variable(name)
            named = f"${{{name}}}" if is_name else "the variable that is named here"
            message = f"{named} is not set in the environment"
            document.add(document.at(*place), message, Code.VARIABLE)
        document.filled.add(place)
        return environment.get(name, "") if _NAME.fullmatch(name) else ""

    return _VARIABLE.sub(fill, value)


def read_model(
    document: Document,
    model: type[Model],
    value: Any,
    *within: str | int,
    also: frozenset[str] = frozenset(),
    unfit: dict[Place, str] | None = None,
    ask: Ask = at_once,
) -> Model | None:
    """The model of `value`, which stands at `within`; None when problems were added.

    `also` are keys that are right there but belong to another model. What is wrong with files of
    secrets is a problem, too; or, where there is an `unfit`, it is put there by the place of the
    secret, and then there is no model either. `ask` is who looks at them.
    """
    before = len(document.problems)
    _reveal(document, [model], value, within)
    files = SecretFiles(document, ask)
    value = files.fill(model, value, within)
    _find_mistyped(document, model, value, within)
    found: Model | None = None
    try:
        found = model.model_validate(value, context={"folder": document.file.absolute().parent})
    except ValidationError as error:
        if unfit is not None:
            files.blame(error, within)
        document.add_invalid(error, model, *within, also=also, told=files.unfit)
    if unfit is not None:
        unfit |= files.unfit
    else:
        for place, why in files.unfit.items():
            document.add(document.at(*place), why, Code.KEY_FILE)
    return found if len(document.problems) == before and not files.unfit else None


def _reveal(document: Document, kinds: Sequence[Any], value: Any, place: Place) -> None:
    """Let be seen what these kinds of values know, but for secrets and the names of files.

    Each value is looked at once: a file has as many as a megabyte holds.
    """
    if isinstance(value, dict):
        for key, inner in value.items():
            below = kinds_at(kinds, key)
            if below:
                document.reveal_key(*place, key)
                _reveal(document, below, inner, (*place, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            _reveal(document, kinds_at(kinds, number), inner, (*place, number))
    elif kinds and not any(kind in {Any, FILE} or _is_secret(kind) for kind in kinds):
        document.reveal(*place)


def _is_secret(kind: Any) -> bool:
    return hasattr(kind, "get_secret_value")


def _find_mistyped(document: Document, model: type[BaseModel], value: Any, within: Place) -> None:
    """Find `true` where a number must stand, 1 for `true`, and either in quotes.

    Pydantic would take all of these. Text means one only where `${NAME}` gives it.
    """
    for name, inner in value.items() if isinstance(value, dict) else ():
        place, what = (*within, name), number_or_boolean(model, name)
        if isinstance(inner, str) and place in document.filled:
            continue
        scalar = isinstance(inner, str | bool | int | float)
        if (
            what
            and scalar
            and (isinstance(inner, str) or isinstance(inner, bool) != (what is bool))
        ):
            said = mistyped(what, inner, document.written.get(place))
            document.add(document.at(*place), f"{name}: {said}", Code.WRONG_TYPE)
        for below in known_models(model, name):
            _find_mistyped(document, below, inner, place)


def has_adapter(document: Document, value: Mapping[str, Any], *within: str | int) -> bool:
    """Whether `value` has the key that says whose options it holds; if not, that is told."""
    if "adapter" in value:
        return True
    typo = closest("adapter", value)
    if typo:
        document.add_unknown_key((*within, typo), ("adapter",))
    else:
        document.add(document.at(*within), "'adapter' is needed here", Code.MISSING_KEY)
    return False
