"""JSON Schema of a file of rules, for editors: every field with what it means and takes.

A line of `when` is one text, of which an editor can't know the parts. So each field has a branch of
its own, whose pattern is how such a line begins: an editor shows the description of the branch that
fits, and offers its snippet. `defaultSnippets`, `markdownDescription` and `patternErrorMessage` are
for the language servers of VS Code; to others they are words without a meaning.
"""

from __future__ import annotations

import re
from typing import Any

from router.language.conditions import OPERATORS_OF
from router.language.fields import FIELDS, Field, FieldKind

Schema = dict[str, Any]

_LINES: Schema = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/line"}}
_TEXT: Schema = {"type": "string", "minLength": 1, "maxLength": 1000}
_BEGIN = "a condition begins with one of the fields, such as activation.outcome or hub.groups"


def rules() -> tuple[Schema, Schema]:
    """The schema of a file of rules, and the definitions that it refers to."""
    rule = {
        "type": "object",
        "properties": {
            "name": {
                "type": "string",
                "pattern": "^[a-z0-9][a-z0-9-]{0,79}$",
                "description": "unique among all rules: small letters, digits and hyphens",
            },
            "description": {**_TEXT, "description": "for people: what it does, and why"},
            "when": {**_LINES, "description": "every line must hold"},
            "alert": {
                "type": "string",
                "pattern": "^[A-Z0-9]{1,10}$",
                "description": "send an Alert of this code, such as N64",
            },
            "suppress": {**_TEXT, "description": "send none, for this reason; beats every alert"},
        },
        "required": ["name", "when"],
        "oneOf": [{"required": ["alert"]}, {"required": ["suppress"]}],
        "additionalProperties": False,
    }
    groups = [
        _group("any", "at least one of these lines must hold"),
        _group("all", "every one of these lines must hold"),
        _group("not", "not all of these lines may hold"),
    ]
    line = {"oneOf": [*map(_comparison, FIELDS.values()), *groups]}
    file = {
        "type": "object",
        "properties": {
            "rules": {
                "type": "array",
                "minItems": 1,
                "items": {"$ref": "#/$defs/rule"},
                "description": "the rules of this file",
            }
        },
        "required": ["rules"],
        "additionalProperties": False,
    }
    return file, {"rule": rule, "line": line}


def _comparison(field: Field) -> Schema:
    """A line that begins with this field."""
    takes = OPERATORS_OF[field.kind]
    signs = " ".join(f"`{sign}`" for sign in takes)
    return {
        "title": field.name,
        "type": "string",
        "pattern": rf"^\s*{re.escape(field.name)}([\s=!<>]|$)",
        "patternErrorMessage": _BEGIN,
        "description": f"{field.description} It is {field.kind}; compare with {', '.join(takes)}.",
        "markdownDescription": f"{field.description}\n\nIt is {field.kind}; compare with {signs}.",
        "defaultSnippets": [
            {"label": field.name, "description": field.description, "body": _snippet(field)}
        ],
    }


def _snippet(field: Field) -> str:
    """A right line to begin with; `${1}` is where the writer goes on."""
    match field.kind:
        case FieldKind.ENUM:
            return f'{field.name} == "${{1|{",".join(field.values)}|}}"'
        case FieldKind.BOOLEAN:
            return f"{field.name} == ${{1|true,false|}}"
        case FieldKind.WORDS:
            return f'{field.name} has "${{1}}"'
        case _:
            return f'{field.name} == "${{1}}"'


def _group(word: str, description: str) -> Schema:
    return {
        "title": f"{word}:",
        "description": description,
        "type": "object",
        "properties": {word: {**_LINES, "description": description}},
        "required": [word],
        "additionalProperties": False,
    }
