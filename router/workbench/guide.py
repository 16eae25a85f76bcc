"""The tables of the operators' guide, made from what the router goes by, so that they can't differ.

`make guide` puts them into rules/README.md, between the marks that name them.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path

from router.files.codes import Code
from router.language.conditions import OPERATORS_OF
from router.language.fields import ANYTHING, FIELDS, Field, FieldKind

_PART = re.compile(r"(<!-- made by `make guide`: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def renewed(text: str) -> str:
    """The guide with every table as it must be now."""

    def table(found: re.Match[str]) -> str:
        return f"{found[1]}{TABLES[found[2]]()}{found[3]}"

    return _PART.sub(table, text)


def kinds() -> str:
    """Which comparisons each kind of field takes."""
    return _table(
        ("kind", "takes"),
        ((kind.value, " ".join(f"`{sign}`" for sign in OPERATORS_OF[kind])) for kind in FieldKind),
    )


def fields() -> str:
    """All that rules can ask."""
    return _table(
        ("field", "kind", "values", "known", "what it is"),
        (
            (f"`{each.name}`", each.kind, _values(each), _known(each), each.description)
            for each in FIELDS.values()
        ),
    )


def codes() -> str:
    """What kinds of mistakes there are."""
    found = _meanings()
    return _table(("code", "what it says"), ((f"`{each}`", found[each.name]) for each in Code))


TABLES: Mapping[str, Callable[[], str]] = {"kinds": kinds, "fields": fields, "codes": codes}
"""Each table by the word in its mark."""


def _values(field: Field) -> str:
    if field.values:
        return ", ".join(f"`{value}`" for value in field.values)
    if field.kind is FieldKind.BOOLEAN:
        return "`true`, `false`"
    if field.kind is FieldKind.ID:
        return "such as `90-B3-D5-1F-30-01-00-00`, in either case"
    return "1 to 100 characters" if field.pattern == ANYTHING else f"`{field.pattern}`"


def _known(field: Field) -> str:
    return "always" if field.always else "may be absent"


def _meanings() -> dict[str, str]:
    """The text below each member of Code; Python itself forgets it."""
    (of_class,) = ast.parse(inspect.getsource(Code)).body
    assert isinstance(of_class, ast.ClassDef)
    found: dict[str, str] = {}
    for member, below in pairwise(of_class.body):
        match member, below:
            case ast.Assign(targets=[ast.Name(name)]), ast.Expr(ast.Constant(str(text))):
                found[name] = " ".join(text.split())
    return found


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    listed = [list(head), *map(list, rows)]
    listed.insert(1, ["---"] * len(listed[0]))
    cells = ([cell.replace("|", r"\|") for cell in row] for row in listed)
    return "".join(f"| {' | '.join(row)} |\n" for row in cells)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        file = Path(name)
        file.write_text(renewed(file.read_text(encoding="utf-8")), encoding="utf-8")
