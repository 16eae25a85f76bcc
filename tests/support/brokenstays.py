"""Pagers that are broken in one thing each: in their options, as they stay, and in what arrives.

By the test of the suite that must find it, and no other must.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, ClassVar
from weakref import WeakSet

from pydantic import ConfigDict, Field

from router.conformance import Ability, because
from router.ports import Delivered, Delivery, Options, Outcome, Retry, Secret, Unfit
from support.pager import Line, PagerAdapter, PagerHarness, PagerOptions

COUNT = itertools.count()
LEFT: list[int] = []
"""Descriptors that somebody forgot; whoever tests that closes them."""


def sequence(deliveries: Sequence[Delivery]) -> int:
    """By which a fault knows whom it is for."""
    return deliveries[0].alert.sequence


def with_options(model: type[Options]) -> type[PagerAdapter]:
    """A pager that takes these."""
    return type("Broken", (PagerAdapter,), {"Config": model})


class DeniesBatches(PagerHarness):
    """Declares what is not so."""

    cannot = because("I say so", Ability.BATCHES)


class TakesARate(PagerOptions):
    rate: Annotated[int, Field(description="mine")] = 1


class SaysNothing(PagerOptions):
    level: int = 1


class TakesAll(PagerOptions):
    model_config = ConfigDict(extra="ignore")


class TakesAnyPort(PagerOptions):
    port: Annotated[int, Field(description="where it listens")]


class NeedsNoPassword(PagerOptions):
    password: Annotated[Secret | None, Field(description="needed all the same")] = None  # type: ignore[assignment]


class NeedsItLater(PagerAdapter):
    Config = NeedsNoPassword

    def __init__(self, config: PagerOptions) -> None:
        super().__init__(config)
        config.password.get_secret_value()


class NeverTheSame(PagerOptions):
    made: Annotated[int, Field(description="when", default_factory=lambda: next(COUNT))]


class UnfitByText(PagerOptions):
    def unfit(self) -> Sequence[Unfit]:
        return ""  # type: ignore[return-value]


# --- its stay ---------------------------------------------------------------------------------


class ConnectsAtOnce(PagerAdapter):
    async def __aenter__(self) -> Any:
        with suppress(ssl.SSLError, PermissionError, EOFError, ConnectionResetError):
            self.idle.append(await self.dial())
        return self


async def fails() -> None:
    """For nobody."""
    raise RuntimeError("nobody hears this")


class MissesASend(PagerAdapter):
    async def __aexit__(self, *exc: object) -> None:
        if not self.made:
            asyncio.get_running_loop().call_soon(int, "nobody hears this")
            await asyncio.sleep(0.01)
        await super().__aexit__()


class WaitsForTheLast(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.waits = sequence(deliveries) == 61
        found = await super().deliver(deliveries)
        self.waits = False
        return found

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__()
        if getattr(self, "waits", False):
            await asyncio.sleep(3)


class ThereIsOne(PagerAdapter):
    others: ClassVar[WeakSet[ThereIsOne]] = WeakSet()

    def __init__(self, config: PagerOptions) -> None:
        super().__init__(config)
        for other in self.others:
            other.over = True
        self.over = False
        self.others.add(self)

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        assert not self.over
        return await super().deliver(deliveries)


class KnowsNoLink(PagerAdapter):
    def link(self) -> Any:
        return None


class ProbesByWord(PagerAdapter):
    async def probe(self) -> Any:
        return "well"


class LeavesATask(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.task = asyncio.create_task(asyncio.sleep(3600))
        return await super().deliver(deliveries)


class LeavesAnError(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        asyncio.create_task(fails())  # noqa: RUF006
        return await super().deliver(deliveries)


class LeavesAFile(PagerAdapter):
    async def __aenter__(self) -> Any:
        LEFT.append(os.open(os.devnull, os.O_RDONLY))
        return self


class LeavesAFileWhenItFails(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        found = await super().deliver(deliveries)
        if isinstance(found[0], Retry):
            LEFT.append(os.open(os.devnull, os.O_RDONLY))
        return found


# --- what arrives -----------------------------------------------------------------------------


class Changes(PagerAdapter):
    """Some bytes, of some deliveries."""

    def bytes_of(self, delivery: Delivery) -> bytes:
        return self.changed(delivery.body, delivery.alert.sequence)

    def changed(self, body: bytes, number: int) -> bytes:
        raise NotImplementedError


class SpacesOut(Changes):
    def changed(self, body: bytes, number: int) -> bytes:
        return body + b" " if number == 2 else body


class KnowsFewCharacters(Changes):
    def changed(self, body: bytes, number: int) -> bytes:
        return body.replace("\u2028".encode(), b" ")


class CutsShort(PagerAdapter):
    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        if len(deliveries) == 1 and len(deliveries[0].body) > 2_000:
            return [Delivered("too long")]
        return await super().ask(line, deliveries)


class TakesTheFirstOnTrust(PagerAdapter):
    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        if sequence(deliveries) == 1:
            return [Delivered("surely")]
        return await super().ask(line, deliveries)


class HoldsOneBack(PagerAdapter):
    held: Delivery | None = None

    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        if sequence(deliveries) == 12:
            (self.held,) = deliveries
            return [Delivered("later")]
        if sequence(deliveries) == 13 and self.held is not None:
            return (await super().ask(line, [*deliveries, self.held]))[:1]
        return await super().ask(line, deliveries)


class NotesTheSecondTime(PagerAdapter):
    """In singles, or in batches."""

    single = True

    def __init__(self, config: PagerOptions) -> None:
        super().__init__(config)
        self.seen: set[int] = set()

    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        found = await super().ask(line, deliveries)
        if (len(deliveries) == 1) is self.single:
            self.seen |= {each.alert.sequence for each in deliveries}
        return found

    def bytes_of(self, delivery: Delivery) -> bytes:
        return delivery.body + b" " if delivery.alert.sequence in self.seen else delivery.body


class NotesTheSecondBatch(NotesTheSecondTime):
    single = False


class LosesSomeOfMany(PagerAdapter):
    under_way = 0

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.under_way += 1
        try:
            if self.under_way > 8:
                return [Delivered("too many")] * len(deliveries)
            return await super().deliver(deliveries)
        finally:
            self.under_way -= 1


class AnswersOnce(PagerAdapter):
    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        found = await super().ask(line, deliveries)
        return found[:1] if sequence(deliveries) == 101 else found


class TurnsPairsRound(PagerAdapter):
    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        pair = len(deliveries) == 2
        return await super().ask(line, deliveries[::-1] if pair else deliveries)


class LosesTheLastOfABatch(PagerAdapter):
    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        if len(deliveries) == 1 and deliveries[0].batch:
            return [Delivered("alone")]
        return await super().ask(line, deliveries)


class SendsTenAtMost(PagerAdapter):
    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        found = await super().ask(line, deliveries[:10])
        return found + found[:1] * (len(deliveries) - len(found))


class AllOrNone(PagerAdapter):
    async def ask(self, line: Line, deliveries: Sequence[Delivery]) -> list[Outcome]:
        found = await super().ask(line, deliveries)
        worst = next((each for each in found if not isinstance(each, Delivered)), found[0])
        return [worst] * len(found)


def harness(adapter: type[PagerAdapter], folder: Path) -> PagerHarness:
    """A pager's, with this in its place."""
    made = PagerHarness(folder)
    made.adapter = adapter  # type: ignore[misc]
    return made


BROKEN: Mapping[str, type[PagerAdapter]] = {
    "its_options_are_fit_for_a_channel": with_options(TakesARate),
    "each_option_says_what_it_is": with_options(SaysNothing),
    "an_unknown_option_is_told_where_it_stands": with_options(TakesAll),
    "a_wrong_option_is_told_where_it_stands": with_options(TakesAnyPort),
    "what_passes_is_enough": NeedsItLater,
    "equal_options_are_equal": with_options(NeverTheSame),
    "good_files_are_fit": with_options(UnfitByText),
    "it_is_entered_while_its_peer_is_away": ConnectsAtOnce,
    "it_leaves_though_nothing_was_sent": MissesASend,
    "it_leaves_while_its_peer_is_silent": WaitsForTheLast,
    "two_stand_side_by_side": ThereIsOne,
    "it_can_be_asked_about_itself": KnowsNoLink,
    "a_probe_is_an_outcome_and_no_message": ProbesByWord,
    "no_task_is_left_behind": LeavesATask,
    "no_error_is_left_that_nobody_hears_of": LeavesAnError,
    "no_descriptor_is_left_open": LeavesAFile,
    "failures_leave_no_descriptor_open": LeavesAFileWhenItFails,
    "an_alert_arrives": TakesTheFirstOnTrust,
    "its_bytes_arrive_as_they_are": SpacesOut,
    "all_characters_arrive_as_they_are": KnowsFewCharacters,
    "the_longest_alert_arrives_whole": CutsShort,
    "alerts_arrive_in_order": HoldsOneBack,
    "the_same_alert_may_come_again": NotesTheSecondTime,
    "many_arrive_at_once": LosesSomeOfMany,
    "each_of_a_batch_has_an_outcome": AnswersOnce,
    "a_batch_arrives_in_order": TurnsPairsRound,
    "a_batch_of_one_arrives": LosesTheLastOfABatch,
    "the_largest_batch_arrives": SendsTenAtMost,
    "a_batch_may_come_again": NotesTheSecondBatch,
    "one_that_is_refused_costs_no_other_of_its_batch": AllOrNone,
}
"""All but what a harness declares wrongly."""
