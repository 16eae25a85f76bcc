"""Whatever is done to the files of a folder, in any order: no line is lost, and none is torn."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
from hypothesis import given
from hypothesis import strategies as st

from adapters.folder.reader import FolderReader
from adapters.folder.telling import FolderLog
from router.ports import Cursor

NAMES = ("a.jsonl", "b.jsonl", "c.ndjson")
SIZES = (1, 1, 40, 100_000)
"""Of the padding of a line: some files are of several blocks, and may change while half read."""


Change = Callable[["World", str, bytes], None]


@dataclass
class World:
    """A folder, whoever writes to it, and a reader that is started anew now and then."""

    folder: Path
    number: int = 0
    written: set[bytes] = field(default_factory=set)
    given: list[tuple[bytes | None, Cursor | None]] = field(default_factory=list)
    """In order: what was given out, with its cursor; what moved by itself has no body."""
    committed: dict[str, Cursor] = field(default_factory=dict)
    made: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    """How often each inode has been given to a new file: they are used again."""
    of: dict[Cursor, int] = field(default_factory=dict)
    """The same, of the file that a cursor belongs to."""
    taken: set[bytes] = field(default_factory=set)
    """What the ledger has."""
    known: set[int] = field(default_factory=set)
    """The inodes that the reader has to follow, under whatever name."""
    open: set[int] = field(default_factory=set)
    """Those that it holds open."""
    owed: set[bytes] = field(default_factory=set)
    """What stood in files that left while they were held open."""

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        log = FolderLog(structlog.get_logger())
        self.reader = FolderReader(self.folder, self.committed.values(), log, lambda: None)
        self.given = []
        names = {file.stat().st_ino: file.name for file in self.folder.iterdir()}
        self.known = {
            inode(each)
            for each in self.committed.values()
            if self.made[inode(each)] == self.of[each]
            and names.get(inode(each), "").startswith(each.key)
        }
        self.open.clear()
        self.owed.clear()

    def read_files(self) -> list[Path]:
        return [each for each in self.folder.iterdir() if each.suffix in {".jsonl", ".ndjson"}]

    def leaves(self, file: Path) -> None:
        """This file is about to go."""
        if file.exists() and file.stat().st_ino in self.open:
            self.owed.update(file.read_bytes().splitlines())

    def lines(self, count: int, size: int) -> bytes:
        made = []
        for _ in range(count):
            self.number += 1
            made.append(b'{"n": %06d, "pad": "%s"}' % (self.number, b"x" * size))
        self.written.update(made)
        return b"".join(line + b"\n" for line in made)

    def commit(self, count: int) -> None:
        """The ledger takes the first of what was given out."""
        for body, cursor in self.given[:count]:
            if body is not None:
                self.taken.add(body)
            if cursor is not None:
                self.committed[cursor.key] = cursor
        del self.given[:count]

    def steps(self, most: int) -> bool:
        """Whether anything came."""
        came = False
        for _ in range(most):
            step = self.reader.step()
            if step is None:
                break
            came = True
            if step.moved is not None:
                self.give(None, step.moved)
            for message in step.messages:
                assert message.body in self.written, message.body[:60]
                self.give(message.body, message.cursor)
        return came

    def give(self, body: bytes | None, cursor: Cursor | None) -> None:
        self.given.append((body, cursor))
        if cursor is not None:
            self.of[cursor] = self.made[inode(cursor)]

    def write(self, name: str, data: bytes, mode: str = "wb") -> None:
        fresh = not (self.folder / name).exists()
        with (self.folder / name).open(mode) as file:
            file.write(data)
            if fresh:
                number = os.fstat(file.fileno()).st_ino
                self.made[number] += 1
                self.known.discard(number)

    def settle(self) -> None:
        """Read until there is nothing more; then all that is there was given out."""
        while True:
            self.reader.look()
            if not self.steps(10_000) and not self.reader.writing:
                break
        had = self.taken | {body for body, _ in self.given}
        for file in self.folder.iterdir():
            if file in self.read_files() or file.stat().st_ino in self.known:
                missing = set(file.read_bytes().splitlines()) - had
                assert not missing, (file.name, sorted(line[:14] for line in missing))
        assert not self.owed - had, sorted(line[:14] for line in self.owed - had)
        self.open = {file.stat().st_ino for file in self.read_files()}
        self.known |= self.open

    def restart(self, count: int) -> None:
        """With the first of what was given out committed, as after kill -9."""
        self.commit(count)
        self.reader.close()
        self.start()


def inode(cursor: Cursor) -> int:
    return int(cursor.identity.split(":")[1])


def append(world: World, name: str, data: bytes) -> None:
    world.write(name, data, "ab")


def copy_over(world: World, name: str, data: bytes) -> None:
    world.write(name, data)


def move_over(world: World, name: str, data: bytes) -> None:
    world.leaves(world.folder / name)
    world.write(".new", data)
    (world.folder / ".new").rename(world.folder / name)


def write_within(world: World, name: str, data: bytes) -> None:
    """In place and without emptying it first; what it had behind that goes."""
    world.write(name, b"", "ab")
    with (world.folder / name).open("r+b") as file:
        file.write(data)
        file.truncate()


def longer(world: World, name: str, data: bytes) -> None:
    """The same and more, in the place of the file, as rsync does."""
    file = world.folder / name
    move_over(world, name, (file.read_bytes() if file.exists() else b"") + data)


def copy_and_empty(world: World, name: str, data: bytes) -> None:
    """`copytruncate`, and a writer that goes on."""
    file = world.folder / name
    if file.exists():
        copy = world.folder / f"{name}.1"
        if copy.exists():
            copy.rename(world.folder / f"{name}.2")
        world.write(copy.name, file.read_bytes())
    world.write(name, data)


def rotate(world: World, name: str, data: bytes) -> None:
    for number in (2, 1):
        if (world.folder / f"{name}.{number}").exists():
            (world.folder / f"{name}.{number}").rename(world.folder / f"{name}.{number + 1}")
    if (world.folder / name).exists():
        (world.folder / name).rename(world.folder / f"{name}.1")
    world.write(name, data)


def rename(world: World, name: str, data: bytes) -> None:
    """To a name that is read too; the number keeps it from being the name of another."""
    if (world.folder / name).exists():
        (world.folder / name).rename(world.folder / f"{world.number}-{name}")
    world.write(name, data)


def exchange(world: World, name: str, data: bytes) -> None:
    first, second = world.folder / NAMES[0], world.folder / name
    append(world, name, data)
    if first != second and first.exists():
        first.rename(world.folder / ".aside")
        second.rename(first)
        (world.folder / ".aside").rename(second)
        world.known &= world.open  # of others nothing says what was theirs, if it is gone


def remove(world: World, name: str, _: bytes) -> None:
    world.leaves(world.folder / name)
    (world.folder / name).unlink(missing_ok=True)


CHANGES: tuple[Change, ...] = (
    append,
    append,
    copy_over,
    move_over,
    write_within,
    longer,
    copy_and_empty,
    rotate,
    rename,
    exchange,
    remove,
)
DEEDS = st.one_of(
    st.tuples(
        st.sampled_from(CHANGES),
        st.sampled_from(NAMES),
        st.integers(0, 9),
        st.sampled_from(SIZES),
    ),
    st.tuples(st.sampled_from(("look", "steps", "commit", "restart")), st.integers(0, 12)),
    st.just(("settle",)),
)


@given(st.lists(DEEDS, max_size=25))
def test_what_stands_in_the_folder_is_given_out_whole(deeds: list[tuple[object, ...]]) -> None:
    with TemporaryDirectory() as folder, structlog.testing.capture_logs():
        world = World(Path(folder))
        for deed in [*deeds, ("settle",), ("restart", 5), ("settle",)]:
            match deed:
                case ("look", _):
                    world.reader.look()
                case ("steps", int(most)):
                    world.steps(most)
                case ("commit", int(count)):
                    world.commit(count)
                case ("restart", int(count)):
                    world.restart(count)
                case ("settle",):
                    world.settle()
                case (change, str(name), int(count), int(size)) if callable(change):
                    change(world, name, world.lines(count, size))
        world.reader.close()
