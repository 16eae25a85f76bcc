"""How many facts may go now, so that a rate is kept evenly. Pure: the caller has the clock."""

from __future__ import annotations

from router.rate import TokenBucket

CHUNK = 300
"""The most facts that are unconfirmed at once."""
EVEN_S = 0.05
"""Seconds; so much of a rate may go at once, as sleeping is not exact."""


class EvenRate:
    """Small steps at a rate, and time that was lost is not caught up; or whole chunks."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        """Facts a second; None: as fast as it goes."""
        self._bucket = TokenBucket()

    def allowed(self, now: float) -> int:
        """So many may go, CHUNK at most; 0: wait first. Seconds of `now` only go forward."""
        if self._rate is None:
            return CHUNK
        most = min(CHUNK, int(self._rate * EVEN_S))
        return self._bucket.refill(now, rate=self._rate, most=most)

    def wait(self) -> float:
        """Seconds from the last look until one more may go."""
        return 0.0 if self._rate is None else self._bucket.wait(rate=self._rate)

    def gone(self, count: int) -> None:
        """So many went."""
        self._bucket.take(count)
