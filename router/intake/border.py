"""What the intake has of somebody else's source: whatever it does, others are read on.

A source that raises, gives what is no Message, or ends by itself, is down with the reason, and is
made anew after a while, from where it had got to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import cache, partial
from typing import cast

from router.errors import UsageError
from router.files.redaction import in_one_line
from router.intake.breach import Breach, BrokenOff
from router.intake.inhand import InHand
from router.intake.messages import NotOfASource, checked
from router.ports import CountsFiles, Cursor, FileCounts, Link, Linked, Message, Options, Source
from router.ports.asking import Questions
from router.ports.loading import TheirError, caught
from router.ports.origins import AdapterError, Origin
from router.ports.stay import Stay, aloof
from router.ports.theirs import enter_theirs

ENTER = 30.0
"""Seconds that a source has to set itself up."""
PROMPT = 2.0
"""Seconds that the start waits for it; others need not wait for more."""
LEAVE = 5.0
"""Seconds that it has to leave."""
ACKNOWLEDGE = 10.0
"""Seconds that it has to take note of what is committed: all others wait as long."""
AGAIN = (5.0, 60.0, 120.0, 300.0, 900.0, 1800.0)
"""Seconds until a source that failed is made anew; the last goes on."""
Make = Callable[[], Source[Options]]


class BorderedSource(Source[Options]):
    """A source with its life; only `bordered` makes one."""

    Config = Options

    def __init__(self, make: Make, origin: Origin, redact: Callable[[str], str]) -> None:
        self._make = make
        self._questions = Questions(origin, redact)
        self.source: Source[Options] | None = None
        """As it was made last."""
        self._stay: Stay | None = None
        self._is_in = False
        self._fault: str | None = None
        self._breach = Breach()
        """Made where it did not come back when it was told what is committed, or left by itself."""
        self._in_hand = InHand()
        self._ended = False

    async def begin(self) -> None:
        """Make it and enter it; one that takes long is entered later. UsageError where it says
        so: then the router does not start."""
        try:
            stay = self._made()
            if await stay.ready(PROMPT):  # else `messages` waits on
                await stay.enter(0.0)
                self._is_in = True
        except TheirError as raised:
            if isinstance(raised.error, UsageError):
                raise raised.error from None
            self._failed("could not be set up", raised.error)
            await self.end()

    async def end(self) -> None:
        """Have it leave; what goes wrong there harms nobody."""
        stay, self._stay, self._is_in = self._stay, None, False
        if stay is None:
            return
        try:
            await stay.leave(LEAVE)
        except TheirError as raised:
            if stay.over:
                self._failed("failed", raised.error)
            else:
                self._questions.tell("leave", "failed when it left", raised.error)
        except TimeoutError:
            self._questions.tell("leave", f"did not leave within {LEAVE:g} s")

    async def messages(
        self, cursors: Mapping[str, Cursor]
    ) -> AsyncGenerator[Message | Cursor, None]:
        """Every Message that is one, for ever."""
        enter_theirs()
        reached, failures = dict(cursors), 0
        if self._fault is not None:
            await asyncio.sleep(AGAIN[0])
        while True:
            try:
                source = await self._entered()
                async with aclosing(self._breach.until(source.messages(reached))) as given:
                    async for each in given:
                        cursor = checked(each)
                        if cursor is not None:
                            reached[cursor.key] = cursor
                        failures, self._fault = 0, None
                        yield self._in_hand.taken(each) if isinstance(each, Message) else each
                self._ended = self._questions.ask("exhausted", source.exhausted, bool) is True
                self._failed("ended, though a source gives messages for ever")
            except GeneratorExit:
                raise
            except BrokenOff:
                pass  # with the reason told
            except NotOfASource as error:
                self._failed(str(error))
            except TimeoutError as error:
                self._failed(f"was not ready within {ENTER:g} s", error)
            except BaseException as error:
                if _is_cancelled(error):
                    raise
                raised = error.error if isinstance(error, TheirError) else error
                self._failed("failed", raised)
            await self.end()
            await asyncio.sleep(AGAIN[min(failures, len(AGAIN) - 1)])
            failures += 1

    async def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell it of those that it gave itself, not one made before it; one that does not come back
        is made anew."""
        source, own = self.source, self._in_hand.settled(messages)
        if source is None or not own or self._breach.made or not self._is_in:
            return
        try:
            await aloof(_tell(source, own), ACKNOWLEDGE)
        except TheirError as raised:
            self._questions.tell("acknowledge", "failed at `acknowledge`", raised.error)
        except TimeoutError:
            if source is self.source:
                self._broken(f"did not come back from `acknowledge` within {ACKNOWLEDGE:g} s")

    def exhausted(self) -> bool:
        """False while nobody knows."""
        if self.source is None or not self._is_in or self._fault is not None:
            return self._ended
        return self._questions.ask("exhausted", self.source.exhausted, bool) is True

    def down(self) -> str | None:
        """Why nothing comes from it."""
        if self.source is None or not self._is_in or self._fault is not None:
            return self._fault or "not entered yet"
        said = self._questions.ask("down", self.source.down, str | None)  # type: ignore[arg-type]
        return in_one_line(self._questions.redact(said)) if said else None

    def _made(self) -> Stay:
        if self._stay is None:
            self.source, self._ended = caught(self._make)(), False
            self._breach, self._in_hand = Breach(), InHand()
            self._stay = Stay(self.source)
        return self._stay

    async def _entered(self) -> Source[Options]:
        stay = self._made()
        await stay.enter(ENTER)
        self._is_in = True
        stay.when_over(partial(self._over, stay))
        assert self.source is not None
        return self.source

    def _over(self, stay: Stay) -> None:
        if stay is self._stay:
            self._broken("left by itself, as if one of its tasks had failed")

    def _broken(self, what: str) -> None:
        self._failed(what)
        self._breach.make()

    def _failed(self, what: str, error: BaseException | None = None) -> None:
        if isinstance(error, AdapterError):
            self._fault = self._questions.redact(str(error))
        else:
            self._fault = self._questions.tell(what, what, error)


class _SourceWithLink(BorderedSource):
    def link(self) -> Link:
        """How its connection stands; down where it can't say."""
        return self._questions.ask("link", self._link, Link) or Link(up=False, made=0)

    def _link(self) -> Link:
        return cast(Linked, self.source).link()


class _SourceWithFiles(BorderedSource):
    def files(self) -> FileCounts:
        """As it says."""
        return self._questions.ask("files", self._files, FileCounts) or FileCounts()

    def _files(self) -> FileCounts:
        return cast(CountsFiles, self.source).files()


class _SourceWithBoth(_SourceWithLink, _SourceWithFiles):
    """A source that keeps a connection and takes files."""


def bordered(
    kind: type[Source[Options]], make: Make, origin: Origin, redact: Callable[[str], str]
) -> BorderedSource:
    """Such a source, to be begun; with as many of the optional contracts as its class meets."""
    return _class_for(kind)(make, origin, redact)


@cache
def _class_for(kind: type) -> type[BorderedSource]:
    able = (issubclass(kind, Linked), issubclass(kind, CountsFiles))
    return {
        (True, False): _SourceWithLink,
        (False, True): _SourceWithFiles,
        (True, True): _SourceWithBoth,
        (False, False): BorderedSource,
    }[able]


async def _tell(source: Source[Options], messages: Sequence[Message]) -> None:
    await source.acknowledge(messages)


def _is_cancelled(error: BaseException) -> bool:
    """Whether it is we who end it."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
