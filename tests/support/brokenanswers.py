"""Pagers that are broken in one thing each: in what answers mean, and in deadlines.

By the test of the suite that must find it, and no other must.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from router.ports import (
    ChannelFault,
    Closed,
    Delivered,
    Delivery,
    Outcome,
    Reason,
    Refused,
    Retry,
)
from support.brokenstays import sequence
from support.pager import Line, PagerAdapter, PagerOptions


def says(answer: str, outcome: Outcome) -> type[PagerAdapter]:
    """A pager that takes this answer for that."""

    def meaning(self: PagerAdapter, said: str) -> Outcome:
        return outcome if said.startswith(answer) else PagerAdapter.meaning(self, said)

    return type("Broken", (PagerAdapter,), {"meaning": meaning})


class MakesOf(PagerAdapter):
    """Another outcome, of some."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [self.turned(each) for each in await super().deliver(deliveries)]

    def turned(self, outcome: Outcome) -> Outcome:
        raise NotImplementedError


class BearsAGrudge(PagerAdapter):
    grudge: Outcome | None = None

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        found = await super().deliver(deliveries)
        if len(found) == 1 and isinstance(found[0], Refused):
            self.grudge = found[0]
        return [self.grudge or each for each in found]


class BlamesTheAddress(MakesOf):
    def turned(self, outcome: Outcome) -> Outcome:
        wrong = isinstance(outcome, Closed) and outcome.reason is ChannelFault.CREDENTIALS
        return Closed(ChannelFault.ENDPOINT, "no") if wrong else outcome


class GivesUp(PagerAdapter):
    async def dial(self) -> Line:
        try:
            return await super().dial()
        except ConnectionRefusedError:
            self.lost = True
            raise

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        if getattr(self, "lost", False):
            return [Retry(Reason.NETWORK, "it was away")] * len(deliveries)
        return await super().deliver(deliveries)


class BlamesTheAlert(PagerAdapter):
    async def dial(self) -> Line:
        try:
            return await super().dial()
        except ConnectionRefusedError:
            self.refused = True
            raise

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.refused = False
        found = await super().deliver(deliveries)
        refused = Refused(Reason.NETWORK, "nobody is there")
        return [refused] * len(deliveries) if self.refused else found


class Hopes(PagerAdapter):
    """That what ends without an answer has arrived."""

    error: type[Exception] = asyncio.IncompleteReadError

    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        try:
            return await super().ask(line, deliveries)
        except self.error:
            line[1].close()
            return [Delivered("it will have arrived")] * len(deliveries)


class TakesNonsense(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        found = await super().deliver(deliveries)
        return [Delivered("what is no no is a yes")] if self.nonsense else found

    nonsense = False

    async def say(self, line: Line, lines: Sequence[bytes]) -> list[str]:
        try:
            return await super().say(line, lines)
        except UnicodeDecodeError:
            self.nonsense = True
            raise


# --- deadlines --------------------------------------------------------------------------------


def hears(line: Line) -> bool:
    """Whether a part of an answer has come."""
    return bool(line[0]._buffer)  # type: ignore[attr-defined]


def sent_when(when: Callable[[Line | None], bool]) -> type[PagerAdapter]:
    """One that calls it sent then."""

    class Sent(PagerAdapter):
        async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
            self.asked: Line | None = None
            try:
                return await super().deliver(deliveries)
            except asyncio.CancelledError:
                if when(self.asked):
                    return [Delivered("time is up")] * len(deliveries)
                raise

        async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
            self.asked = line
            return await super().ask(line, deliveries)

    return Sent


class KeepsAll(PagerAdapter):
    async def say(self, line: Line, lines: Sequence[bytes]) -> list[str]:
        reader, writer = line
        writer.write(b"".join(each + b"\n" for each in lines))
        came = b""
        while came.count(b"\n") < len(lines):
            more = await reader.read(2**20)
            if not more:
                raise EOFError
            came += more
        return came.decode().splitlines()


class ReadsOnce(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.once = sequence(deliveries) == 341
        return await super().deliver(deliveries)

    async def say(self, line: Line, lines: Sequence[bytes]) -> list[str]:
        if not self.once:
            return await super().say(line, lines)
        line[1].write(b"".join(each + b"\n" for each in lines))
        return [(await line[0].read(100)).decode().strip()]


class GoesOn(PagerAdapter):
    """Though it is cancelled; for a while, as the test has to end."""

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        try:
            return await super().deliver(deliveries)
        except asyncio.CancelledError:
            if sequence(deliveries) != 352:
                raise
            for _ in range(400):
                await asyncio.sleep(0.01)
            raise


class IsLostWhenCancelled(PagerAdapter):
    lost = False

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        if self.lost:
            return [Retry(Reason.NETWORK, "the session is closed")] * len(deliveries)
        try:
            return await super().deliver(deliveries)
        except asyncio.CancelledError:
            self.lost = True
            raise


class CutsEverybodyOff(PagerAdapter):
    def __init__(self, config: PagerOptions) -> None:
        super().__init__(config)
        self.busy: list[Line] = []

    async def say(self, line: Line, lines: Sequence[bytes]) -> list[str]:
        self.busy.append(line)
        try:
            return await super().say(line, lines)
        except asyncio.CancelledError:
            for each in self.busy:
                each[1].transport.abort()
            raise
        finally:
            self.busy.remove(line)


class Blocks(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        if sequence(deliveries) == 381:
            time.sleep(60)  # noqa: ASYNC251 - the fault
        return await super().deliver(deliveries)


BROKEN: Mapping[str, type[PagerAdapter]] = {
    "what_passes_by_itself_is_tried_again": says("busy", Refused(Reason.BUSY, "busy")),
    "who_asks_to_be_left_alone_is": says("rest", Retry(Reason.BUSY, "a rest")),
    "what_is_never_taken_is_refused": says("no", Retry(Reason.REJECTED, "no")),
    "a_refusal_costs_no_later_alert": BearsAGrudge,
    "who_is_not_let_in_closes_the_lane": BlamesTheAddress,
    "where_nobody_takes_alerts_the_lane_is_closed": says(
        "missing", Closed(ChannelFault.CREDENTIALS, "missing")
    ),
    "who_is_away_is_tried_again": BlamesTheAlert,
    "who_was_away_is_found_again": GivesUp,
    "an_answer_that_never_comes_is_none": Hopes,
    "nonsense_is_no_answer": TakesNonsense,
    "each_failure_says_what_happened": says("busy", Retry(Reason.BUSY)),
    "a_silent_peer_costs_one_deadline": sent_when(lambda line: line is None),
    "an_answer_that_is_lost_costs_one_deadline": sent_when(
        lambda line: line is not None and not hears(line)
    ),
    "an_answer_that_never_ends_costs_one_deadline": sent_when(
        lambda line: line is not None and hears(line)
    ),
    "an_answer_without_bounds_is_not_kept": KeepsAll,
    "a_slow_answer_is_waited_for": ReadsOnce,
    "who_is_cancelled_ends_at_once": GoesOn,
    "what_was_cancelled_can_be_sent_again": IsLostWhenCancelled,
    "who_is_cancelled_harms_no_other": CutsEverybodyOff,
    "the_event_loop_goes_on": Blocks,
}
