"""What lanes have of somebody else's adapter: each of its promises is looked at before it counts.

What it answers to a `deliver` is looked at where it arrives, in `answers.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import cache, partial
from typing import Any, cast

from router.files.secrecy import HIDDEN
from router.ports import (
    Adapter,
    Alert,
    Certificate,
    Certified,
    DeliversEach,
    Delivery,
    Link,
    Linked,
    Options,
    Outcome,
    Peered,
    Probes,
    Renders,
)
from router.ports.asking import Questions
from router.ports.delivery import MAX_BATCH, Answering
from router.ports.loading import TheirError, caught
from router.ports.origins import AdapterError, Origin


class Border(Adapter[Options]):
    """An adapter that was entered, as far as it is asked for; only `bordered` makes one."""

    Config = Options

    def __init__(
        self,
        adapter: Adapter[Options],
        batch: int,
        origin: Origin,
        redact: Callable[[str], str],
    ) -> None:
        self.batch = batch
        self.adapter = adapter
        self._questions = Questions(origin, redact)

    def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:  # type: ignore[override]
        """Whatever it gives, which `answers.asked` looks at: there is no second coroutine."""
        return self.adapter.deliver(deliveries)  # type: ignore[return-value]


class _WithLink(Border):
    def link(self) -> Link:
        """How its connection stands; down where it can't say."""
        adapter = cast(Linked, self.adapter)
        return self._questions.ask("link", adapter.link, Link) or Link(up=False, made=0)


class _WithCertificates(Border):
    def certificates(self) -> Sequence[Certificate]:
        """Those that it can say; read in a thread."""
        adapter = cast(Certified, self.adapter)
        found = (
            self._questions.ask("certificates", lambda: list(adapter.certificates()), list) or []
        )
        told = (each for each in found if isinstance(each, Certificate))
        taken = (self._questions.taken("certificates", each) for each in told)
        return [each for each in taken if each is not None]


class _WithRender(Border):
    def render(self, alert: Alert) -> bytes:
        """Its own; whoever calls it looks at the bytes."""
        return cast(Renders, self.adapter).render(alert)


class _WithEach(Border):
    def deliver_each(  # as with `deliver`
        self, requests: Sequence[Sequence[Delivery]], answer: Answering
    ) -> Coroutine[Any, Any, None]:
        """Whatever it gives."""
        return cast(DeliversEach, self.adapter).deliver_each(requests, answer)


class _WithProbe(Border):
    def probe(self) -> Coroutine[Any, Any, Outcome]:
        """Whatever it gives; whoever calls it looks at the answer."""
        return cast(Probes, self.adapter).probe()


class _WithPeer(Border):
    def peer(self) -> Certificate | None:
        """As it says."""
        adapter = cast(Peered, self.adapter)
        return self._questions.ask("peer", adapter.peer, (Certificate, type(None)))


_ABLE: dict[type, type[Border]] = {
    Linked: _WithLink,
    Certified: _WithCertificates,
    Renders: _WithRender,
    Probes: _WithProbe,
    Peered: _WithPeer,
    DeliversEach: _WithEach,
}


def bordered(
    adapter: Adapter[Options], origin: Origin, redact: Callable[[str], str] = str
) -> Border:
    """What lanes may have of it. AdapterError where `batch` or `deliver` is not as it must be."""
    try:
        batch = caught(lambda: adapter.batch)()
        deliver = caught(lambda: adapter.deliver)()
        able = caught(partial(_able, adapter))()
    except TheirError as raised:
        raise AdapterError(origin.blamed("is not whole", raised.error)) from raised.error
    if not isinstance(batch, int) or isinstance(batch, bool) or not 1 <= batch <= MAX_BATCH:
        what = f"has a `batch` that is no number from 1 to {MAX_BATCH}: {_shown(batch)}"
        raise AdapterError(origin.blamed(what))
    if not callable(deliver):
        raise AdapterError(origin.blamed("has a `deliver` that can't be called"))
    return _kind(able)(adapter, batch, origin, redact)


def _able(adapter: object) -> tuple[type, ...]:
    return tuple(each for each in _ABLE if isinstance(adapter, each))


@cache
def _kind(able: tuple[type, ...]) -> type[Border]:
    """A border with as many of the optional contracts as the adapter meets, so that whoever asks
    for one by its protocol is answered rightly."""
    bases = tuple(_ABLE[each] for each in able)
    return type("Border", bases, {}) if bases else Border


def _shown(value: object) -> str:
    return str(value) if isinstance(value, int | float | bool | None) else HIDDEN
