"""What a pydantic model knows of its keys: which are right at a place, which hold a secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr


def known_keys(model: type[BaseModel], path: Iterable[str | int] = ()) -> set[str]:
    """The keys that are right at `path` below `model`, those that name a secret's file too."""
    return {key for found in _models_at(model, path) for key in _keys(found)}


def secret_keys(model: type[BaseModel]) -> set[str]:
    """The fields of `model` that hold a secret."""
    return {
        field.alias or name
        for name, field in model.model_fields.items()
        if any(kind is SecretStr for kind in _kinds(field.annotation))
    }


def secret_maps(model: type[BaseModel]) -> set[str]:
    """The fields of `model` that hold secrets by names of the operator's own."""
    return {
        field.alias or name
        for name, field in model.model_fields.items()
        if any(SecretStr in _below(kind, "") for kind in _kinds(field.annotation) if get_args(kind))
    }


def number_or_boolean(model: type[BaseModel], key: str) -> type | None:
    """`int`, `float` or `bool` where the value of a key must be one; None where it may be text."""
    field = model.model_fields.get(key)
    kinds = set(_kinds(field.annotation)) - {type(None)} if field else set()
    return next(iter(kinds)) if len(kinds) == 1 and kinds <= {int, float, bool} else None


def known_models(model: type[BaseModel], key: str) -> list[type[BaseModel]]:
    """The models that may stand at `key` of `model`."""
    return _models_at(model, (key,))


FILE = "file"
"""The kind of a value that names a file of keys or secrets."""


def kinds_at(kinds: Iterable[Any], part: str | int) -> list[Any]:
    """The kinds of value that may stand at a key or index of such; none where nothing is known."""
    found = [inner for kind in kinds for inner in _below(kind, part)]
    if not isinstance(part, str) or not part.endswith("_file"):
        return found
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return [FILE] if found or any(part in _keys(model) for model in models) else []


def _keys(model: type[BaseModel]) -> set[str]:
    plain = {field.alias or name for name, field in model.model_fields.items()}
    return plain | {f"{name}_file" for name in secret_keys(model)}


def _models_at(model: type[BaseModel], path: Iterable[str | int]) -> list[type[BaseModel]]:
    kinds: list[Any] = [model]
    for part in path:
        kinds = [inner for kind in kinds for inner in _below(kind, part)]
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _below(kind: Any, part: str | int) -> Iterator[Any]:
    """What may stand at key or index `part` of a value of this kind."""
    inner = get_args(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part == (field.alias or name):
                yield from _kinds(field.annotation)
    elif isinstance(part, int) and inner:
        yield from _kinds(inner[0])
    elif isinstance(part, str) and len(inner) == 2 and _is_mapping(get_origin(kind)):
        yield from _kinds(inner[1])


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _kinds(annotation: Any) -> Iterator[Any]:
    """The alternatives of a union, each without its Annotated."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _kinds(get_args(annotation)[0])
    elif origin in {Union, UnionType}:
        for each in get_args(annotation):
            yield from _kinds(each)
    else:
        yield annotation
