"""How many facts may go now, so that a rate is kept evenly. Pure: the caller has the clock."""

from __future__ import annotations

CHUNK = 300
"""The most facts that are unconfirmed at once."""
EVEN_S = 0.05
"""Seconds; so much of the rate may go at once, as sleeping is not exact."""


class Pace:
    """A bucket that fills at the rate and holds little: time that was lost is not caught up."""

    def __init__(self, rate: float | None, now: float) -> None:
        self._rate = rate
        """Facts a second; None: as fast as it goes."""
        self._most = CHUNK if rate is None else min(CHUNK, max(1, int(rate * EVEN_S)))
        self._filled = 1.0
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until one more may go; 0: now."""
        if self._rate is None:
            return 0.0
        self._filled = min(self._most, self._filled + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (1 - self._filled) / self._rate)

    def allowed(self) -> int:
        """So many may go when there was nothing left to wait for; 1 to CHUNK."""
        return self._most if self._rate is None else max(1, int(self._filled))

    def gone(self, count: int) -> None:
        """So many went."""
        self._filled -= count
