"""From rules that matched to verdicts and Alerts: suppress wins, one Alert for each user."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from support.samples import user

from router.deciding.decisions import Candidate, Decision, Due, Verdict, candidates, decide, due
from router.domain.inventory import Party
from router.domain.users import ServiceUser
from router.domain.words import Role
from router.files.problems import Location
from router.language.conditions import AllOf
from router.language.rules import Rule, Rules

IMPORT, GAS, EXPORT = Role.IMPORT_SUPPLIER, Role.GAS_SUPPLIER, Role.EXPORT_SUPPLIER
S1, S2 = user(1), user(2)


def rule(name: str, *, alert: str | None = None, suppress: str | None = None) -> Rule:
    """A rule; its conditions do not matter where it is said which rules matched."""
    return Rule(name, "", AllOf(()), alert, suppress, Location(Path("rules.yaml")))


RULES = Rules(
    (
        rule("tell", alert="N64"),
        rule("hush", suppress="the home is empty"),
        rule("tell-otherwise", alert="N65"),
        rule("hush-too", suppress="it is late"),
    ),
    {},
    "",
)


def service_user(user_id: str, *roles: Role) -> ServiceUser:
    return ServiceUser(user_id, f"User {user_id}", frozenset(roles))


def verdict(*matched: int) -> Decision:
    return decide(Candidate(service_user(S1, IMPORT), IMPORT), matched, RULES)


# --- candidates -----------------------------------------------------------------------------


def test_a_service_user_in_its_role_is_a_candidate() -> None:
    known = service_user(S1, IMPORT, GAS)
    parties = [Party(S1, GAS), Party(S1, IMPORT)]
    assert candidates(parties, {S1: known}) == (
        [Candidate(known, GAS), Candidate(known, IMPORT)],
        [],
    )


def test_who_can_not_be_told_is_decided_with_the_reason() -> None:
    parties = [Party(S1, GAS), Party(S2, IMPORT)]
    able, decided = candidates(parties, {S1: service_user(S1, IMPORT)})
    assert able == []
    assert [(each.verdict, each.party) for each in decided] == [
        (Verdict.NO_ELIGIBLE_USER, Party(S1, GAS)),
        (Verdict.NO_ELIGIBLE_USER, Party(S2, IMPORT)),
    ]
    assert [each.reason for each in decided] == [
        "does not hold gas_supplier here",
        "not a Service User",
    ]


# --- verdicts -------------------------------------------------------------------------------


def test_no_rule_is_a_verdict() -> None:
    assert verdict() == Decision(Verdict.NO_RULE, Party(S1, IMPORT))


def test_the_first_alerting_rule_gives_the_code() -> None:
    expected = Decision(Verdict.ALERTED, Party(S1, IMPORT), "tell", alert_code="N64")
    assert verdict(0) == verdict(2, 0) == expected
    assert verdict(2).alert_code == "N65"


def test_suppress_wins_whatever_the_order() -> None:
    expected = Decision(Verdict.SUPPRESSED, Party(S1, IMPORT), "hush", "the home is empty")
    assert verdict(1) == verdict(0, 1) == verdict(3, 2, 1, 0) == expected
    assert verdict(0, 3).rule == "hush-too"


@given(st.sets(st.integers(0, 3)))
def test_there_is_exactly_one_verdict(matched: set[int]) -> None:
    decided = verdict(*matched)
    if matched & {1, 3}:
        assert decided.verdict is Verdict.SUPPRESSED
        assert decided.alert_code is None
    elif matched:
        assert decided.verdict is Verdict.ALERTED
    else:
        assert decided.verdict is Verdict.NO_RULE


# --- Alerts ---------------------------------------------------------------------------------


def alerted(user_id: str, role: Role, name: str = "tell", code: str = "N64") -> Decision:
    return Decision(Verdict.ALERTED, Party(user_id, role), name, alert_code=code)


def test_a_user_gets_one_alert_that_lists_its_roles() -> None:
    decisions = [alerted(S1, IMPORT), alerted(S2, EXPORT), alerted(S1, GAS, "tell-gas")]
    assert due(decisions) == [
        Due(S1, "N64", {"gas_supplier": "tell-gas", "import_supplier": "tell"}),
        Due(S2, "N64", {"export_supplier": "tell"}),
    ]
    assert list(due(decisions)[0].rules) == ["gas_supplier", "import_supplier"]


def test_each_code_is_an_alert_of_its_own() -> None:
    assert due([alerted(S1, IMPORT, code="N65"), alerted(S1, GAS)]) == [
        Due(S1, "N64", {"gas_supplier": "tell"}),
        Due(S1, "N65", {"import_supplier": "tell"}),
    ]


def test_a_suppressed_role_takes_away_only_itself() -> None:
    suppressed = Decision(Verdict.SUPPRESSED, Party(S1, GAS), "hush", "the home is empty")
    assert due([alerted(S1, IMPORT), suppressed]) == [Due(S1, "N64", {"import_supplier": "tell"})]
    assert due([suppressed]) == []


@given(
    st.lists(
        st.builds(
            alerted,
            st.sampled_from([S1, S2]),
            st.sampled_from(list(Role)),
            st.just("tell"),
            st.sampled_from(["N64", "N65"]),
        )
    ),
    st.randoms(use_true_random=False),
)
def test_what_is_due_does_not_depend_on_the_order(
    decisions: list[Decision], random: Random
) -> None:
    shuffled = list(decisions)
    random.shuffle(shuffled)
    assert due(shuffled) == due(decisions)
    assert roles(due(decisions)) == {
        (each.party.id, each.alert_code, each.party.role) for each in decisions if each.party
    }


def roles(dues: Iterable[Due]) -> set[tuple[str, str, str]]:
    return {(each.service_user_id, each.alert_code, role) for each in dues for role in each.rules}
