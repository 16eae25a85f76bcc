"""Tests of durable_rules on its safe path: always the same answer as the second opinion."""

from __future__ import annotations

import itertools
import resource
from pathlib import Path
from typing import Any

import durable_rules_engine
import pytest
from durable.engine import Ruleset
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fieldvalues import fields_of
from support.rulemaking import candidates, conditions, drawn, matching, read, rule, shipped
from support.samples import activation, hub, user

from router.deciding.engine import ALTERNATIVES, CHUNK, PROPERTIES, Engine, EngineAnomaly
from router.domain.users import ServiceUser
from router.domain.words import Role
from router.errors import EngineError
from router.language.alternatives import LONGEST, MOST
from router.language.fields import Value
from router.language.rules import Rules

SUPPLIER: dict[str, Value] = {"recipient.role": "gas_supplier", "activation.outcome": "success"}


def agree(rules: Rules, values: list[dict[str, Value]]) -> None:
    """durable_rules and the second opinion say the same, at the first try and at the second."""
    engine = Engine(rules)
    try:
        for _ in range(2):
            assert engine.evaluate(values) == [matching(rules, each) for each in values]
        assert (engine.mismatches, engine.rebuilds) == (0, 0)
    finally:
        engine.close()


def evaluate(rules: Rules, values: list[dict[str, Value]]) -> list[frozenset[int] | EngineAnomaly]:
    engine = Engine(rules)
    try:
        return engine.evaluate(values)
    finally:
        engine.close()


# --- the same as the second opinion ---------------------------------------------------------


@settings(max_examples=300)
@given(
    st.lists(st.lists(conditions(), min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(candidates(), max_size=12),
)
def test_random_rules_and_hostile_values(
    tmp_path_factory: pytest.TempPathFactory, whens: list[Any], values: list[dict[str, Value]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / "random"
    listed = [rule(when, f"rule-{number}") for number, when in enumerate(whens)]
    agree(drawn(folder, *listed), values)


def test_the_shipped_rules_over_all_that_they_read() -> None:
    rules = shipped()
    assert rules.fields == {
        "activation.outcome",
        "hub.replaced_by",
        "hub.smets_version",
        "hub.status",
        "recipient.role",
        "recipient.subscriptions",
    }
    users = [
        ServiceUser(user(1), "one", frozenset(Role)),
        ServiceUser(user(2), "two", frozenset(Role), subscriptions=("other", "firmware")),
    ]
    hubs = [
        hub(status=status, smets_version=smets, replaced_by=replaced)
        for status in ("Pending", "Commissioned", "Decommissioned", "Suspended")
        for smets in ("SMETS1", "SMETS2")
        for replaced in (None, user(9))
    ]
    outcomes = [activation(outcome=outcome) for outcome in ("success", "failure")]
    every = itertools.product(outcomes, hubs, Role, users)
    agree(rules, [fields_of(*each) for each in every])


def test_absent_values_match_only_what_negates(tmp_path: Path) -> None:
    lines = [
        'hub.model == "a"',
        'hub.model != "a"',
        'hub.model not in ["a"]',
        "hub.model exists",
        'activation.previous_firmware_version < "2"',
        'activation.previous_firmware_version >= "2"',
        'hub.groups has "a"',
        "activation.version_changed != true",
    ]
    rules = read(tmp_path, *(rule([line], f"r{number}") for number, line in enumerate(lines)))
    assert evaluate(rules, [{}]) == [frozenset({1, 2, 7})]


def test_many_rules_go_into_several_rulesets(tmp_path: Path) -> None:
    listed = [
        rule([f'hub.model == "m{number}"'], f"r{number}") for number in range(3 * ALTERNATIVES)
    ]
    rules = read(tmp_path, *listed, rule(["hub.model exists"], "all"))
    found = evaluate(rules, [{"hub.model": f"m{number}"} for number in range(3 * ALTERNATIVES)])
    assert found == [frozenset({number, 3 * ALTERNATIVES}) for number in range(3 * ALTERNATIVES)]


def test_more_properties_than_a_fact_can_have(tmp_path: Path) -> None:
    listed = [
        rule([f'hub.model startswith "{number}-{each}-"' for each in range(10)], f"r{number}")
        for number in range(PROPERTIES // 5)
    ]
    agree(read(tmp_path, *listed, rule(["hub.model exists"], "all")), [{"hub.model": "1-1-"}, {}])


def test_the_largest_rules_that_can_be_loaded(tmp_path: Path) -> None:
    wide = {"any": [f'hub.model == "{number}"' for number in range(MOST)]}
    deep = [f'hub.csp_region != "{number}"' for number in range(LONGEST)]
    rules = read(tmp_path, rule([wide], "wide"), rule(deep, "deep"), rule([{"not": deep}], "not"))
    values: list[dict[str, Value]] = [{"hub.model": str(number)} for number in range(MOST + 1)]
    values += [{"hub.csp_region": str(number)} for number in range(LONGEST + 1)]
    agree(rules, values)


def test_batches_of_any_size(tmp_path: Path) -> None:
    rules = read(tmp_path, *(rule([f'hub.model startswith "{n}"'], f"r{n}") for n in range(1, 10)))
    values: list[dict[str, Value]] = [{"hub.model": str(number)} for number in range(CHUNK + 10)]
    engine = Engine(rules)
    try:
        assert engine.evaluate([]) == []
        assert engine.evaluate(values * 2) == [matching(rules, each) for each in values * 2]
        assert engine.evaluate(values[7:8]) == [frozenset({6})]
    finally:
        engine.close()


def test_a_row_for_each_subset_of_many_conditions(tmp_path: Path) -> None:
    words = [f"w{number}" for number in range(10)]
    rules = read(tmp_path, *(rule([f'hub.groups has "{word}"'], word) for word in words))
    subsets = [
        {"hub.groups": tuple(word for bit, word in enumerate(words) if number >> bit & 1)}
        for number in range(1, 2 ** len(words))
    ]
    agree(rules, [dict(each) for each in subsets])


def test_generated_names_differ_as_the_core_tells_them_apart() -> None:
    """By a 32-bit hash (FNV-1a) only; the numbers in it are those of the core's own names."""

    def told_apart(text: str) -> int:
        found = 0x811C9DC5
        for byte in text.encode():
            found = ((found ^ byte) * 16_777_619) & 0xFFFFFFFF
        return found

    assert (told_apart("id"), told_apart("sid")) == (926_444_256, 3_593_476_751)
    for names in (
        ["id", "sid", "k", "$s", "$m", *(f"f{number}" for number in range(5000))],
        ["canary", *(str(number) for number in range(CHUNK))],
        ["sink", "canary", *(f"r{number}" for number in range(ALTERNATIVES))],
    ):
        assert len({told_apart(name) for name in names}) == len(names)


# --- when something is wrong ----------------------------------------------------------------


class Contrary(str):
    """Text about which two ways to look at its beginning differ."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        return True


def test_a_contradiction_quarantines_that_candidate_only(tmp_path: Path) -> None:
    rules = read(tmp_path, rule(['hub.model startswith "a"'], "by-model"))
    engine = Engine(rules)
    try:
        found = engine.evaluate([{"hub.model": "ab"}, {"hub.model": Contrary("x")}, {}])
        assert found[0] == frozenset({0})
        assert str(found[1]) == "durable_rules and the second opinion differ on: by-model"
        assert found[2] == frozenset()
        assert (engine.mismatches, engine.rebuilds) == (2, 1)
    finally:
        engine.close()


def test_a_broken_ruleset_is_made_anew_and_nothing_is_lost() -> None:
    probe = Ruleset("probe", None, {"r": {"all": [{"m": {"k": 1}}], "run": lambda _: None}})
    engine = Engine(shipped())
    try:
        durable_rules_engine.delete_ruleset(probe._handle + 1)  # that of the engine
        assert engine.evaluate([SUPPLIER]) == [frozenset({2})]
        assert (engine.mismatches, engine.rebuilds) == (0, 1)
        assert engine.evaluate([SUPPLIER]) == [frozenset({2})]
        assert engine.rebuilds == 1
    finally:
        engine.close()
        durable_rules_engine.delete_ruleset(probe._handle)


class Forgetful(Ruleset):  # type: ignore[misc]
    """Silently leaves out facts, as durable_rules does with too many properties."""

    def assert_facts(self, facts: list[dict[str, Any]]) -> Any:
        return super().assert_facts(facts[-1:])

    def retract_facts(self, facts: list[dict[str, Any]]) -> Any:
        return super().retract_facts(facts[-1:])


def test_facts_that_were_left_out_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.deciding.engine.Ruleset", Forgetful)
    found = evaluate(shipped(), [SUPPLIER, {}])
    assert found == [EngineAnomaly("durable_rules left facts out or took them twice")] * 2


def test_an_engine_that_cannot_be_made_anew_decides_nothing_until_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(*_: Any) -> Ruleset:
        raise durable_rules_engine.error("out of memory")

    engine = Engine(shipped())
    try:
        with monkeypatch.context() as patched:
            patched.setattr("router.deciding.engine.Ruleset", no_memory)
            with pytest.raises(EngineError, match="does not take the rules: out of memory"):
                engine.rebuild()
            (found,) = engine.evaluate([SUPPLIER])
            assert str(found) == "durable_rules does not take the rules: out of memory"
        assert engine.evaluate([SUPPLIER]) == [frozenset({2})]
        assert engine.mismatches == 0
    finally:
        engine.close()


def resident() -> int:
    """The bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_engines_give_back_what_they_took(tmp_path: Path) -> None:
    """A hundred rules leak 2 MB each time when they are not closed."""
    listed = [rule([f'hub.model == "m{n}"', 'hub.groups has "x"'], f"r{n}") for n in range(100)]
    rules = read(tmp_path, *listed)
    values: list[dict[str, Value]] = [{"hub.model": f"m{n}"} for n in range(20)]

    def cycles(number: int) -> None:
        engine = Engine(rules)
        for _ in range(number):
            engine.evaluate(values)
            engine.rebuild()
        engine.close()
        engine.close()  # harmless

    cycles(20)
    before = resident()
    cycles(100)
    assert resident() - before < 5_000_000
