"""Whoever writes an adapter or a source needs `router.ports`, and their type checker agrees."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support import thirdparty
from support.samples import ALERT
from support.thirdparty import DrawerAdapter, DrawerOptions, LockedAdapter, ShelfSource

from router.ports import ChannelFault, Closed, Delivered, Delivery, Options, Outgoing, Publishes

WRITTEN = Path(thirdparty.__file__)


def test_what_others_write_needs_the_one_door_alone() -> None:
    imported = {
        node.module
        for node in ast.walk(ast.parse(WRITTEN.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert {name for name in imported if name.startswith("router")} == {"router.ports"}


@pytest.mark.once  # what mypy says is the same on every Python
def test_what_others_write_is_right_for_their_type_checker(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir"]
    done = subprocess.run(
        [*command, tmp_path, WRITTEN], check=False, capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("Success: no issues found in 1 source file\n", 0)


async def test_an_adapter_lives_on_the_defaults() -> None:
    async with DrawerAdapter(DrawerOptions()) as adapter:
        assert adapter.batch == 1
        assert await adapter.deliver([Delivery(ALERT, b"{}")]) == [Delivered("in the drawer: 1")]


async def test_an_adapter_reads_its_own_options() -> None:
    async with LockedAdapter(DrawerOptions(locked=True)) as adapter:
        (outcome,) = await adapter.deliver([Delivery(ALERT, b"{}")])
    assert outcome == Closed(ChannelFault.CREDENTIALS, "the drawer is locked")


async def test_a_source_lives_on_the_defaults() -> None:
    async with ShelfSource("shelf", Options()) as source:
        assert [message async for message in source.messages({})] == []
        assert source.exhausted()


async def test_a_publisher_lives_on_the_defaults() -> None:
    source = ShelfSource("shelf", Options())
    assert isinstance(source, Publishes)
    publisher = source.publisher()
    async with publisher:
        await publisher.publish([Outgoing(b"{}", "f-1", "t")])
    assert publisher.put == [b"{}"]
