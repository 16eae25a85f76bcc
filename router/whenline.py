"""One line of `when`: a field, a comparison, and what it is compared with.

The grammar is lark's; what a field can take is the catalogue's. Every mistake has its column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from router.conditions import OPERATORS_OF, Comparison, Literal
from router.document import Location
from router.fields import FIELDS, Field, Kind
from router.wording import did_you_mean

LONGEST_TEXT = 200

_GRAMMAR = r"""
    start: NAME "exists"                   -> exists
         | NAME SIGN literal               -> compared
         | NAME WORD_SIGN literal          -> compared
    ?literal: TEXT | list | BOOLEAN
    list: "[" [TEXT ("," TEXT)* ","?] "]"
    SIGN: "==" | "!=" | "<=" | ">=" | "<" | ">"
    WORD_SIGN.2: /not\s+in\b/ | /in\b/ | /startswith\b/ | /has\b/
    BOOLEAN.2: /true\b/ | /false\b/
    NAME: /[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+/
    TEXT: /"[^"]*"/ | /'[^']*'/
    %ignore /[ \t]+/
"""
_PARSER = Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


@dataclass
class Mistake(Exception):
    """What is wrong in a line, and at which character (from 0)."""

    message: str
    at: int = 0


def parse_line(text: str, location: Location) -> Comparison:
    """The comparison that a line says; Mistake says what is wrong with it and where."""
    if len(text) > 2000:
        raise Mistake("a line of more than 2,000 characters; split it with any: or all:")
    tree = _tree(text)
    name, *rest = tree.children
    assert isinstance(name, Token)
    field = FIELDS.get(name)
    if field is None:
        raise Mistake(f"unknown field {str(name)!r}{did_you_mean(name, FIELDS)}", _place(name))
    if tree.data == "exists":
        return Comparison(field.name, "exists", None, text, location)
    sign, literal = rest
    assert isinstance(sign, Token)
    operator = " ".join(sign.split())
    if operator not in OPERATORS_OF[field.kind]:
        allowed = ", ".join(OPERATORS_OF[field.kind])
        kind = field.kind.value
        raise Mistake(
            f"{field.name} ({kind}) can't be compared with {operator!r}; use one of: {allowed}",
            _place(sign),
        )
    return Comparison(field.name, operator, _literal(field, operator, literal), text, location)


def _tree(text: str) -> Tree[Token]:
    try:
        return _PARSER.parse(text)
    except UnexpectedInput as error:
        at = getattr(error, "pos_in_stream", None)
        if at is None or at < 0 or (isinstance(error, UnexpectedToken) and not str(error.token)):
            at = len(text)
        raise Mistake(_explain(text, at, error), min(at, max(len(text) - 1, 0))) from None


def _explain(text: str, at: int, error: UnexpectedInput) -> str:
    rest = text[at:].strip()
    word = re.match(r"[^\s,\]]+", rest)
    if not text.strip():
        return 'an empty condition; write one such as hub.status == "Commissioned"'
    if text.lstrip().startswith(("any:", "all:", "not:")):
        return "put the lines of any:, all: and not: below it, each with a dash"
    if rest.startswith("=") and not rest.startswith("=="):
        return "compare with == (two signs)"
    if isinstance(error, UnexpectedCharacters) and rest[:1] in {'"', "'"}:
        return "the quotes are not closed"
    if word is not None and re.fullmatch(r"[A-Za-z0-9._-]+", word[0]) and at > 0:
        if re.search(r"(==|!=|<|>|=|\bin|startswith|has|\[|,)\s*$", text[:at]):
            return f'{word[0]} must be in quotes: "{word[0]}"'
        known = ("in", "not in", "startswith", "has", "exists", "==", "!=", "<", "<=", ">", ">=")
        return f"{word[0]!r} is not a comparison{did_you_mean(word[0], known)}"
    if at >= len(text.rstrip()):
        return "the line ends too early; write FIELD COMPARISON VALUE, or FIELD exists"
    return f"not a condition at {rest[:20]!r}; write FIELD COMPARISON VALUE, or FIELD exists"


def _literal(field: Field, operator: str, given: object) -> Literal:
    if operator in {"in", "not in"}:
        if not isinstance(given, Tree):
            raise Mistake(f'{operator!r} needs a list, such as ["a", "b"]', _place(given))
        found = [item for item in given.children if isinstance(item, Token)]
        if not found:
            raise Mistake("an empty list: it can never match", _place(given))
        return tuple(_text(field, item) for item in found)
    if isinstance(given, Tree):
        raise Mistake(f"{operator!r} takes one value; use `in` for a list", _place(given))
    assert isinstance(given, Token)
    if field.kind is Kind.BOOLEAN:
        if given.type != "BOOLEAN":
            raise Mistake(f"{field.name} is true or false, without quotes", _place(given))
        return str(given) == "true"
    if given.type == "BOOLEAN":
        raise Mistake(f'{given} must be in quotes: "{given}"', _place(given))
    return _text(field, given, part=operator == "startswith")


def _text(field: Field, token: Token, *, part: bool = False) -> str:
    text = str(token)[1:-1]
    if not text:
        raise Mistake(f"{field.name} is never empty; use `exists`", _place(token))
    if len(text) > LONGEST_TEXT or not text.isprintable():
        raise Mistake(f"more than {LONGEST_TEXT} or unprintable characters", _place(token))
    if field.kind is Kind.ENUM and text not in field.values:
        hint = did_you_mean(text, field.values)
        raise Mistake(f"{field.name} is never {text!r}{hint}", _place(token))
    if field.kind is Kind.VERSION and not re.fullmatch(r"[0-9A-Za-z._-]{1,8}", text):
        allowed = "1 to 8 of letters, digits, '.', '_' and '-'"
        raise Mistake(f"{field.name} is never {text!r}: a version has {allowed}", _place(token))
    ids = {"hub.device_id", "hub.replaced_by", "recipient.id"}
    if field.name in ids:
        whole = r"[0-9A-F]{2}(-[0-9A-F]{2}){7}"
        prefix = r"[0-9A-F-]{1,23}"
        if not re.fullmatch(prefix if part else whole, text):
            example = "90-B3-D5-1F-30-01-00-00"
            raise Mistake(f"{field.name} is an EUI-64 in upper case: {example}", _place(token))
    return text


def _place(found: object) -> int:
    if isinstance(found, Token):
        return found.start_pos or 0
    if isinstance(found, Tree) and not found.meta.empty:
        return found.meta.start_pos
    return 0
