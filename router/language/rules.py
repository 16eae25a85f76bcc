"""All rules that decide together, as one value.

The order of rules is that of the files by name, and of the rules in them; the first alerting rule
that matches gives the code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from router.files.problems import Location
from router.language.conditions import AllOf, comparisons


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; exactly one of `alert` and `suppress` is there."""

    name: str
    description: str
    when: AllOf
    alert: str | None
    """The DCC Alert code to send."""
    suppress: str | None
    """The reason why the candidate must not be told."""
    location: Location


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a folder."""

    rules: tuple[Rule, ...]
    files: Mapping[str, str]
    """The text of each file by its path below the folder."""
    digest: str
    """SHA-256 over `files`: names the rules under which a decision was made."""

    @classmethod
    def of(cls, rules: Iterable[Rule], files: Mapping[str, str]) -> Rules:
        """Rules with the digest of the files that they stand in."""
        digest = hashlib.sha256(_as_json(files).encode()).hexdigest()
        return cls(tuple(rules), files, digest)

    @property
    def text(self) -> str:
        """All files as JSON, kept as evidence; `digest` is the SHA-256 of exactly this."""
        return _as_json(self.files)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that some condition reads."""
        return frozenset(each.field for rule in self.rules for each in comparisons(rule.when))

    def without(self, names: Collection[str]) -> Rules:
        """The same files, less the rules of these names: for what-if questions only."""
        left = tuple(rule for rule in self.rules if rule.name not in names)
        return self if len(left) == len(self.rules) else replace(self, rules=left)


def _as_json(files: Mapping[str, str]) -> str:
    return json.dumps(dict(files), sort_keys=True)
