"""A rate that is kept: how many may go now, and how long until the next. Pure."""

from __future__ import annotations


class TokenBucket:
    """Fills at a rate and holds little: time that was lost is not caught up.

    It begins with one token. The caller has the clock: seconds that only go forward.
    """

    def __init__(self) -> None:
        self._tokens = 1.0
        self._at: float | None = None

    def refill(self, now: float, *, rate: float, most: float) -> int:
        """How many whole tokens there are now; `rate` came in each second, up to `most`."""
        if self._at is not None:
            self._tokens += (now - self._at) * rate
        self._at = now
        self._tokens = min(self._tokens, max(1.0, most))
        return int(self._tokens)

    def take(self, count: int) -> None:
        """So many go."""
        self._tokens -= count

    def wait(self, *, rate: float) -> float:
        """Seconds from the last refill until there is a token; 0 when there is one."""
        return max(0.0, (1.0 - self._tokens) / rate)
