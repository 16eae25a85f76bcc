"""Numbers of things, in words: for terminals, pages and messages alike."""

from __future__ import annotations


def plural(count: int, noun: str) -> str:
    """`1 hub`, `2 hubs`, `1,000 deliveries`."""
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{count:,} {noun if count == 1 else many}"
