"""Where lines end, and that no JSON is cut in two."""

import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.inbox import add, bodies, places, read, reading

from adapters.folder import lines
from adapters.folder.ends import end_of_last, first_end, split

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
VALUES = st.lists(JSON, max_size=3) | st.dictionaries(st.text(max_size=3), JSON, max_size=3)


def pretty(value: Any, end: str) -> bytes:
    """With white space wherever JSON may have it."""
    spaced = json.dumps(value, indent=1, separators=(f"{end},{end}", f"{end}:{end}"))
    return spaced.replace("\n", end).encode()


@given(VALUES, st.sampled_from(["\r", " \r\t\r", "\r \r"]))
def test_no_json_is_cut_in_two(value: Any, end: str) -> None:
    text = pretty(value, end)
    assert json.loads(text) == value
    assert end_of_last(text) == 0
    assert first_end(text) is None
    assert end_of_last(end.encode() + text + b"\n") == len(text) + len(end) + 1


@given(
    st.lists(VALUES.map(json.dumps) | st.sampled_from(["{broken", "no", "[1, 2", '{"a": 1'])),
    st.sampled_from(
        [b"\r", b" \r", b"\r\r", b"\r \t\r", b"\r\r\r", b"\r\xef\xbb\xbf", b"\n", b"\r\n"]
    ),
    st.integers(20, 200),
)
def test_each_value_stands_for_itself(texts: list[str], end: bytes, block: int) -> None:
    """Whatever comes before it, but for what may still go on."""
    texts = [text for text in texts if text[-1] not in "2o"] + ["{}"]
    data = end.join(each.encode() for each in texts) + b"\n"
    found = [line.strip(b" \t\r").removeprefix(BOM_UTF8) for line, _ in split(data)]
    assert [each for each in found if each] == [each.encode() for each in texts]
    assert sum(size for _, size in split(data)) == len(data)
    assert end_of_last(data) == len(data)


@pytest.mark.parametrize(
    ("content", "facts"),
    [
        (b'{"n":1}\r\r{"n":2}\r', [(1, 1), (2, 3)]),
        (b'\r{"n":1}\r\r\r{"n":2}', [(1, 2), (2, 5)]),
        (b'[{"n":1}]\r[{"n":2}]\r', [(1, 1), (2, 2)]),
        (b'[{"n":1}]\r{"n":2}\r[{"n":3}]', [(1, 1), (2, 2), (3, 3)]),
        (b'{"n":1}\r [{"n":2}]\r\r\t[{"n":3}]\r', [(1, 1), (2, 2), (3, 4)]),
        (b'{"n":1} \t\r{"n":2}\r', [(1, 1), (2, 2)]),
        (BOM_UTF8 + b'{"n":1}\r' + BOM_UTF8 + b'{"n":2}\r', [(1, 1), (2, 2)]),
        (b'{"n":1}\r\n{"n":2}\r{"n":3}\n{"n":4}\r\r\n', [(1, 1), (2, 2), (3, 3), (4, 4)]),
        (b'{"n":1\r{"n":2}\rno\r[{"n":3}]\r', [(0, 1), (2, 2), (0, 3), (3, 4)]),
    ],
    ids=["blank", "more", "lists", "both", "spaced", "behind", "marks", "mixed", "broken"],
)
@pytest.mark.parametrize("block", [64, lines.BLOCK])
async def test_lines_that_end_by_a_carriage_return(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    facts: list[tuple[int, int]],
    block: int,
) -> None:
    """`facts` are the numbers in each, and the lines that they stand in."""
    monkeypatch.setattr(lines, "BLOCK", block)
    (tmp_path / "a.jsonl").write_bytes(content)
    messages = await read(tmp_path)
    assert [number_in(each) for each in bodies(messages)] == [number for number, _ in facts]
    assert places(messages) == [f"a.jsonl:{line}" for _, line in facts]


def number_in(body: bytes) -> int:
    """What `n` is in an object, or in the first of a batch; 0 where it is none."""
    try:
        value = json.loads(body.removeprefix(BOM_UTF8))
    except ValueError:
        return 0
    found: int = (value[0] if isinstance(value, list) else value)["n"]
    return found


async def test_an_overlong_line_takes_no_neighbour_with_it(tmp_path: Path) -> None:
    long = b'{"n":"' + b"x" * 1_200_000 + b'"}'
    (tmp_path / "a.jsonl").write_bytes(b'{"n":1}\r' + long + b"\r\r" + b'{"n":3}\r')
    messages = await read(tmp_path)
    assert [len(each) for each in bodies(messages)] == [7, 262_145, 7]
    assert messages[1].evidence["whole bytes"] == f"{len(long):,}"
    assert places(messages) == ["a.jsonl:1", "a.jsonl:2", "a.jsonl:4"]


async def test_a_file_that_grows_by_such_lines_is_read_on(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b'{"n":1}')
    async with reading(tmp_path) as reader:
        for number in range(2, 5):
            await reader.until(number - 1)
            add(file, b'\r{"n":%d}' % number)
        messages = await reader.until(4)
    assert [number_in(each) for each in bodies(messages)] == [1, 2, 3, 4]
    assert places(messages) == [f"a.jsonl:{number}" for number in range(1, 5)]


async def test_a_batch_that_has_closed_needs_no_line_end(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'[{"n":1}, {"n":2}]')
    assert bodies(await read(tmp_path)) == [b'[{"n":1}, {"n":2}]']
