"""What the broker says of our messages, and of which of them."""

import asyncio
from collections.abc import Sequence

import pytest

from adapters.rabbitmq.confirms import Answers, Confirms, Fate, Posting
from router.ports import Delivered, Outcome, Reason, Retry

pytestmark = pytest.mark.once

SHORT = Retry(Reason.BUSY, "short of disk")
LOST = Retry(Reason.NETWORK, "lost")


class Channel:
    """Confirms, what was written for them, and what is answered."""

    def __init__(self, most: int = 300) -> None:
        self.confirms = Confirms(self._judged, most)
        self.blocks: list[bytes] = []
        self.confirms.begin(self.blocks.append)
        self.answers = Answers()

    def post(self, *names: str) -> list[Posting]:
        postings = [
            Posting(place, [0], "N64", name, 1, name.encode(), self.answers)
            for place, name in enumerate(names)
        ]
        self.confirms.post(postings)
        return postings

    def said(self) -> list[str]:
        """What has come since the last time."""
        return [f"{posting.number} {_word(outcome)}" for posting, outcome in self.answers.take()]

    def _judged(self, _: Posting, fate: Fate) -> Outcome:
        return Delivered(fate.name.lower())


def _word(outcome: Outcome) -> str:
    return outcome.receipt if isinstance(outcome, Delivered) else outcome.detail


def test_a_block_goes_in_one_write() -> None:
    channel = Channel()
    channel.post("a", "b", "c")
    channel.post("d")
    assert channel.blocks == [b"abc", b"d"]


@pytest.mark.parametrize("fate", [Fate.TAKEN, Fate.REFUSED])
def test_one_or_all_up_to_it(fate: Fate) -> None:
    channel = Channel()
    channel.post("a", "b", "c", "d")
    word = fate.name.lower()
    channel.confirms.confirmed(2, fate, multiple=False)
    assert channel.said() == [f"b {word}"]
    channel.confirms.confirmed(3, fate, multiple=True)
    assert channel.said() == [f"a {word}", f"c {word}"]
    channel.confirms.confirmed(3, fate, multiple=True)
    channel.confirms.confirmed(99, fate, multiple=False)  # nobody has sent that
    assert channel.said() == []


def test_what_comes_back_is_confirmed_besides_and_answered_once() -> None:
    channel = Channel()
    channel.post("a", "b")
    channel.confirms.returned("b")
    channel.confirms.returned("of nobody")
    channel.confirms.confirmed(2, Fate.TAKEN, multiple=True)
    assert channel.said() == ["b returned", "a taken"]


@pytest.mark.parametrize("also", [False, True])
def test_a_return_of_one_that_was_sent_twice_says_not_of_which(also: bool) -> None:
    """Of the first it is no fault of now; of the second it must not count as taken."""
    channel = Channel()
    channel.confirms.give_up(channel.post("a"))
    channel.post("a", "b")
    channel.confirms.returned("a")
    assert channel.said() == ["a unclear"]
    if also:
        channel.confirms.returned("a")
    channel.confirms.confirmed(3, Fate.TAKEN, multiple=True)
    assert channel.said() == ["b taken"]
    channel.post("a")
    channel.confirms.returned("a")
    assert channel.said() == ["a returned"]


def test_no_more_than_so_many_are_under_way_and_the_order_stays() -> None:
    channel = Channel(most=2)
    channel.post("a", "b", "c")
    channel.post("d")
    assert channel.blocks == [b"ab"]
    channel.confirms.confirmed(1, Fate.TAKEN, multiple=False)
    channel.confirms.confirmed(2, Fate.TAKEN, multiple=False)
    assert channel.blocks == [b"ab", b"c", b"d"]
    channel.confirms.confirmed(4, Fate.TAKEN, multiple=True)
    assert channel.said() == ["a taken", "b taken", "c taken", "d taken"]


def test_what_nobody_waits_for_makes_room_and_keeps_its_number() -> None:
    channel = Channel(most=2)
    late = channel.post("a", "b", "c")
    channel.post("d", "e")
    channel.confirms.give_up(late)
    assert channel.blocks == [b"ab", b"de"]  # c is not sent any more
    channel.confirms.confirmed(3, Fate.TAKEN, multiple=True)
    assert channel.said() == ["d taken"]


def test_who_takes_nothing_answers_all_and_counts_on() -> None:
    channel = Channel(most=1)
    channel.post("a", "b")
    channel.confirms.answer_all(lambda _: SHORT)
    assert channel.said() == ["a short of disk", "b short of disk"]
    channel.post("c")
    assert channel.blocks == [b"a", b"c"]
    channel.confirms.confirmed(1, Fate.TAKEN, multiple=False)
    assert channel.said() == []
    channel.confirms.confirmed(2, Fate.TAKEN, multiple=False)
    assert channel.said() == ["c taken"]


def test_a_channel_that_ended_answers_what_comes_later_too() -> None:
    channel = Channel()
    channel.post("a")
    channel.confirms.end(lambda _: LOST)
    channel.post("b")
    assert channel.said() == ["a lost", "b lost"]
    assert channel.blocks == [b"a"]


async def test_who_waits_is_woken_once_for_all_that_came() -> None:
    channel = Channel()

    async def all_of_it() -> list[Sequence[object]]:
        return [await channel.answers.more(), await channel.answers.more()]

    waiting = asyncio.create_task(all_of_it())
    channel.post("a", "b", "c")
    await asyncio.sleep(0)
    channel.confirms.confirmed(2, Fate.TAKEN, multiple=True)
    await asyncio.sleep(0)
    channel.confirms.confirmed(3, Fate.TAKEN, multiple=False)
    assert [len(each) for each in await waiting] == [2, 1]
