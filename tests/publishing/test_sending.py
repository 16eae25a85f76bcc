"""Chunk after chunk, to a publisher of somebody else's; tests/cli does it with a broker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.samples import body

from router.errors import PublishError
from router.ports import Access, Outgoing, Publisher
from router.publishing import lines
from router.publishing.progress import Progress
from router.publishing.rate import CHUNK
from router.publishing.sending import send


class Counting(Publisher):
    """Confirms everything, and knows how much came at once."""

    def __init__(self) -> None:
        self.counts: list[int] = []

    async def publish(self, facts: Sequence[Outgoing]) -> None:
        self.counts.append(len(facts))


def sent(folder: Path, content: bytes, rate: float | None) -> list[int]:
    """How many facts went at once, one after the other."""
    file = folder / "facts.jsonl"
    file.write_bytes(content)
    publisher = Counting()
    told: list[int] = []
    progress = Progress(file, "nowhere", Access.OWNER)
    with file.open("rb") as opened:
        count = send(publisher, opened, len(content), progress, rate=rate, report=told.append)
    assert (count, sum(told)) == (sum(publisher.counts), len(content))
    assert progress.mark.bytes == len(content)
    return publisher.counts


def test_without_a_rate_whole_chunks_go(tmp_path: Path) -> None:
    assert sent(tmp_path, b"{}\n" * (2 * CHUNK + 7), None) == [CHUNK, CHUNK, 7]


def test_with_a_rate_small_steps_go(tmp_path: Path) -> None:
    counts = sent(tmp_path, b"{}\n" * 300, 2_000)
    assert counts[0] == 1
    assert max(counts) <= 100


def test_blank_lines_are_no_facts(tmp_path: Path) -> None:
    assert sent(tmp_path, b"\n{}\n\n\n{}\n", None) == [2]


def test_a_byte_order_mark_alone_is_no_fact(tmp_path: Path) -> None:
    assert sent(tmp_path, b"\xef\xbb\xbf\r\n{}\r\n\xef\xbb\xbf{}\r\n", None) == [2]


def test_a_batch_goes_under_the_type_of_its_events() -> None:
    one, two = (body(id=name) for name in ("a", "b"))
    kind = "hubherald.firmware.activated.v1"
    assert lines.outgoing(one) == Outgoing(one, "a", kind)
    batch = b"[" + one + b"," + two + b"]"
    assert lines.outgoing(batch) == Outgoing(batch, "", kind)
    mixed = b"[" + one + b"," + body(type="other") + b"]"
    assert lines.outgoing(mixed) == Outgoing(mixed, "", "")


def test_what_stands_before_a_line_that_is_too_long_is_confirmed(tmp_path: Path) -> None:
    before = b"{}\n{}\n"
    with pytest.raises(PublishError, match=r"line 3 is too long for a broker: 16,777,218 bytes"):
        sent(tmp_path, before + b"x" * (lines.LONGEST + 1) + b"\n", None)
    remembered = json.loads((tmp_path / "facts.jsonl.published").read_text())
    assert (remembered["lines"], remembered["bytes"]) == (2, len(before))
