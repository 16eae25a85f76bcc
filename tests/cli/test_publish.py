"""`hubherald publish` against a real broker: once, whole, and only what is good."""

from __future__ import annotations

import gzip
import json
import os
import secrets
from pathlib import Path

import pytest
from support.broker import Broker
from support.commandline import call
from support.desk import Desk, line, text
from support.estate import HUB

from router.publishing import lines


@pytest.fixture
def desk(broker: Broker, tmp_path: Path) -> Desk:
    """A new one."""
    return Desk(tmp_path, broker.url, f"facts.{secrets.token_hex(4)}")


# --- all goes well --------------------------------------------------------------------------


def test_each_line_is_published_as_it_stands(desk: Desk) -> None:
    odd = line(2).replace(": ", ":   ")
    desk.file.write_bytes(f"{line(1)}\r\n\n  \r\n{odd}\n{line(3)}".encode())
    result = desk.publish()
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(
        f"published: 3 facts, confirmed by exchange '{desk.name}' on 127.0.0.1:"
    )
    assert desk.bodies() == [line(1), odd, line(3)]
    assert desk.remembered["lines"] == 5
    assert desk.remembered["bytes"] == desk.file.stat().st_size


def test_what_is_published_is_not_published_again(desk: Desk) -> None:
    desk.file.write_text(text(1, 700))
    assert desk.publish().exit_code == 0
    again = desk.publish()
    assert again.exit_code == 0
    assert "nothing to publish: all 700 lines" in again.stdout
    assert desk.ids() == [f"a-{number}" for number in range(1, 701)]


def test_appended_lines_are_published_alone(desk: Desk) -> None:
    desk.file.write_text(text(1, 2) + line(3))  # the last one without its end
    assert desk.publish().exit_code == 0
    with desk.file.open("a") as file:
        file.write("\n" + text(4, 5))
    assert "published: 2 facts" in desk.publish().stdout
    assert desk.ids() == ["a-1", "a-2", "a-3", "a-4", "a-5"]
    assert desk.remembered["lines"] == 5


def test_again_begins_anew(desk: Desk) -> None:
    desk.file.write_text(text(1, 2))
    for words in ([], ["--again"]):
        assert "published: 2 facts" in desk.publish(*words).stdout
    assert desk.ids() == ["a-1", "a-2"] * 2


def test_with_a_rate_all_is_published_too(desk: Desk) -> None:
    desk.file.write_text(text(1, 41))
    assert "published: 41 facts" in desk.publish("--rate", "300.5").stdout
    assert len(desk.ids()) == 41
    assert desk.publish("--rate", "0").exit_code == 2


@pytest.mark.parametrize("content", ["", "\n \r\n\n"])
def test_a_file_without_facts_is_fine(desk: Desk, content: str) -> None:
    desk.file.write_text(content)
    result = desk.publish()
    assert (result.exit_code, result.stderr) == (0, "")
    assert "holds no facts" in result.stdout


# --- what is not published ------------------------------------------------------------------


def test_bad_lines_are_told_and_nothing_is_published(desk: Desk) -> None:
    desk.file.write_text(f"{line(1)}\nnot JSON\n\n{{}}\n{line(2)}\n{'x' * 10_000_000}\n{line(3)}\n")
    result = desk.publish()
    assert result.exit_code == 1
    told = result.stderr.splitlines()
    assert told[0].startswith(f"{desk.file}:2: not JSON")
    assert told[1].startswith(f"{desk.file}:4: ")
    assert told[2] == f"{desk.file}:6: more than 262,144 bytes"
    assert told[3].startswith("error: 3 bad lines, nothing was published")
    assert not (desk.folder / "facts.jsonl.published").exists()

    result = desk.publish("--no-check")
    assert result.exit_code == 0
    assert desk.bodies() == [each for each in desk.file.read_text().split("\n") if each]


def registered(mpxn: str) -> str:
    """A fact about a gas meter point, its number as it is written here."""
    data = {"device_id": HUB, "mpxn": mpxn, "point": "mprn", "effective_from": "2020-01-01"}
    head = {"specversion": "1.0", "id": mpxn, "source": "dsp", "time": "2026-01-01T00:00:00Z"}
    return json.dumps({**head, "type": "hubherald.registration.updated.v1", "data": data})


def test_numbers_that_do_not_check_are_told_and_go(desk: Desk) -> None:
    facts = [registered(number) for number in ("0012345601", "1234567890")]
    desk.file.write_text("".join(f"{each}\n" for each in facts))
    result = desk.publish()
    assert result.exit_code == 0, result.output
    words = "the MPRN's check digits (last two) do not fit; look for a typing error"
    assert result.stderr == f"{desk.file}:2: warning: {words}\n"
    assert "published: 2 facts" in result.stdout
    assert desk.bodies() == facts


def test_numbers_that_do_not_check_stay_where_the_configuration_refuses_them(desk: Desk) -> None:
    desk.configure({"dsp": desk.source()}, facts={"check_digits": "refuse"})
    desk.file.write_text("".join(f"{registered(each)}\n" for each in ("3938424403", "1234567890")))
    result = desk.publish()
    assert result.exit_code == 1
    told = result.stderr.splitlines()
    assert told[0].startswith(f"{desk.file}:2: data: the MPRN's check digits (last two) do not fit")
    assert told[1].startswith("error: 1 bad line, nothing was published")


def test_a_line_that_no_broker_takes_stops_behind_its_neighbours(desk: Desk) -> None:
    desk.file.write_text(text(1, 2) + "x" * (16 * 1024 * 1024 + 1) + "\n" + text(3, 4))
    result = desk.publish("--no-check")
    assert result.exit_code == 1
    assert (
        "error: line 3 is too long for a broker: 16,777,218 bytes; confirmed are 2" in result.stderr
    )
    assert desk.ids() == ["a-1", "a-2"]


@pytest.mark.parametrize("fill", ["zeros", "blanks"])
def test_a_line_without_end_is_told_before_anything_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, fill: str
) -> None:
    desk.file.write_text(text(1, 2))
    if fill == "zeros":
        os.truncate(desk.file, 300 * 1024**3)
    else:
        monkeypatch.setattr(lines, "ENDLESS", lines.LONGEST + 1)
        with desk.file.open("ab") as opened:
            opened.write(b" " * (3 * lines.LONGEST))
    result = desk.publish()
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: {desk.file}:3: the line does not end within ")
    assert "nothing was published" in result.stderr
    assert not desk.file.with_name(f"{desk.file.name}.published").exists()
    result = desk.publish("--no-check")
    assert result.exit_code == 1
    assert "error: line 3 is too long for a broker: " in result.stderr
    assert " bytes and more, with no end to be seen; confirmed are 2 lines" in result.stderr
    assert desk.ids() == ["a-1", "a-2"]
    again = desk.publish("--no-check")
    assert again.exit_code == 1
    assert "error: line 3 is too long for a broker: " in again.stderr


def test_a_compressed_file_is_named(desk: Desk) -> None:
    desk.file.write_bytes(gzip.compress(text(1, 9).encode()))
    result = desk.publish()
    assert result.exit_code == 1
    assert result.stderr == f"error: {desk.file} is compressed by gzip; unpack it first\n"


def test_a_file_that_has_changed_is_not_mixed_with_the_old(desk: Desk) -> None:
    desk.file.write_text(text(1, 3))
    assert desk.publish().exit_code == 0
    for content in (text(2, 4), text(1, 2)):
        desk.file.write_text(content)
        result = desk.publish()
        assert result.exit_code == 1
        assert "does not begin with these lines any more; --again" in result.stderr
    desk.file.write_text(text(1, 2) + line(3) + text(4, 4))
    assert "does not begin with" in desk.publish().stderr
    assert len(desk.ids()) == 3


def test_a_last_line_that_has_grown_is_told(desk: Desk) -> None:
    desk.file.write_text(line(1) + "\n" + line(2))
    assert desk.publish().exit_code == 0
    with desk.file.open("a") as file:
        file.write(" more\n")
    assert "line 2 of" in desk.publish().stderr


def test_another_target_is_not_taken_for_the_first(desk: Desk) -> None:
    desk.file.write_text(text(1, 3))
    assert desk.publish().exit_code == 0
    first, desk.name = desk.name, f"{desk.name}.other"
    desk.configure({"dsp": desk.source()})
    result = desk.publish()
    assert result.exit_code == 1
    assert f"3 lines went to exchange '{first}' on" in result.stderr
    assert desk.publish("--again").exit_code == 0
    assert len(desk.ids()) == 3


@pytest.mark.parametrize("content", ["", "[1]", "{}", '{"lines": -1}', "[" * 100_000])
def test_a_spoilt_memory_is_told(desk: Desk, content: str) -> None:
    desk.file.write_text(text(1, 3))
    (desk.folder / "facts.jsonl.published").write_text(content)
    result = desk.publish()
    assert result.exit_code == 1
    assert "facts.jsonl.published is not what `hubherald publish` wrote; --again" in result.stderr


def test_where_nothing_can_be_remembered_nothing_is_sent(desk: Desk) -> None:
    result = call("publish", "/proc/version", folder=desk.folder)
    assert result.exit_code == 1
    assert "/proc/version.published, which remembers what is confirmed, cannot" in result.stderr
    (desk.folder / "facts.jsonl.published").mkdir()
    desk.file.write_text(text(1, 3))
    assert "facts.jsonl.published, which remembers" in desk.publish().stderr


def test_what_is_no_file_is_wrong_use(desk: Desk) -> None:
    os.mkfifo(desk.folder / "pipe")
    for name, what in {
        "-": "standard input can't be read again",
        "missing": "No such file",
        ".": "is a folder",
        "pipe": "is not a plain file",
    }.items():
        given = name if name == "-" else desk.folder / name
        result = call("publish", given, folder=desk.folder)
        assert result.exit_code == 2
        assert what in result.stderr


def test_the_source_is_chosen_or_must_be_named(desk: Desk) -> None:
    desk.file.write_text(text(1, 3))
    folder = {"adapter": "folder", "path": "inbox/"}
    desk.configure({"drop": folder})
    result = desk.publish()
    assert result.exit_code == 1
    assert "add this line below `sources:`" in result.stderr
    assert 'dsp: {adapter: rabbitmq, url: "amqp://localhost/"}' in result.stderr

    desk.configure({"drop": folder, "one": desk.source(), "two": desk.source()})
    assert "several sources: one, two; say --source NAME" in desk.publish().stderr
    assert "'drop', only to: one, two" in desk.publish("--source", "drop").stderr
    assert desk.publish("--source", "two").exit_code == 0
    assert len(desk.ids()) == 3
