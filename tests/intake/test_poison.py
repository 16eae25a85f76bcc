"""How a batch is cut around suspects, and after how many kills a fact is given up."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.samples import NOW

from router.deciding.batch import Arrival, note_of
from router.domain.words import QuarantineReason
from router.intake.poison import cut, given_up, hopeless
from router.ports import Cursor, Message


def arrival(number: int, *, suspect: bool = False) -> Arrival:
    return Arrival(Message(b"%d" % number, f"queue#{number}"), "dsp", NOW, suspect=suspect)


@given(st.lists(st.booleans(), max_size=12), st.integers(0, 12))
def test_suspects_are_alone_and_all_stay_in_order(suspected: list[bool], noted: int) -> None:
    arrivals = [arrival(number, suspect=each) for number, each in enumerate(suspected)]
    pieces = cut(arrivals, {note_of(arrival(noted))})
    assert [each for piece in pieces for each in piece.arrivals] == arrivals
    for piece in pieces:
        guilty = [each.suspect or each.message.body == b"%d" % noted for each in piece.arrivals]
        assert guilty == [True] if piece.alone else not any(guilty)
    for one, other in pairwise(pieces):
        assert one.alone or other.alone  # neighbours are not cut without need


@pytest.mark.parametrize(
    ("kills", "deliveries", "expected"),
    [
        (0, 1000, False),  # restarts and lost connections alone condemn nobody
        (1, 1000, False),
        (2, 0, False),  # released: nobody counted how often it was given out
        (2, 2, False),
        (2, 3, True),
        (3, 0, True),
    ],
)
def test_what_was_seen_to_kill_is_given_up(kills: int, deliveries: int, expected: bool) -> None:
    assert hopeless(kills, deliveries) is expected


def test_what_is_given_up_waits_as_it_came_with_what_to_do() -> None:
    came = Arrival(Message(b"{", "queue#1", Cursor("queue", 7)), "dsp", NOW, suspect=True)
    batch = given_up(came, 3, NOW)
    (waits,) = batch.quarantined
    assert (waits.arrival, waits.reason, waits.found.body) == (came, QuarantineReason.ENGINE, b"{")
    assert "died 3 times" in waits.detail
    assert "`hubherald quarantine show`" in waits.detail
    assert "release it once the router is mended" in waits.detail
    assert "\n" not in waits.detail
    assert batch.cursors == {("dsp", "queue"): Cursor("queue", 7)}
