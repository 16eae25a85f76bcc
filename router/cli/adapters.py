"""`hubherald adapters`: what is installed, and which options it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from router.cli.printing import as_json, folded, output, shown
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
    distribution: str
    version: str
    fault: str | None
    """Why it can't be used, and what to do; None where it can."""
    option: str | None = None
    type: str | None = None
    required: bool = False
    default: Any = None
    description: str | None = None


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
    for (role, adapter), options in groupby(rows, key=lambda row: (row.role, row.adapter)):
        first, *more = options
        of = f"{first.distribution} {first.version}".strip()
        folded(f"{role} {adapter}: {first.about} ({of})".replace("  ", " "))
        for row in (first, *more):
            folded(f"  {_words(row)}")


def _rows(role: str, group: str) -> Iterator[OptionRow]:
    from router.config.installed import InstalledKinds
    from router.ports.loading import load
    from router.ports.origins import AdapterError

    points, kinds = installed(group), InstalledKinds(group)
    models = kinds.models()
    for kind, schema in kinds.schemas().items():
        dist = points[kind].dist
        of = (dist.name, dist.version) if dist is not None else ("", "")
        if isinstance(schema, AdapterError):
            yield OptionRow(role, kind, "", *of, str(schema))
            continue
        about = str(load(points[kind]).__doc__ or "").strip().partition("\n")[0]
        bare = OptionRow(role, kind, about, *of, None)
        yield from list(_options(bare, models[kind], schema)) or [bare]


def _options(
    bare: OptionRow, model: type[Options], schema: Mapping[str, Any]
) -> Iterator[OptionRow]:
    from router.files.model_keys import secret_keys

    secrets = secret_keys(model)
    for name, option in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        default = option.get("default")
        yield replace(
            bare,
            option=name,
            type="secret" if name in secrets else _type(option, schema.get("$defs", {})),
            required=required,
            default=default,
            description=option.get("description"),
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
    if row.fault is not None:
        return f"can't be used: {row.fault}"
    if row.option is None:
        return "no options"
    needed = "required" if row.required else f"default {shown(row.default)}"
    return f"{row.option} ({row.type}, {needed}): {row.description or ''}".rstrip(": ")
