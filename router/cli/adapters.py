"""`hubherald adapters`: what is installed, and which options it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from router.cli.printing import as_json, line, output, shown
from router.entrypoints import ADAPTERS, SOURCES, installed

if TYPE_CHECKING:
    from router.ports import Options


@dataclass(frozen=True, slots=True)
class OptionRow:
    """One option of one adapter; an adapter without options has a row with none."""

    role: str
    """`source` or `delivery`."""
    adapter: str
    about: str
    option: str | None
    type: str | None
    required: bool
    default: str | None
    description: str | None


@click.command("adapters")
@output
def command(output: str) -> None:
    """List the installed sources and delivery adapters with their options.

    A secret `x` may be given as `x_file`, the path of a file that holds it.

    \b
    Example:
      hubherald adapters
    """
    rows = [*_rows("source", SOURCES), *_rows("delivery", ADAPTERS)]
    if output == "json":
        as_json(rows)
        return
    for (role, adapter, about), options in groupby(
        rows, key=lambda row: (row.role, row.adapter, row.about)
    ):
        line(f"{role} {adapter}: {about}")
        for row in options:
            line(f"  {_words(row)}")


def _rows(role: str, group: str) -> Iterator[OptionRow]:
    from router.config.installed import InstalledKinds

    points = installed(group)
    for kind, model in InstalledKinds(group).models().items():
        about = (points[kind].load().__doc__ or "").strip().partition("\n")[0]
        options = list(_options(model))
        for name, kind_of, required, default, description in options or [_NONE]:
            yield OptionRow(role, kind, about, name, kind_of, required, default, description)


_Option = tuple[str | None, str | None, bool, str | None, str | None]
_NONE: _Option = (None, None, False, None, None)


def _options(model: type[Options]) -> Iterator[_Option]:
    from router.files.model_keys import secret_keys

    schema = model.model_json_schema()
    secrets = secret_keys(model)
    for name, option in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        default = option.get("default")
        yield (
            name,
            "secret" if name in secrets else _type(option, schema.get("$defs", {})),
            required,
            None if default is None else str(default),
            option.get("description"),
        )


def _type(option: Mapping[str, Any], defs: Mapping[str, Any]) -> str:
    """What a value must be, in a word or two."""
    if "$ref" in option:
        return _type(defs[option["$ref"].rpartition("/")[2]], defs)
    if "anyOf" in option:
        kinds = [_type(each, defs) for each in option["anyOf"] if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in option:
        return " or ".join(str(word) for word in option["enum"])
    return str(option.get("format") or option.get("type") or "anything")


def _words(row: OptionRow) -> str:
    if row.option is None:
        return "no options"
    needed = "required" if row.required else f"default {shown(row.default)}"
    return f"{row.option} ({row.type}, {needed}): {row.description or ''}".rstrip(": ")
