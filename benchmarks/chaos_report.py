"""What can be asked of a chaos run, and the table that it prints."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chaos_books import Books


def report(books: Books, counts: Counter[str], *, lines: int, seconds: float, well: bool) -> None:
    """Print it."""
    figures = {
        "seconds, all": round(seconds),
        "facts sent": lines,
        "Alerts expected": books.expected,
        "Alerts received": books.received,
        "parked, withdrawn, held": f"{books.parked}, {books.withdrawn}, {books.held}",
        "duplicates": books.duplicates,
        "lost": books.lost,
        "foreign": books.foreign,
        "kill -9, SIGTERM": f"{counts['kills']}, {counts['SIGTERM']}",
        "restarts": counts["restarts"],
        "reloads taken over": counts["reloads"],
        "imports": counts["imports"],
        "operators' commands": counts["operators"],
        "verdict": "all is well" if well else "WRONG",
    }
    for name, value in figures.items():
        print(f"{name:28} {value:>16}")


def arguments(about: str, words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300.0, help="of chaos, before it drains")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=25.0, help="about so many facts a second")
    parser.add_argument("--rabbitmq", action="store_true", help="one user takes from a queue")
    parser.add_argument("--folder", type=Path, help="work here, and keep it")
    return parser.parse_args(words)
