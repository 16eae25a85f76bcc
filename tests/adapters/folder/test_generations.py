"""Rotations, however they are done and however many have passed: each line is read, once."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from support.inbox import bodies, named, read, reading, until
from support.stepwise import Stepwise

from adapters.folder.generations import Generation, newest_first
from router.ports import Cursor

DAYS = 24 * 3600 * 1_000_000_000


@dataclass
class Rotation:
    """A writer of facts, and what its machine does every night."""

    folder: Path
    keep: int = 9
    day: int = 0
    name: str = "a.jsonl"
    written: list[bytes] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / self.name

    def write(self, count: int = 3) -> list[bytes]:
        """Lines of equal lengths, so that no size tells one file from another."""
        lines = [b'{"n": %06d}' % (len(self.written) + number) for number in range(count)]
        with self.file.open("ab") as stream:
            stream.writelines(line + b"\n" for line in lines)
        self.written += lines
        self._age(self.file)
        return lines

    def numbered(self, *, copy: bool = False, pack: bool = False, delay: bool = False) -> None:
        """`logrotate`, as it is or with `copytruncate`, `compress`, `delaycompress`."""
        for number in range(self.keep, 0, -1):
            for packed in ("", ".gz"):
                old = self.folder / f"{self.name}.{number}{packed}"
                if not old.exists():
                    continue
                if number == self.keep:
                    old.unlink()
                    continue
                later = old.rename(self.folder / f"{self.name}.{number + 1}{packed}")
                if delay and not packed:
                    self._pack(later)
        self._away(self.folder / f"{self.name}.1", copy=copy, pack=pack)

    def dated(self, *, copy: bool = False, pack: bool = False) -> None:
        """The same with `dateext`."""
        away = self.folder / f"{self.name}-202602{self.day + 1:02}"
        self._away(away, copy=copy, pack=pack)

    def ascending(self) -> None:
        """As log4j does by default."""
        self._away(self.folder / f"{self.name}.{self.day + 1}", copy=False, pack=False)

    def forget(self, text: bytes) -> None:
        """The file that has this goes."""
        for file in self.folder.iterdir():
            data = file.read_bytes()
            if text in (gzip.decompress(data) if file.suffix == ".gz" else data):
                file.unlink()

    def _away(self, away: Path, *, copy: bool, pack: bool) -> None:
        if copy:
            away.write_bytes(self.file.read_bytes())
            self.file.write_bytes(b"")
        else:
            self.file.rename(away)
        if pack:
            away = self._pack(away)
        self._age(away)
        self.day += 1

    def _pack(self, plain: Path) -> Path:
        status = plain.stat()
        packed = plain.with_name(plain.name + ".gz")
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
        plain.unlink()
        return packed

    def _age(self, file: Path) -> None:
        """As if days lay between."""
        past = 1_700_000_000_000_000_000 + self.day * DAYS
        os.utime(file, ns=(past, past))


SCHEMES: dict[str, Callable[[Rotation], None]] = {
    "rename": Rotation.numbered,
    "copy": lambda each: each.numbered(copy=True),
    "rename, compress": lambda each: each.numbered(pack=True),
    "copy, compress": lambda each: each.numbered(copy=True, pack=True),
    "rename, compress later": lambda each: each.numbered(delay=True),
    "copy, compress later": lambda each: each.numbered(copy=True, delay=True),
    "dated": Rotation.dated,
    "dated copy": lambda each: each.dated(copy=True),
    "dated, compress": lambda each: each.dated(pack=True),
    "dated copy, compress": lambda each: each.dated(copy=True, pack=True),
    "ascending": Rotation.ascending,
}
schemes = pytest.mark.parametrize("rotate", SCHEMES.values(), ids=SCHEMES)


@schemes
@pytest.mark.parametrize("rotations", [1, 2, 3])
async def test_rotations_while_nobody_reads(
    tmp_path: Path, rotate: Callable[[Rotation], None], rotations: int
) -> None:
    """Twice over, so that what an earlier start has read is in the folder, too."""
    estate = Rotation(tmp_path)
    estate.write()
    cursors: dict[str, Cursor] = {}
    given: set[bytes] = set()  # an inode given out again may have one read again
    for _ in range(3):
        with structlog.testing.capture_logs() as logs:
            async with reading(tmp_path, cursors) as reader:
                given |= {*bodies(await reader.until(len(estate.written) - len(given)))}
                assert reader.source.files().ignored == 0
        assert sorted(given) == estate.written
        assert [line for line in logs if line["log_level"] == "warning"] == []
        cursors = reader.cursors
        assert await read(tmp_path, cursors) == []
        for _ in range(rotations):
            estate.write()
            rotate(estate)
        estate.write()


@schemes
def test_rotations_between_two_looks(tmp_path: Path, rotate: Callable[[Rotation], None]) -> None:
    estate = Rotation(tmp_path)
    reader = Stepwise(tmp_path)
    for rotations in (0, 1, 1, 2, 0, 3, 1):
        estate.write()
        new = estate.written[-3:]
        for _ in range(rotations):
            rotate(estate)
            new += estate.write()
        assert sorted({*reader.look()} & {*new}) == new
    assert Stepwise(tmp_path, reader.cursors).look() == []


@schemes
def test_the_ledger_may_stop_anywhere(tmp_path: Path, rotate: Callable[[Rotation], None]) -> None:
    estate = Rotation(tmp_path)
    estate.write()
    first = Stepwise(tmp_path)
    first.look()
    for _ in range(2):
        estate.write()
        rotate(estate)
    estate.write()
    second = Stepwise(tmp_path, first.cursors)
    second.look()
    rest = {*estate.written[3:]}
    for committed in range(len(second.given) + 1):
        had = second.had(committed)
        third = Stepwise(tmp_path, first.cursors | had.cursors)
        assert had.bodies | {*third.look()} >= rest


@schemes
async def test_what_was_rotated_away_is_told(
    tmp_path: Path, rotate: Callable[[Rotation], None]
) -> None:
    """More rotations than are kept: the others are read, and a warning says what is not."""
    estate = Rotation(tmp_path)
    estate.write()
    async with reading(tmp_path) as first:
        await first.until(3)
    for _ in range(3):
        estate.write()
        rotate(estate)
    estate.forget(b"000003")
    new = estate.write()
    with structlog.testing.capture_logs() as logs:
        given = bodies(await read(tmp_path, first.cursors))
    assert sorted(given) == [*estate.written[6:-3], *new]
    (line,) = named(logs, "folder.replaced")
    assert line["log_level"] == "warning"
    assert "not to be found" in line["advice"]
    assert line["rotated"]


@schemes
async def test_a_writer_that_has_not_come_back(
    tmp_path: Path, rotate: Callable[[Rotation], None]
) -> None:
    """Nothing has the name by now that it had."""
    estate = Rotation(tmp_path)
    estate.write()
    async with reading(tmp_path) as first:
        await first.until(3)
    for _ in range(2):
        estate.write()
        rotate(estate)
    estate.file.unlink(missing_ok=True)
    async with reading(tmp_path, first.cursors) as second:
        assert sorted(bodies(await second.until(6))) == estate.written[3:]
    assert await read(tmp_path, second.cursors) == []


async def test_the_rest_of_a_rotated_file_that_was_compressed_later(tmp_path: Path) -> None:
    """Its row has the name that the next generation has by now."""
    estate = Rotation(tmp_path)
    estate.write()
    async with reading(tmp_path) as first:
        await first.until(3)
        estate.numbered(delay=True)
        estate.write()
        await first.until(6)
    with (tmp_path / "a.jsonl.1").open("ab") as late:
        late.write(b"late\n")
    estate.numbered(delay=True)
    async with reading(tmp_path, first.cursors) as second:
        assert bodies(await second.until(1)) == [b"late"]
    assert await read(tmp_path, second.cursors) == []


@pytest.mark.parametrize("scheme", ["rename", "copy", "dated", "dated copy"])
async def test_of_a_file_that_was_empty_when_it_was_read_last(tmp_path: Path, scheme: str) -> None:
    """Its row says nothing of what was in it later; the generation before it does."""
    rotate = SCHEMES[scheme]
    estate = Rotation(tmp_path)
    estate.write()
    async with reading(tmp_path) as first:
        await first.until(3)
        rotate(estate)
        estate.file.touch()
        await until(lambda: first.cursors["a.jsonl"].offset == 0)
    estate.write()
    rotate(estate)
    estate.write()
    async with reading(tmp_path, first.cursors) as second:
        given = bodies(await second.until(6))
    assert {*given} >= {*estate.written[3:]}
    assert await read(tmp_path, second.cursors) == []


@pytest.mark.parametrize("ending", [".xz", ".bz2", ".zst"])
async def test_what_is_compressed_otherwise_is_told(tmp_path: Path, ending: str) -> None:
    estate = Rotation(tmp_path)
    estate.write()
    async with reading(tmp_path) as first:
        await first.until(3)
    estate.write()
    estate.file.rename(tmp_path / f"a.jsonl.1{ending}")
    (tmp_path / f"a.jsonl.1{ending}").write_bytes(b"\xfd7zXZ\0")
    new = estate.write()
    with structlog.testing.capture_logs() as logs:
        assert bodies(await read(tmp_path, first.cursors)) == new
    (line,) = named(logs, "folder.replaced")
    assert line["log_level"] == "warning"
    assert line["packed"] == [f"a.jsonl.1{ending}"]
    assert "unpack" in line["advice"]


async def test_what_was_there_before_the_first_start_is_nobodys(tmp_path: Path) -> None:
    """Years of facts that others have dealt with; also when the file is rotated from then on."""
    estate = Rotation(tmp_path)
    for _ in range(3):
        estate.write()
        estate.numbered()
    old = len(estate.written)
    cursors: dict[str, Cursor] = {}
    for _ in range(3):
        new = estate.write()
        async with reading(tmp_path, cursors) as reader:
            assert bodies(await reader.until(3)) == new
            assert reader.source.files().ignored == 3
        cursors = reader.cursors
        estate.numbered()
    assert old == 9


async def test_rotated_ones_that_were_read_are_not_even_decompressed(tmp_path: Path) -> None:
    estate = Rotation(tmp_path)
    estate.write()
    async with reading(tmp_path) as first:
        await first.until(3)
    estate.write()
    estate.dated(pack=True)
    estate.write()
    async with reading(tmp_path, first.cursors) as second:
        await second.until(6)
    packed = tmp_path / "a.jsonl-20260201.gz"
    damaged = bytearray(packed.read_bytes())
    damaged[20] ^= 255
    status = packed.stat()
    with packed.open("r+b") as stream:
        stream.write(damaged)
    os.utime(packed, ns=(status.st_atime_ns, status.st_mtime_ns))
    with structlog.testing.capture_logs() as logs:
        assert await read(tmp_path, second.cursors) == []
    assert logs == []


@pytest.mark.parametrize(
    "names",
    [
        ["a.jsonl.1", "a.jsonl.2", "a.jsonl.10", "a.jsonl.bak"],
        ["a.jsonl.1", "a.jsonl.2.gz", "a.jsonl.10.gz"],
        ["a.jsonl-20260203", "a.jsonl-20260202.gz", "a.jsonl-20251231"],
        ["a.jsonl.2026-02-03_11", "a.jsonl.2026-02-03_10", "a.jsonl.2026-02-02_23"],
        ["a.jsonl-1770000002.gz", "a.jsonl-1770000001.gz"],
    ],
)
def test_the_order_of_names(names: list[str]) -> None:
    generations = [Generation.of(name) for name in names]
    assert [each.name for each in newest_first(reversed(generations))] == names
    for number, newer in enumerate(generations):
        for older in generations[number + 1 :]:
            assert not older.newer(newer)
            if older.rotated:
                assert newer.newer(older)


def test_times_count_where_they_contradict_the_names() -> None:
    old, new = Generation.of("a.jsonl.1", modified=0), Generation.of("a.jsonl.2", modified=DAYS)
    assert new.newer(old)
    assert old.newer(new)
