"""Which channel takes over from which, and what waits in vain."""

from __future__ import annotations

import pytest
from support.samples import NOW, user

from router.lanes.succession import stranded, successions
from router.lanes.values import LaneKey, LaneRow

A, B = user(1), user(2)


def rows(named: str, gone: str = "", *, of: str = A, waiting: int = 3) -> dict[LaneKey, LaneRow]:
    """A user's lanes, one for each letter: those that the file named, and those that had gone."""
    return {
        (of, channel): LaneRow(
            number,
            of,
            channel,
            None,
            failing=False,
            named=channel in named,
            waiting=waiting,
            oldest=NOW if waiting else None,
        )
        for number, channel in enumerate(named + gone)
    }


def keys(channels: str, of: str = A) -> list[LaneKey]:
    return [(of, channel) for channel in channels]


@pytest.mark.parametrize(
    ("before", "after", "taken"),
    [
        ("a", "b", "a>b"),
        ("ax", "bx", "a>b"),
        ("a", "a", ""),
        ("ab", "c", ""),
        ("a", "bc", ""),
        ("ab", "a", ""),
        ("a", "ab", ""),
        ("ab", "cd", ""),
        ("", "a", ""),
    ],
)
def test_one_for_one_and_nothing_else(before: str, after: str, taken: str) -> None:
    found = successions(rows(before), keys(after))
    assert ["".join((old[1], ">", new[1])) for old, new in found.items()] == taken.split()


def test_a_channel_that_comes_back_comes() -> None:
    assert successions(rows("b", gone="a"), keys("a")) == {(A, "b"): (A, "a")}
    assert successions(rows("b", gone="a"), keys("ab")) == {}


def test_what_went_before_does_not_go_again() -> None:
    assert successions(rows("b", gone="a"), keys("bc")) == {}
    assert successions(rows("b", gone="a"), keys("c")) == {(A, "b"): (A, "c")}


def test_a_channel_goes_though_nothing_waits_on_it() -> None:
    """Two channels went: that nothing waits on one now says nothing of what the new one is for."""
    before = {**rows("a"), **{(A, "b"): rows("b", waiting=0)[(A, "b")]}}
    assert successions(before, keys("c")) == {}


def test_of_a_user_who_was_away_goes_what_still_holds_something() -> None:
    assert successions(rows("", gone="a"), keys("b")) == {(A, "a"): (A, "b")}
    assert successions(rows("", gone="a"), keys("a")) == {}
    assert successions(rows("", gone="ab"), keys("c")) == {}
    assert successions(rows("", gone="a", waiting=0), keys("b")) == {}


def test_a_user_who_goes_keeps_what_waits() -> None:
    assert successions(rows("a"), keys("b", of=B)) == {}
    assert stranded(rows("a"), keys("b", of=B)) == []


def test_each_user_is_looked_at_alone() -> None:
    both = {**rows("a"), **rows("a", of=B)}
    assert successions(both, [*keys("b"), *keys("bc", of=B)]) == {(A, "a"): (A, "b")}
    (left,) = stranded(both, [*keys("b"), *keys("bc", of=B)])
    assert (left.service_user_id, left.channel, left.others) == (B, "a", ("b", "c"))


def test_who_waits_in_vain_is_told_with_what_to_do() -> None:
    (left,) = stranded(rows("ab", waiting=1200), keys("b"))
    said = str(left)
    assert said.startswith(f"1,200 Alerts wait on {A}/a, which service_users.yaml does not name")
    assert f"the oldest since {NOW:%Y-%m-%d}T" in said
    assert said.endswith(f"you move them: `hubherald lanes move {A}/a {A}/b`")
    assert stranded(rows("ab", waiting=0), keys("b")) == []
    assert stranded(rows("a", waiting=2), keys("b")) == []  # the other takes them over
    several = str(stranded(rows("a", waiting=1), keys("cb"))[0])
    assert several.startswith("1 Alert waits on")
    assert f"`hubherald lanes move {A}/a {A}/b` or `hubherald lanes move {A}/a {A}/c`" in several
