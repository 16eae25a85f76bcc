"""Files of rules and their tests in one layout: indents, spaces, the quotes of conditions.

Comments, blank lines and the order of everything stay as they are, and so does what it means: what
comes out is read again, and nothing is given that says anything else or lost a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from lark import Token, Tree
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import ScalarString

from router.errors import FilesError, UsageError
from router.files.yamlfile import parse
from router.language.condition_line import Mistake, shape

WIDEST = 1_000_000
"""Characters of a line: none is folded, as a condition stands in one."""
GROUPS = ("any", "all", "not")
_BLOCK = re.compile(r"(?:^|[\s:])[|>][-+0-9]*(?:\s+#.*)?$")
_COMMENT = re.compile(r"(?:^|\s)(#.*?)\s*$")


def formatted(raw: bytes, file: Path) -> bytes:
    """The same file in our layout. FilesError where it is no right YAML.

    UsageError where it can't be laid out without a loss; it is right as it is.
    """
    before = parse(raw, file)
    if before.problems:
        raise FilesError(before.problems)
    if before.value is None:  # comments at most
        return raw
    yaml, written = _round_trip(), raw.decode("utf-8-sig").replace("\r\n", "\n")
    tree = yaml.load(written)
    _mend(tree)
    out = StringIO()
    yaml.dump(tree, out)
    text = "".join(f"{line.rstrip()}\n" for line in _aligned(out.getvalue().splitlines()))
    after = parse(text.encode(), file)
    _mend(before.value)
    same = not after.problems and after.value == before.value
    if not same or _comments(text) != _comments(written):
        raise UsageError(f"{file}: can't be laid out without losing something; it stays as it is")
    return text.encode()


def _aligned(lines: Sequence[str]) -> list[str]:
    """Comments on lines of their own stand where the line below them does."""
    found: list[str] = []
    waiting: list[int] = []
    block: int | None = None
    """The indent of the key whose text runs over the lines below it."""
    for line in lines:
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        if block is not None and (not bare or indent > block):
            found.append(line)
            continue
        block = None
        if bare.startswith("#"):
            waiting.append(len(found))
        elif bare:
            for number in waiting:
                found[number] = " " * indent + found[number].lstrip(" ")
            waiting = []
            block = indent if _BLOCK.search(bare) else None
        found.append(line)
    return found


def _round_trip() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = WIDEST
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _mend(tree: Any) -> None:
    """The conditions of all rules, in place."""
    rules = tree.get("rules") if isinstance(tree, dict) else None
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict) and isinstance(rule.get("when"), list):
            _mend_lines(rule["when"])


def _mend_lines(lines: list[Any]) -> None:
    for number, line in enumerate(lines):
        if isinstance(line, str):
            said = condition(line)
            lines[number] = type(line)(said) if isinstance(line, ScalarString) else said
        for group in GROUPS if isinstance(line, dict) else ():
            if isinstance(line.get(group), list):
                _mend_lines(line[group])


def condition(line: str) -> str:
    """One space between its words, and `"` around texts that hold none; wrong ones stay."""
    try:
        name, sign, given = shape(line).children
    except Mistake:
        return line
    words = [str(name), *str(sign).split()]
    if isinstance(given, Tree):
        values = [_quoted(str(each)) for each in given.children if isinstance(each, Token)]
        words.append(f"[{', '.join(values)}]")
    elif given is not None:
        words.append(_quoted(str(given)))
    return " ".join(words)


def _quoted(value: str) -> str:
    return f'"{value[1:-1]}"' if value.startswith("'") and '"' not in value else value


def _comments(text: str) -> list[str]:
    return sorted(_found(text))


def _found(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if comment := _COMMENT.search(line):
            yield comment[1]
