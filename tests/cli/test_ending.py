"""However a command ends: in words, with an exit code, and never with a traceback."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from support.commandline import PROGRAM, call, start
from support.estate import HUB, S1, SUPPLIER, Estate
from support.keypair import KeyPair

from router.cli.ending import end
from router.cli.printing import raw
from router.errors import UsageError

HOSTILE = "\x1b[31m\u202e\nok: all is well"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.hub()
    return estate


@pytest.mark.parametrize(
    "words",
    [
        ["alerts", "list", "--since", "0001-01-01"],
        ["alerts", "list", "--since", "9999-12-31T23:59:59Z"],
        ["alerts", "list", "--since", "999999d"],
        ["alerts", "list", "--limit", "9" * 20],
        ["inventory", "show", HUB, "--at", "0001-01-01"],
        ["quarantine", "show", "9" * 20],
        ["quarantine", "release", "9" * 20],
        ["diff", ".", "--each", "9" * 20],
        ["simulate", "--hubs", "9" * 20, "--users", "9", "--activations", "1", "--out", "x"],
        ["inventory", "import", "--hubs", "/dev/zero"],
        ["publish", "/dev/zero"],
    ],
    ids=" ".join,
)
def test_a_value_out_of_all_bounds_is_wrong_use(estate: Estate, words: list[str]) -> None:
    assert call(*words, folder=estate.folder).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "/dev/zero"],
        ["alerts", "verify", "/dev/zero", "--certificate", "/dev/zero"],
        ["test", "/dev/zero"],
        ["diff", "/dev/zero"],
    ],
    ids=" ".join,
)
def test_no_command_reads_what_has_no_end(estate: Estate, words: list[str]) -> None:
    assert call(*words, folder=estate.folder).exit_code == 1


def test_a_decision_in_the_first_hour_of_time(estate: Estate) -> None:
    what_if = estate.folder / "what-if.yaml"
    what_if.write_text(
        f"given: {{registrations: [{{point: mprn, supplier_id: {S1}}}]}}\nat: 0001-01-01T00:00:00Z"
    )
    assert call("explain", what_if, folder=estate.folder).exit_code in {0, 1}


@pytest.mark.parametrize(
    "words",
    [
        [HOSTILE],
        [f"--confg{HOSTILE}"],
        ["alerts", HOSTILE],
        ["alerts", "list", "--state", HOSTILE],
        ["explain", HOSTILE],
        ["rollout", HOSTILE],
        ["capture", "5c3fe18f-bc80-5af7-aea3-b59e90776c6e", f"{HOSTILE}.test.yaml"],
    ],
    ids=ascii,
)
def test_an_argument_makes_no_line_of_its_own(estate: Estate, words: list[str]) -> None:
    shown = call(*words, folder=estate.folder).output
    assert all(each.isprintable() for each in shown.split("\n"))
    assert not [each for each in shown.splitlines() if each.startswith("ok")]


def test_names_of_tests_are_listed_one_a_line(estate: Estate) -> None:
    file = estate.folder / "a.yaml"
    file.write_text(json.dumps({"tests": [{"name": f"a{HOSTILE}"}, {"name": "b"}]}))
    shown = call("explain", file, folder=estate.folder).stderr
    assert shown.endswith("\n  a\\x1b[31m\\u202e\\nok: all is well\n  b\n")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError(f"no {HOSTILE}"), "error: no \\x1b[31m\\u202e\\nok: all is well\n"),
        (click.ClickException(HOSTILE), "error: \\x1b[31m\\u202e\\nok: all is well\n"),
        (OSError(28, "No space left", "/x\x1b"), "error: /x\\x1b: No space left\n"),
        (click.Abort(), "aborted\n"),
    ],
)
def test_a_failure_is_one_line(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(failing(error)) == 1
    assert capsys.readouterr().err == said


def failing(error: Exception) -> Callable[[], object]:
    """The work of a command that raises."""

    def work() -> object:
        raise error

    return work


def test_a_bug_is_told_in_a_line_and_kept_for_those_who_mend_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert end(failing(KeyError("S3CRET"))) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: this is a bug of Hubherald (KeyError)")
    assert said.count("\n") == 1
    assert "S3CRET" not in said
    file = Path(said.partition("stands in ")[2].partition(":")[0])
    assert "KeyError: 'S3CRET'" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    file.unlink()


def test_a_reader_that_has_seen_enough_is_no_failure_to_tell(estate: Estate) -> None:
    with start("schema", "config", folder=estate.folder) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""


def test_on_a_terminal_not_even_bytes_act(capfd: pytest.CaptureFixture[str]) -> None:
    raw(b"a\x1b[31m\n")
    assert capfd.readouterr().out == "a\x1b[31m\n"
    ours, theirs = pty.openpty()
    code = "from router.cli.printing import raw; raw(b'a\\x1b[31m\\xff\\n')"
    subprocess.run([PROGRAM[0], "-c", code], stdout=theirs, check=True)
    assert os.read(ours, 100).split() == [rb"a\x1b[31m\xff"]
    os.close(ours)
    os.close(theirs)


def test_a_message_of_namespaces_alone_is_not_valid(tmp_path: Path) -> None:
    pair = KeyPair(tmp_path)
    namespaces = " ".join(f'xmlns:n{number}="u{number}"' for number in range(50_000))
    algorithm = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
    canonical = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    (tmp_path / "alert.xml").write_text(
        f'<a {namespaces}><d:Signature xmlns:d="http://www.w3.org/2000/09/xmldsig#"><d:SignedInfo>'
        f'<d:CanonicalizationMethod Algorithm="{canonical}"/>'
        f'<d:SignatureMethod Algorithm="{algorithm}"/>'
        "</d:SignedInfo><d:SignatureValue>AAAA</d:SignatureValue></d:Signature></a>"
    )
    words = ("alerts", "verify", tmp_path / "alert.xml", "--certificate", pair.certificate_file)
    result = call(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: not valid for ")
