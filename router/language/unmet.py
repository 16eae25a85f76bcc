"""Rules that ask for somebody who is not in the service users file.

A role, subscription or id that no Service User has is a word that some rule waits for in vain:
a typo, or a user that was forgotten. A rule can also ask for what several users have only
between them. Only words that a user must have are looked at: `recipient.duis_version < "5.1"` or
a negation is as right on the day when it concerns nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from router.domain.users import ServiceUsers
from router.files.codes import Code
from router.files.problems import Location, Problem
from router.files.suggestions import did_you_mean, lines
from router.language.alternatives import Alternative, Leaf, alternatives_of
from router.language.conditions import Literal
from router.language.fields import Value, recipient_fields
from router.language.rules import Rule, Rules
from router.language.satisfiable import by_field, possible

_CALLED = {
    "recipient.role": "has the role",
    "recipient.subscriptions": "subscribes to",
    "recipient.id": "has the id",
    "recipient.name": "has the name",
    "recipient.duis_version": "has the DUIS version",
}
"""What a user does that meets a comparison of these fields with a word."""
_MOST_KNOWN = 10
"""How many words are listed where none is close to the one that nobody has."""
_Imagined = Mapping[str, Value]


def find(rules: Rules, users: ServiceUsers) -> list[Problem]:
    """A Problem for each word that a rule asks for and no Service User has.

    A rule whose words are all there, but with no single user in any of its roles, makes one for
    itself. Suspended users count: they are told later.
    """
    candidates = [
        recipient_fields(role, user) for user in users.by_id.values() for role in user.roles
    ]
    return [problem for rule in rules.rules for problem in _unmet(rule, candidates)]


def _unmet(rule: Rule, candidates: Sequence[_Imagined]) -> list[Problem]:
    alternatives = alternatives_of(rule.when)
    named = {leaf.written: leaf for each in alternatives for leaf in _words_asked(each)}
    alone = [leaf for leaf in named.values() if not _met([leaf], candidates)]
    if alone:
        return [Problem(_at(leaf), _nobody(leaf, candidates), Code.NOBODY) for leaf in alone]
    # what contradicts itself is left to `contradictions`
    asked = [_words_asked(each) for each in alternatives if possible(by_field(each))]
    if not asked or any(_met(each, candidates) for each in asked):
        return []
    return [Problem(rule.location, _together(rule, asked), Code.NOBODY)]


def _words_asked(alternative: Alternative) -> Alternative:
    """What says that the recipient must have one of some words."""
    return tuple(
        leaf
        for leaf in alternative
        if leaf.field in _CALLED and leaf.wanted and leaf.operator in {"==", "in", "has"}
    )


def _met(leaves: Sequence[Leaf], candidates: Sequence[_Imagined]) -> bool:
    """Whether one user meets all of these in one of its roles."""
    return any(all(leaf.met(each.get(leaf.field)) for leaf in leaves) for each in candidates)


# --- what to say ----------------------------------------------------------------------------


def _nobody(leaf: Leaf, candidates: Sequence[_Imagined]) -> str:
    words = _words(leaf.literal)
    held = {word for each in candidates for word in _words(each.get(leaf.field))}
    said = " or ".join(map(repr, words))
    return f"no Service User {_CALLED[leaf.field]} {said}{_hint(leaf, words, held)}"


def _hint(leaf: Leaf, words: Sequence[str], held: set[str]) -> str:
    if leaf.field == "recipient.role":
        # roles are spelt right, or the line would not have been read
        return f"; roles in the service users file: {', '.join(sorted(held))}"
    hints = [did_you_mean(word, held) for word in words]
    close = [hint for hint in hints if "did you mean" in hint]
    if close:
        return close[0]
    return hints[0] if len(held) <= _MOST_KNOWN else ""


def _words(value: Literal) -> tuple[str, ...]:
    if isinstance(value, tuple):
        return value
    return (value,) if isinstance(value, str) else ()


def _at(leaf: Leaf) -> Location:
    """Where the first of its words stands; the beginning of the line where it can't be seen."""
    where, word = leaf.written.location, _words(leaf.literal)[0]
    # ids are known in capitals, however they are written
    quoted = re.compile(rf"[\"']{re.escape(word)}[\"']", re.IGNORECASE)
    found = quoted.search(where.text, where.column - 1)
    return replace(where, column=found.start() + 1) if found else where


def _together(rule: Rule, asked: Sequence[Alternative]) -> str:
    if len(set(asked)) == 1:
        where = lines(leaf.written.location.line for leaf in asked[0])
        what = f"what it asks of the recipient ({where})"
    else:
        what = "what one of its alternatives asks of the recipient"
    return f"{rule.name!r} matches nobody: no Service User meets {what} in any of its roles"
