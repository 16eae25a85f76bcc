"""The one path of deciding: who may be told, what is settled beforehand, in which order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from support.fieldvalues import fields_of
from support.samples import ELECTRICITY, EXPORT, GAS, NOW, activation, device, hub, registration
from support.samples import user as user_id

from router.deciding.case import Case
from router.deciding.decisions import Candidate, Decision, Verdict
from router.domain.facts import Registration
from router.domain.inventory import Home, Party
from router.domain.users import ServiceUser
from router.domain.words import Point, Role
from router.files.problems import Location
from router.language.conditions import AllOf
from router.language.rules import Rule, Rules

IMPORT, GAS_ROLE, EXPORT_ROLE = Role.IMPORT_SUPPLIER, Role.GAS_SUPPLIER, Role.EXPORT_SUPPLIER
S1, S2, S3 = (user_id(number) for number in (1, 2, 3))
ANYTHING = Rule("tell", "", AllOf(()), "N64", None, Location(Path("rules.yaml")))
RULES = Rules((ANYTHING,), {}, "")


def users(**roles: Sequence[Role]) -> dict[str, ServiceUser]:
    """Service Users S1 to S3 in these roles."""
    known = {"s1": S1, "s2": S2, "s3": S3}
    return {
        known[name]: ServiceUser(known[name], name, frozenset(held)) for name, held in roles.items()
    }


def home(*registrations: Registration) -> Home:
    return Home(hub(), registrations)


def told(decisions: Sequence[Decision]) -> list[tuple[Verdict, Party | None]]:
    return [(each.verdict, each.party) for each in decisions]


# --- nobody there ---------------------------------------------------------------------------

NOBODY = [Decision(Verdict.NO_RECIPIENT, reason="nobody is registered for the hub")]


@pytest.mark.parametrize(
    "registrations",
    [
        pytest.param((), id="none"),
        pytest.param((registration(until=date(2026, 6, 1)),), id="ended"),
        pytest.param((registration(since=date(2026, 6, 2)),), id="not begun"),
        pytest.param((registration(device_id=device(2)),), id="on another hub"),
        pytest.param((registration(supplier=None),), id="without companies"),
    ],
)
def test_that_nobody_is_registered_is_a_decision(registrations: tuple[Registration, ...]) -> None:
    case = Case.opened(activation(), home(*registrations), users(s1=[IMPORT]), NOW)
    assert (case.candidates, case.values) == ([], [])
    assert case.decided([], RULES) == NOBODY


# --- who can't be told ----------------------------------------------------------------------


def test_who_can_not_be_told_is_settled_whatever_the_rules_say() -> None:
    case = Case.opened(
        activation(),
        home(registration(), registration(GAS, S2, point=Point.MPRN)),
        users(s2=[IMPORT]),
        NOW,
    )
    assert case.candidates == []
    assert case.settled == case.decided([], RULES)
    assert [(each.party, each.verdict, each.reason) for each in case.settled] == [
        (Party(S2, GAS_ROLE), Verdict.NO_ELIGIBLE_USER, "does not hold gas_supplier here"),
        (Party(S1, IMPORT), Verdict.NO_ELIGIBLE_USER, "not a Service User"),
    ]


def test_each_candidate_has_what_rules_may_ask_about_it() -> None:
    known = users(s1=[IMPORT, GAS_ROLE])
    case = Case.opened(
        activation(), home(registration(), registration(GAS, S1, point=Point.MPRN)), known, NOW
    )
    assert case.candidates == [Candidate(known[S1], GAS_ROLE), Candidate(known[S1], IMPORT)]
    assert case.values == [
        fields_of(case.activation, case.hub, each.role, each.user) for each in case.candidates
    ]


# --- the order ------------------------------------------------------------------------------


def test_what_is_settled_comes_first_and_then_the_candidates_in_their_order() -> None:
    case = Case.opened(
        activation(),
        home(
            registration(),
            registration(EXPORT, S2, point=Point.EXPORT_MPAN),
            registration(GAS, S3, point=Point.MPRN),
        ),
        users(s1=[IMPORT], s3=[GAS_ROLE]),
        NOW,
    )
    assert told(case.decided([[], [0]], RULES)) == [
        (Verdict.NO_ELIGIBLE_USER, Party(S2, EXPORT_ROLE)),
        (Verdict.NO_RULE, Party(S3, GAS_ROLE)),
        (Verdict.ALERTED, Party(S1, IMPORT)),
    ]


def test_an_answer_is_needed_for_each_candidate() -> None:
    case = Case.opened(activation(), home(registration()), users(s1=[IMPORT]), NOW)
    with pytest.raises(ValueError, match="zip"):
        case.decided([], RULES)
    with pytest.raises(ValueError, match="zip"):
        case.decided([[0], [0]], RULES)


# --- the moment -----------------------------------------------------------------------------

BEFORE = datetime(2026, 6, 30, 22, 59, 59, tzinfo=UTC)
MIDNIGHT = datetime(2026, 6, 30, 23, 0, tzinfo=UTC)
CHANGE = (
    registration(until=date(2026, 7, 1)),
    registration(supplier=S2, since=date(2026, 7, 1)),
)


@pytest.mark.parametrize(("at", "index"), [(BEFORE, 0), (MIDNIGHT, 1)])
def test_a_case_opened_at_a_moment_is_one_of_what_is_in_effect_then(
    at: datetime, index: int
) -> None:
    known = users(s1=[IMPORT], s2=[IMPORT])
    opened = Case.opened(activation(), home(*CHANGE), known, at)
    assert opened == Case.of(activation(), hub(), [CHANGE[index]], known)
    assert opened.registrations == (CHANGE[index],)
    assert told(opened.decided([[0]], RULES)) == [(Verdict.ALERTED, Party((S1, S2)[index], IMPORT))]


def test_a_case_of_registrations_takes_them_as_they_are() -> None:
    """They are those in effect, says who gives them: `capture` and tests of rules know no days."""
    past = registration(ELECTRICITY, until=date(2021, 1, 1))
    case = Case.of(activation(), hub(), [past], users(s1=[IMPORT]))
    assert [each.role for each in case.candidates] == [IMPORT]
    assert case.registrations == (past,)
