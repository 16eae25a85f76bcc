"""Messages on one channel, until the broker has said of each what became of it.

They are numbered in the order in which they are written, as the broker numbers them; it says of a
number, or of all up to it, that they are taken. Many go in one write, and many answers come in one
read: whoever waits for them is woken once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import takewhile

from router.ports import Outcome


class Answers:
    """Where the outcomes of some messages come together."""

    def __init__(self) -> None:
        self._came: list[tuple[Posting, Outcome]] = []
        self._news: asyncio.Future[None] | None = None

    def put(self, posting: Posting, outcome: Outcome) -> None:
        """This became of one of them."""
        self._came.append((posting, outcome))
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    def take(self) -> Sequence[tuple[Posting, Outcome]]:
        """What has come by now."""
        came, self._came = self._came, []
        return came

    async def more(self) -> Sequence[tuple[Posting, Outcome]]:
        """What comes next, and all that came with it."""
        if not self._came:
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        return self.take()


class Fate(Enum):
    """What a broker can say of a message."""

    TAKEN = auto()
    """A queue has it."""
    REFUSED = auto()
    """It did not take it, for the moment (nack)."""
    RETURNED = auto()
    """There is no queue for it."""
    UNCLEAR = auto()
    """There is none for it, or for an earlier one of its id that nobody waits for any more."""


@dataclass(eq=False, slots=True)
class Posting:
    """One message."""

    request: int
    """Which of the requests it belongs to."""
    members: Sequence[int]
    """Which Alerts of that are in it."""
    key: str
    number: str
    """Its message id."""
    size: int
    """Bytes of its body."""
    frames: bytes
    answers: Answers | None
    """Who waits; None: nobody any more."""
    under_way: bool = False


class Confirms:
    """All of one channel."""

    def __init__(self, judge: Callable[[Posting, Fate], Outcome], most: int) -> None:
        """`judge` says what it means for a message; `most` are under way at a time."""
        self._judge = judge
        self._most = most
        self._write: Callable[[bytes], None] = _nowhere
        self._unsent: deque[Posting] = deque()
        self._sent: dict[int, Posting] = {}
        """By number, in order."""
        self._last = 0
        self._under_way = 0
        """How many were sent and are waited for."""
        self._ended: Callable[[Posting], Outcome] | None = None

    def begin(self, write: Callable[[bytes], None]) -> None:
        """The channel stands: it is given blocks of frames."""
        self._write = write

    def post(self, postings: Sequence[Posting]) -> None:
        """Send these, in this order and behind what is not sent yet, as far as there is room."""
        self._unsent.extend(postings)
        if self._ended is not None:
            self.answer_all(self._ended)
        self._send()

    def give_up(self, postings: Sequence[Posting]) -> None:
        """Nobody waits for these any more."""
        for posting in postings:
            self._leave(posting)
        self._send()

    def confirmed(self, number: int, fate: Fate, *, multiple: bool) -> None:
        """The broker says so of one, or of all up to it."""
        if multiple:
            for each in list(takewhile(lambda sent: sent <= number, self._sent)):
                self._settle(each, fate)
        else:
            self._settle(number, fate)
        if self._unsent:
            self._send()

    def returned(self, number: str) -> None:
        """The broker has no queue for the message of this id; it confirms it all the same.

        One that was given up may be under way beside the same sent again, and a return does not
        say which it is: a queue may confirm the first long after there is none for the second.
        """
        found = [posting for posting in self._sent.values() if posting.number == number]
        fate = Fate.RETURNED if len(found) == 1 else Fate.UNCLEAR
        for posting in found:
            if posting.answers is not None:
                self._answer(posting, self._judge(posting, fate))

    def answer_all(self, outcome: Callable[[Posting], Outcome]) -> None:
        """All that waits has this outcome; numbers go on, as the broker counts on."""
        waiting = [*self._sent.values(), *self._unsent]
        self._unsent.clear()
        for posting in waiting:
            if posting.answers is not None:
                self._answer(posting, outcome(posting))

    def end(self, outcome: Callable[[Posting], Outcome]) -> None:
        """The channel is no more: nor for what is still to come."""
        self._ended = outcome
        self.answer_all(outcome)

    def _send(self) -> None:
        block: list[bytes] = []
        while self._unsent and self._under_way < self._most:
            posting = self._unsent.popleft()
            if posting.answers is not None:
                self._last += 1
                self._sent[self._last] = posting
                self._under_way += 1
                posting.under_way = True
                block.append(posting.frames)
                posting.frames = b""
        if block:
            self._write(b"".join(block))

    def _settle(self, number: int, fate: Fate) -> None:
        posting = self._sent.pop(number, None)
        if posting is not None and posting.answers is not None:
            self._answer(posting, self._judge(posting, fate))

    def _answer(self, posting: Posting, outcome: Outcome) -> None:
        answers = posting.answers
        self._leave(posting)
        if answers is not None:
            answers.put(posting, outcome)

    def _leave(self, posting: Posting) -> None:
        posting.answers = None
        posting.frames = b""
        if posting.under_way:
            posting.under_way = False
            self._under_way -= 1


def _nowhere(_: bytes) -> None:
    raise AssertionError("nothing is posted before the channel stands")
