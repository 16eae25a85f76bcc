"""Its stay: entered without its peer, left in time, with nothing left behind."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from router.conformance.alerts import alert
from router.conformance.harness import Harness, Peer
from router.conformance.scenario import forget, scenario, traces, until
from router.conformance.situations import Situation
from router.conformance.trial import entered, meeting
from router.ports import Certificate, Certified, Delivered, Link, Linked, Peered, Probes

_ROUNDS = 8


_OPEN = Path("/proc/self/fd")


def _descriptors() -> int:
    return len([*_OPEN.iterdir()])


async def _no_more_than(before: int, harness: Harness) -> None:
    if not await until(lambda: _descriptors() <= before, 0.1):
        forget()
    fewer = await until(lambda: _descriptors() <= before, harness.patience)
    assert fewer, f"{_descriptors() - before} more files or sockets are open than before"


async def _stays(harness: Harness, peer: Peer, number: int) -> None:
    """Entered, sent through, and left."""
    async with entered(harness, peer) as trial:
        await trial.number(number)


class StayTests:
    """Of the suite: entering and leaving."""

    @scenario(Situation.AWAY)
    async def test_it_is_entered_while_its_peer_is_away(self, harness: Harness) -> None:
        """Connecting belongs into the first `deliver`, whose failure is an Outcome."""
        async with harness.peer() as peer:
            await peer.turn(Situation.AWAY)
            async with entered(harness, peer):
                pass

    @scenario()
    async def test_it_leaves_though_nothing_was_sent(self, harness: Harness) -> None:
        """As on a lane where nothing happens; and no error is left that nobody hears of."""
        async with harness.peer() as peer:
            async with entered(harness, peer):
                pass
            forget()
            assert not traces().unheard, traces().unheard

    @scenario(Situation.SILENT)
    async def test_it_leaves_while_its_peer_is_silent(self, harness: Harness) -> None:
        """The router gives it 5 s: a peer that hangs must not keep it from ending."""
        async with meeting(harness, Situation.SILENT) as (peer, trial):
            sent = trial.begin(await trial.delivery(alert(61)))
            await peer.reached()
            await trial.cancelled(sent)

    @scenario()
    async def test_two_stand_side_by_side(self, harness: Harness) -> None:
        """A reload enters the new one before it leaves the old one."""
        async with (
            harness.peer() as peer,
            entered(harness, peer) as old,
            entered(harness, peer) as new,
        ):
            assert isinstance(await old.number(1), Delivered)
            assert isinstance(await new.number(2), Delivered)
            assert isinstance(await old.number(3), Delivered), "the second disturbs the first"

    @scenario()
    async def test_a_probe_is_an_outcome_and_no_message(self, harness: Harness) -> None:
        """Where it `Probes`: drills go no further than the door."""
        async with meeting(harness) as (peer, trial):
            if isinstance(trial.plain, Probes):
                assert isinstance(await trial.plain.probe(), Delivered)
                assert not await peer.taken(), "`probe` sent something"

    @scenario()
    async def test_it_can_be_asked_about_itself(self, harness: Harness) -> None:
        """`link`, `certificates` and `peer`, where it has them, for metrics and drills."""
        async with meeting(harness) as (_, trial):
            for _ in range(2):
                if isinstance(trial.plain, Linked):
                    assert isinstance(trial.plain.link(), Link), "`link` gave no Link"
                if isinstance(trial.plain, Certified):
                    found = [*trial.plain.certificates()]
                    right = all(isinstance(each, Certificate) for each in found)
                    assert right, "`certificates` gave others than Certificate"
                if isinstance(trial.plain, Peered):
                    shown = trial.plain.peer()
                    assert isinstance(shown, Certificate | None), "`peer` gave no Certificate"
                await trial.number(1)

    @scenario()
    async def test_no_task_is_left_behind(self, harness: Harness) -> None:
        """Whoever begins a task ends it in `__aexit__`."""
        async with harness.peer() as peer:
            await _stays(harness, peer, 1)
            ended = await until(lambda: not traces().tasks(), harness.patience)
            assert ended, f"these tasks run on after it was left: {traces().tasks()}"

    @scenario()
    async def test_no_error_is_left_that_nobody_hears_of(self, harness: Harness) -> None:
        """Of a task or callback that failed beside `deliver`."""
        async with harness.peer() as peer:
            await _stays(harness, peer, 2)
            await until(lambda: False, 0.02)
            forget()
            assert not traces().unheard, traces().unheard

    @scenario()
    async def test_no_descriptor_is_left_open(self, harness: Harness) -> None:
        """However often it is entered and left."""
        async with harness.peer() as peer:
            await _stays(harness, peer, 1)
            before = _descriptors()
            for number in range(2, 2 + _ROUNDS):
                await _stays(harness, peer, number)
            await _no_more_than(before, harness)

    @scenario(Situation.HANGS_UP)
    async def test_failures_leave_no_descriptor_open(self, harness: Harness) -> None:
        """Nor each send that fails, in one stay."""
        async with meeting(harness) as (peer, trial):
            await trial.number(1)
            await peer.turn(Situation.HANGS_UP)
            await trial.number(2)
            before = _descriptors()
            for number in range(3, 3 + _ROUNDS // 2):
                with suppress(AssertionError):  # what they answer is looked at elsewhere
                    await trial.number(number)
            await _no_more_than(before, harness)
