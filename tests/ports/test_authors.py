"""Whoever writes an adapter or a source needs `router.ports`, and their type checker agrees."""

from __future__ import annotations

import ast
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import pytest
from support import thirdparty
from support.samples import ALERT
from support.thirdparty import DrawerAdapter, DrawerOptions, LockedAdapter, ShelfSource

import adapters
from router import ports
from router.ports import ChannelFault, Closed, Delivered, Delivery, Options, Outgoing, Publishes

WRITTEN = Path(thirdparty.__file__)
OURS = sorted(Path(adapters.__file__).parent.rglob("*.py"))


def imports(*files: Path) -> set[tuple[str, str]]:
    """What is imported of the router: module and name."""
    return {
        (node.module, each.name)
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("router")
        for each in node.names
    }


def test_what_others_write_needs_the_one_door_alone() -> None:
    assert {module for module, _ in imports(WRITTEN)} == {"router.ports"}


def test_the_door_hands_out_what_authors_need_and_no_more() -> None:
    """What our own adapters import, and contracts that are met without being named."""
    used = {name for _, name in imports(WRITTEN, *OURS)}
    rest = {name: getattr(ports, name) for name in set(ports.__all__) - used}
    shapes = {name for name, found in rest.items() if Protocol in getattr(found, "__bases__", ())}
    limits = {
        name for name, found in rest.items() if isinstance(found, int | frozenset | timedelta)
    }
    assert rest.keys() - shapes - limits == {"Verify"}


@pytest.mark.once  # what mypy says is the same on every Python
def test_what_others_write_is_right_for_their_type_checker(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir"]
    done = subprocess.run(
        [*command, tmp_path, WRITTEN], check=False, capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("Success: no issues found in 1 source file\n", 0)


OUTSIDE = """
from collections.abc import Sequence

from router.ports import CONTRACT, Adapter, Delivered, Delivery, Options, Outcome, Reason, Retry

class Drawer(Options):
    label: str = ""

class DrawerAdapter(Adapter[Drawer]):
    Config = Drawer

    def __init__(self, config: Drawer) -> None:
        self._label = config.LABEL

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        assert CONTRACT == 1
        return [OUTCOME for _ in deliveries]
"""
"""What stands outside of the repository; LABEL and OUTCOME may be right or wrong."""
WRONG = {
    "an option that there is not": ("labl", "Delivered()", '"Drawer" has no attribute "labl"'),
    "a text as reason": ("label", 'Retry("network")', 'incompatible type "str"; expected "Reason"'),
    "no Outcome": ("label", "True", "List comprehension has incompatible type List[bool]"),
}


def outside(folder: Path, label: str, outcome: str) -> tuple[int, str]:
    """What mypy says there of the adapter, with what is installed, as any author's does."""
    (folder / "drawer.py").write_text(OUTSIDE.replace("LABEL", label).replace("OUTCOME", outcome))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache"]
    done = subprocess.run(
        [*command, "drawer.py"], check=False, capture_output=True, text=True, cwd=folder
    )
    return done.returncode, done.stdout


@pytest.mark.once
def test_the_type_checker_of_an_outsider_takes_both_packages_for_typed(tmp_path: Path) -> None:
    assert outside(tmp_path, "label", "Delivered()")[0] == 0
    for label, outcome, said in WRONG.values():
        code, text = outside(tmp_path, label, outcome)
        assert (code, said in text) == (1, True), text
    (tmp_path / "drawer.py").write_text(
        "from adapters.log import LogAdapter\nreveal_type(LogAdapter)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir=cache"]
    done = subprocess.run(
        [*command, "drawer.py"], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert "adapters.log.LogAdapter" in done.stdout
    assert done.returncode == 0, done.stdout


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
