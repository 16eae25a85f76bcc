"""One line of `when`: a field, a comparison, and what it is compared with.

The grammar is lark's; what a field can take is the catalogue's. A comparison that no value could
ever meet is a mistake, since it would silently tell nobody. Every mistake has its column.
"""

from __future__ import annotations

import re
from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from router.files.codes import Code
from router.files.problems import Location
from router.files.suggestions import did_you_mean
from router.language.conditions import OPERATORS, OPERATORS_OF, Comparison, Literal
from router.language.fields import ANYTHING, FIELDS, Field, FieldKind

LONGEST_LINE = 2000

# A text has no escapes: it reaches to the next quote of its kind.
_GRAMMAR = r"""
    start: NAME SIGN [literal]
    ?literal: TEXT | BOOLEAN | list
    list: "[" [TEXT ("," TEXT)* [","]] "]"
    NAME: /[A-Za-z_][A-Za-z0-9_.]*/
    SIGN: /==|!=|<=|>=|<|>|(not[ \t]+in|in|startswith|has|exists)(?![A-Za-z0-9_.])/
    TEXT: /"[^"]*"|'[^']*'/
    BOOLEAN: /(true|false)(?![A-Za-z0-9_.])/
    %ignore /[ \t]+/
"""
_TRUTHS = {"true": "true", "yes": "true", "on": "true"} | {
    "false": "false",
    "no": "false",
    "off": "false",
}
_SHAPE = "write FIELD COMPARISON VALUE, or FIELD exists"


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", propagate_positions=True)


class Mistake(Exception):
    """What is wrong in a line, and at which character (from 0)."""

    def __init__(self, code: Code, message: str, at: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.at = at


def parse_line(text: str, location: Location) -> Comparison:
    """The comparison that a line says; Mistake says what is wrong with it and where."""
    if len(text) > LONGEST_LINE:
        message = f"more than {LONGEST_LINE:,} characters; split it with any: or all:"
        raise Mistake(Code.TOO_LARGE, message)
    for at, each in enumerate(text):
        if not each.isprintable() and each not in "\t\n":
            message = "a character that can't be seen stands here; type a plain space"
            message = f"{message} (it is U+{ord(each):04X})"
            raise Mistake(Code.CONDITION, message, at)
    name, sign, literal = shape(text).children
    assert isinstance(name, Token)
    assert isinstance(sign, Token)
    field = FIELDS.get(name)
    if field is None:
        message = f"there is no field {str(name)!r}{_meant(name)}"
        raise Mistake(Code.UNKNOWN_FIELD, message, _place(name))
    operator = " ".join(sign.split())
    allowed = OPERATORS_OF[field.kind]
    if operator not in allowed:
        choice = f"it takes {', '.join(allowed)}"
        message = f"{field.name} ({field.kind}) can't be compared with {operator!r}; {choice}"
        raise Mistake(Code.OPERATOR, message, _place(sign))
    if operator == "exists":
        if literal is not None:
            raise Mistake(Code.CONDITION, "nothing may stand after `exists`", _place(literal))
        return Comparison(field.name, operator, None, text, location)
    if literal is None:
        message = f"the line ends too early; {operator!r} needs a value"
        raise Mistake(Code.CONDITION, message, len(text))
    return Comparison(field.name, operator, _literal(field, operator, literal), text, location)


def _meant(name: str) -> str:
    """Fields that end as `name` does, when only the part before the dot is wrong or missing."""
    ends = [known for known in FIELDS if known.endswith(f".{name.lower().rpartition('.')[2]}")]
    return did_you_mean(ends[0] if len(ends) == 1 else name, ends or FIELDS)


# --- the shape of a line --------------------------------------------------------------------


def shape(text: str) -> Tree[Token]:
    """Its words: field, comparison, a value or a list. Mistake where it has no shape."""
    try:
        return _parser().parse(text)
    except UnexpectedCharacters as error:
        at, expected = error.pos_in_stream, error.allowed
    except UnexpectedToken as error:
        ended = error.token.type == "$END"
        at, expected = len(text) if ended else error.pos_in_stream, error.accepts
    except UnexpectedInput as error:  # no other is known; say at least where
        at, expected = error.pos_in_stream, set()
    at = len(text) if at is None or at < 0 else at
    raise _mistake(text, at, expected or set())


def _mistake(text: str, at: int, expected: set[str]) -> Mistake:
    """What to write instead of what stands at `at`, where the grammar took only `expected`."""
    if not text.strip():
        hint = 'write one such as hub.status == "Commissioned"'
        return Mistake(Code.EMPTY, f"no condition stands here; {hint}")
    group = _group(text.strip())
    if group:
        return Mistake(Code.CONDITION, group)
    rest = text[at:].strip()
    code, message = _wrong_value(text, rest) or _wrong_rest(rest, expected)
    return Mistake(code, message, at)


def _group(line: str) -> str:
    """What to say where the whole line is meant as a group of lines."""
    if line.startswith("not "):
        return "to negate a condition, write `not:` and the condition below it, with a dash"
    if line.startswith(("any:", "all:", "not:")):
        return "put the lines of any:, all: and not: below it, each with a dash"
    return ""


def _wrong_value(text: str, rest: str) -> tuple[Code, str] | None:
    """What to say of a value that would be wrong in quotes, too."""
    word = re.split(r"[\s,\]]", rest, maxsplit=1)[0]
    field = FIELDS.get(text.split(maxsplit=1)[0])
    if field is not None and field.kind is FieldKind.BOOLEAN and word.lower() in _TRUTHS:
        return Code.VALUE, f"{word} means nothing here; did you mean {_TRUTHS[word.lower()]}?"
    if word in FIELDS and text.split(maxsplit=1)[0] != word:
        return Code.CONDITION, f"two fields are never compared; {word} stands for no value"
    if rest.startswith("("):
        return Code.CONDITION, 'a list stands in square brackets, such as ["a", "b"]'
    return None


def _wrong_rest(rest: str, expected: set[str]) -> tuple[Code, str]:
    word = re.split(r"[\s,\]\"']", rest, maxsplit=1)[0]
    bare = word.strip("“”‘’„")
    if not rest:
        missing = "the list ends with ]" if "RSQB" in expected else _SHAPE
        return Code.CONDITION, f"the line ends too early; {missing}"
    if rest[0] in "\"'" and rest.count(rest[0]) == 1:
        return Code.CONDITION, (
            "the quotes are not closed (if they are, put the whole condition in the other kind "
            "of quotes: YAML takes ' #' for a comment)"
        )
    if "SIGN" in expected:
        return Code.OPERATOR, _no_operator(word)
    if re.fullmatch(r"(and|or|&&?|\|\|?)", word):
        hint = "for `and` write another line, for `or` write `any:`"
        return Code.CONDITION, f"one comparison a line; {hint}"
    if "TEXT" in expected and bare.isprintable() and bare:
        return Code.UNQUOTED, f'{word} must be in quotes: "{bare}"'
    return Code.CONDITION, f"{rest[:20]!r} is not expected here; {_SHAPE}"


def _no_operator(word: str) -> str:
    if word.startswith("="):
        return "compare with == (two signs)"
    if word.startswith("not"):
        return "only `in` can follow `not`; for others write `not:` and the condition below it"
    if not word:
        return f"a comparison is missing here: {', '.join(OPERATORS)}"
    return f"{word!r} is not a comparison{did_you_mean(word, OPERATORS)}"


# --- what a field is compared with ----------------------------------------------------------


def _literal(field: Field, operator: str, given: Token | Tree[Token]) -> Literal:
    if operator in {"in", "not in"}:
        if not isinstance(given, Tree):
            message = f'{operator!r} needs a list, such as ["a", "b"]'
            raise Mistake(Code.WRONG_TYPE, message, _place(given))
        found = [item for item in given.children if isinstance(item, Token)]
        if not found:
            raise Mistake(Code.EMPTY, "nothing can be in a list without values", _place(given))
        return tuple(dict.fromkeys(_text(field, operator, item) for item in found))
    if isinstance(given, Tree):
        hint = "; use `in` for a list" if "in" in OPERATORS_OF[field.kind] else ""
        raise Mistake(Code.WRONG_TYPE, f"{operator!r} takes one value{hint}", _place(given))
    if field.kind is FieldKind.BOOLEAN:
        if given.type != "BOOLEAN":
            message = f"{field.name} is true or false, without quotes"
            raise Mistake(Code.WRONG_TYPE, message, _place(given))
        return str(given) == "true"
    if given.type == "BOOLEAN":
        raise Mistake(Code.UNQUOTED, f'{given} must be in quotes: "{given}"', _place(given))
    return _text(field, operator, given)


def _text(field: Field, operator: str, token: Token) -> str:
    text = str(token)[1:-1]
    if not text:
        hint = "; use `exists`" if "exists" in OPERATORS_OF[field.kind] else ""
        raise Mistake(Code.IMPOSSIBLE, f"{field.name} is never empty{hint}", _place(token))
    if field.kind is FieldKind.ENUM and text not in field.values:
        message = f"{field.name} is never {text!r}{did_you_mean(text, field.values)}"
        raise Mistake(Code.IMPOSSIBLE, message, _place(token))
    start = operator == "startswith"
    known = text.upper() if field.kind is FieldKind.ID else text
    if not text.isprintable() or not re.fullmatch(field.prefix if start else field.pattern, known):
        begins = "never begins with" if start else "is never"
        message = f"{field.name} {begins} {text[:60]!r}: it is {_like(field)}"
        raise Mistake(Code.IMPOSSIBLE, message, _place(token))
    return known


def _like(field: Field) -> str:
    if field.kind is FieldKind.ID:
        return "an EUI-64 such as 90-B3-D5-1F-30-01-00-00"
    if field.pattern == ANYTHING:
        return "1 to 100 printable characters"
    if shape := re.fullmatch(r"\[([^\]]+)\]\{(\d+),(\d+)\}", field.pattern):
        return f"{shape[2]} to {shape[3]} characters of {shape[1]}"
    return 'a version such as "5.4"'  # that of DUIS is the only one left


def _place(found: Token | Tree[Token]) -> int:
    place = found.start_pos if isinstance(found, Token) else found.meta.start_pos
    return place or 0
