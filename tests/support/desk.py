"""A folder, a file of facts and a queue of their own, for tests of `hubherald publish`."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
from click.testing import Result

from support.commandline import call, start
from support.estate import DCC, HUB


def line(number: int) -> str:
    """A fact whose id is `a-<number>`."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"a-{number}",
            "source": "dsp",
            "type": "hubherald.firmware.activated.v1",
            "data": {
                "device_id": HUB,
                "firmware_version": "01020304",
                "activated_at": "2026-06-01T12:00:00+00:00",
                "outcome": "success",
            },
        }
    )


def text(first: int, last: int) -> str:
    """The lines of a file, both ends included."""
    return "".join(f"{line(number)}\n" for number in range(first, last + 1))


@dataclass
class Desk:
    """A folder with a configuration and a file, and a queue of its own on the broker."""

    folder: Path
    url: str
    name: str

    def __post_init__(self) -> None:
        self.configure({"dsp": self.source()})

    def source(self, **more: Any) -> dict[str, Any]:
        """What hubherald.yaml says about the broker."""
        usual = {"adapter": "rabbitmq", "url": self.url, "queue": self.name, "exchange": self.name}
        return usual | more

    def configure(self, sources: dict[str, Any], **more: Any) -> None:
        """Write hubherald.yaml; `more` are other keys of it."""
        written = {"sources": sources, "dcc": {"id": DCC}, **more}
        (self.folder / "hubherald.yaml").write_text(json.dumps(written))

    @property
    def file(self) -> Path:
        """What is published."""
        return self.folder / "facts.jsonl"

    @property
    def remembered(self) -> dict[str, Any]:
        """What is known to be confirmed."""
        found = json.loads((self.folder / "facts.jsonl.published").read_text())
        assert isinstance(found, dict)
        return found

    def publish(self, *words: str) -> Result:
        """In this process, to its end."""
        return call("publish", self.file, *words, folder=self.folder)

    def bodies(self) -> list[str]:
        """What is in the queue; it is empty then."""
        return [body.decode() for body in asyncio.run(_drain(self.url, self.name))]

    def ids(self) -> list[str]:
        """The same, of each body its fact's id."""
        return [json.loads(body)["id"] for body in self.bodies()]


async def _drain(url: str, name: str) -> list[bytes]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(name, passive=True)
        count = queue.declaration_result.message_count
        arrived: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        await queue.consume(arrived.put, no_ack=True)
        return [(await arrived.get()).body for _ in range(count or 0)]


@contextmanager
def publishing(desk: Desk, *words: str, lines: int) -> Iterator[subprocess.Popen[str]]:
    """In a process of its own, when so many lines are confirmed."""
    with start("publish", "facts.jsonl", *words, folder=desk.folder) as process:
        while process.poll() is None:
            begun = (desk.folder / "facts.jsonl.published").exists()
            if begun and desk.remembered["lines"] >= lines:
                break
            time.sleep(0.005)
        yield process
