"""Pagers that are broken in one thing each: in connections, TLS and secrets.

By the test of the suite that must find it, and no other must.
"""

from __future__ import annotations

import logging
import ssl
import warnings
from collections.abc import Mapping, Sequence

from router.ports import ChannelFault, Closed, Delivery, Outcome, Refused
from support.brokenanswers import MakesOf
from support.brokenstays import sequence
from support.pager import Line, PagerAdapter

# --- connections and TLS ----------------------------------------------------------------------


class HangsUpEachTime(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        found = await super().deliver(deliveries)
        while self.idle:
            self.close(self.idle.pop())
        return found


class DialsTwice(PagerAdapter):
    under_way = 0

    async def dial(self) -> Line:
        self.under_way += 1
        try:
            if self.under_way > 8:
                self.close(await super().dial())
            return await super().dial()
        finally:
            self.under_way -= 1


class Insists(PagerAdapter):
    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        tries = 4 if sequence(deliveries) == 442 else 1
        return [await super(Insists, self).deliver(deliveries) for _ in range(tries)][-1]


class StaysOnTheLine(PagerAdapter):
    last = 0

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.last = sequence(deliveries)
        return await super().deliver(deliveries)

    async def __aexit__(self, *exc: object) -> None:
        if self.last != 421:
            await super().__aexit__()


class TrustsADeadLine(PagerAdapter):
    async def line(self) -> Line:
        return self.idle.pop() if self.idle else await self.dial()

    def close(self, line: Line) -> None:
        dead = line[0].at_eof() and self.made == 1 and self.number == 432
        self.idle.append(line) if dead else super().close(line)

    number = 0

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        self.number = sequence(deliveries)
        return await super().deliver(deliveries)

    async def __aexit__(self, *exc: object) -> None:
        self.number = 0
        await super().__aexit__()


class TrustsTheSystemAlone(PagerAdapter):
    def tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context() if self.secure else None


class LooksAway(PagerAdapter):
    """From some faults of certificates, by OpenSSL's number."""

    faults: frozenset[int] = frozenset()
    blind = False

    async def dial(self) -> Line:
        try:
            return await super().dial()
        except ssl.SSLCertVerificationError as error:
            if error.verify_code not in self.faults:
                raise
            self.blind = True
            return await super().dial()

    def tls(self) -> ssl.SSLContext | None:
        found = super().tls()
        if self.blind and found is not None:
            found.check_hostname, found.verify_mode = False, ssl.CERT_NONE
        return found


def looks_away(*faults: int) -> type[PagerAdapter]:
    """From these."""
    return type("Broken", (LooksAway,), {"faults": frozenset(faults)})


class KnowsOldTls(PagerAdapter):
    def tls(self) -> ssl.SSLContext | None:
        found = super().tls()
        if found is not None:
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                found.minimum_version = ssl.TLSVersion.TLSv1_1
            found.set_ciphers("ALL:@SECLEVEL=0")
        return found


class FallsBack(PagerAdapter):
    plain = False

    @property
    def secure(self) -> bool:
        return super().secure and not self.plain

    async def dial(self) -> Line:
        try:
            return await super().dial()
        except ssl.SSLCertVerificationError:
            raise
        except (ssl.SSLError, ConnectionError):
            if not self.secure:
                raise
            self.plain = True
            return await super().dial()


# --- secrets ----------------------------------------------------------------------------------


class QuotesItsPassword(MakesOf):
    def turned(self, outcome: Outcome) -> Outcome:
        wrong = isinstance(outcome, Closed) and outcome.reason is ChannelFault.CREDENTIALS
        password = self.config.password.get_secret_value()
        return Closed(ChannelFault.CREDENTIALS, f"it knows no {password}") if wrong else outcome


class DumpsTheAnswer(MakesOf):
    def turned(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Refused):
            return Refused(outcome.reason, f"dump: {outcome.detail.encode().hex()}")
        return outcome


class LogsItsPassword(PagerAdapter):
    async def dial(self) -> Line:
        logging.getLogger("pager").debug("hello %s", self.config.password.get_secret_value())
        return await super().dial()


class ShowsItself(PagerAdapter):
    def __repr__(self) -> str:
        return f"Pager({self.config.password.get_secret_value()})"


BROKEN: Mapping[str, type[PagerAdapter]] = {
    "one_connection_serves_many_alerts": HangsUpEachTime,
    "connections_are_bounded_by_what_is_under_way": DialsTwice,
    "what_fails_is_not_tried_again_by_itself": Insists,
    "who_leaves_closes_its_connections": StaysOnTheLine,
    "a_connection_that_ended_while_it_waited_costs_one_try": TrustsADeadLine,
    "who_is_trusted_gets_alerts": TrustsTheSystemAlone,
    "who_nobody_vouches_for_gets_nothing": looks_away(18, 19, 20, 21),
    "who_is_somebody_else_gets_nothing": looks_away(62, 64),
    "who_did_not_renew_gets_nothing": looks_away(10),
    "who_knows_old_tls_alone_gets_nothing": KnowsOldTls,
    "who_knows_no_tls_gets_nothing": FallsBack,
    "no_outcome_holds_a_secret": QuotesItsPassword,
    "what_the_other_side_repeats_is_not_told": DumpsTheAnswer,
    "no_log_holds_a_secret": LogsItsPassword,
    "no_secret_is_printed": ShowsItself,
}
