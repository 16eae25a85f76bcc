"""hubherald.yaml, read with the other files of the starter around it."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.badfiles import bad_files, check_bad

from router.config.loading import Config, survey
from router.config.loading import load as load_config
from router.config.loading import settings as read_settings
from router.errors import FilesError
from router.workbench import starter

PIECES = (
    *("", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", '"', "'", "#", "|", "? ", "<<: ", "%"),
    *("&a ", "*a", "!!int ", "---\n", "~", "0", "-1", "1e999", ".nan", "9" * 5000, "true", "null"),
    *("${X}", "${", "$${", "\\", "\t", "\0", "\u2028", "é", "/", "..", "name", "x" * 5000),
)
SMALL = """\
sources:
  drop: {adapter: folder, path: inbox}
dcc: {id: 90-b3-d5-1f-30-00-00-02}
"""


def problems(file: Path, environment: dict[str, str] | None = None) -> list[str]:
    """What is wrong, as `name:line:col: message`."""
    found = survey(file, environment or {})
    return [
        f"{each.location.file.name}:{each.location.line}:{each.location.column}: {each.message}"
        for each in (*found.mistakes, *found.findings)
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the starter in it."""
    starter.write(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    file = folder / "hubherald.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_starter_loads(folder: Path) -> None:
    loaded = load_config(folder / "hubherald.yaml")
    assert loaded.rules.rules
    assert len(loaded.users.by_id) == 3
    assert loaded.sources["drop"].adapter == "folder"
    assert loaded.dcc.id == "90-B3-D5-1F-30-00-00-02"
    assert (loaded.operations.host, loaded.operations.port) == ("127.0.0.1", 9464)
    assert not loaded.watch


def test_what_is_left_out_has_the_values_of_the_starter(folder: Path) -> None:
    full = read_settings(folder / "hubherald.yaml")
    small = read_settings(write(folder, SMALL))
    assert small == full


def test_relative_paths_start_at_the_folder_of_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    loaded = read_settings(Path(folder.name) / "hubherald.yaml")
    assert loaded.ledger.url == f"sqlite:///{folder}/hubherald.db"
    assert loaded.rules_folder == folder / "rules"
    assert loaded.users_file == folder / "service_users.yaml"
    assert loaded.sources["drop"].options.model_dump()["path"] == folder / "inbox"


def test_absolute_paths_stay(folder: Path) -> None:
    text = SMALL.replace("inbox", "/var/inbox") + "ledger: {url: sqlite:////var/hubherald.db}\n"
    loaded = read_settings(write(folder, text))
    assert loaded.ledger.url == "sqlite:////var/hubherald.db"
    assert loaded.sources["drop"].options.model_dump()["path"] == Path("/var/inbox")


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("localhost:80", "localhost", 80),
        ("[::1]:9464", "::1", 9464),
    ],
)
def test_an_address_is_split(folder: Path, listen: str, host: str, port: int) -> None:
    loaded = read_settings(write(folder, SMALL + f'operations: {{listen: "{listen}"}}\n'))
    assert (loaded.operations.host, loaded.operations.port) == (host, port)


@pytest.mark.parametrize("bad", bad_files("config"), ids=lambda file: file.stem)
def test_each_mistake_is_found_where_it_is(folder: Path, bad: Path) -> None:
    write(folder, bad.read_text(encoding="utf-8"))
    found = survey(folder / "hubherald.yaml", {})
    check_bad(bad, [*found.mistakes, *found.findings])


def test_the_mistakes_of_all_files_come_at_once_in_their_order(folder: Path) -> None:
    write(folder, "wach: true\n" + SMALL + "watch: 3\n")
    (folder / "service_users.yaml").write_text("service_users: []\n", encoding="utf-8")
    (folder / "rules" / "more.yaml").write_text("rules: 1\n", encoding="utf-8")
    assert [line.partition(": ")[0] for line in problems(folder / "hubherald.yaml")] == [
        "hubherald.yaml:1:1",
        "hubherald.yaml:5:8",
        "more.yaml:1:8",
        "service_users.yaml:1:16",
    ]


def test_other_files_are_found_also_from_a_file_with_mistakes(folder: Path) -> None:
    (folder / "service_users.yaml").rename(folder / "people.yaml")
    (folder / "rules").rename(folder / "ruling")
    text = SMALL + "service_users: people.yaml\nrules: ruling\nwatch: maybe\n"
    assert len(problems(write(folder, text))) == 1


def test_a_missing_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    assert problems(tmp_path / "hubherald.yaml") == [
        "hubherald.yaml:1:1: there is no such file; `hubherald init DIR` writes one,"
        " --config FILE names another"
    ]


def test_an_empty_file_and_a_folder_are_told(folder: Path) -> None:
    assert "nothing stands in this file" in problems(write(folder, "# nothing\n"))[0]
    assert "cannot be read: Is a directory" in problems(folder)[0]


def test_a_missing_users_file_and_rules_folder_are_told(folder: Path) -> None:
    text = SMALL + "service_users: nobody.yaml\nrules: nowhere\n"
    found = problems(write(folder, text))
    assert found[0] == "nobody.yaml:1:1: cannot be read: No such file or directory"
    assert found[1].startswith("nowhere:1:1: ")
    assert len(found) == 2


def test_variables_come_from_the_environment(folder: Path) -> None:
    text = SMALL.replace("inbox", "'${HOME_OF_FACTS}/in$${box}'") + "watch: ${WATCH}\n"
    found = read_settings(write(folder, text), {"HOME_OF_FACTS": "/facts", "WATCH": "true"})
    assert found.sources["drop"].options.model_dump()["path"] == Path("/facts/in${box}")
    assert found.watch


def test_a_value_of_the_environment_is_not_repeated(folder: Path) -> None:
    file = write(folder, SMALL + "watch: ${WATCH}\n")
    assert problems(file, {"WATCH": "S3CRET"}) == [
        "hubherald.yaml:4:8: watch: must be true or false, not '${WATCH}'"
    ]


def test_a_signing_key_must_be_closed_to_others(folder: Path) -> None:
    key = folder / "dcc.key"
    key.write_text("key", encoding="utf-8")
    file = write(folder, SMALL.replace("02}", "02, signing_key_file: dcc.key}"))
    key.chmod(0o644)
    [found] = problems(file)
    assert found.startswith("hubherald.yaml:3:54: signing_key_file: others may open ")
    assert found.endswith("run: chmod 600 signing_key_file")
    key.chmod(0o600)
    assert read_settings(file).dcc.signing_key_file == key


def edits(text: str) -> st.SearchStrategy[str]:
    """`text` with a few pieces cut out, doubled, or replaced by what breaks YAML or models."""
    pieces = st.sampled_from(PIECES)
    edit = st.tuples(st.integers(0, len(text)), st.integers(0, 12), pieces)

    def apply(edits: list[tuple[int, int, str]]) -> str:
        found = text
        for start, length, piece in edits:
            found = found[:start] + piece + found[start + length :]
        return found

    return st.lists(edit, min_size=1, max_size=4).map(apply)


CONFIG, USERS = (
    starter.files()[Path(name)].decode() for name in ("hubherald.yaml", "service_users.yaml")
)


@given(edits(CONFIG), edits(USERS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_edited_files_load_or_are_refused_with_positions(
    folder: Path, edited: str, users: str
) -> None:
    file = write(folder, edited)
    (folder / "service_users.yaml").write_text(users, encoding="utf-8")
    try:
        assert isinstance(load_config(file, {"X": "x"}), Config)
    except FilesError as error:
        assert error.problems
        for found in error.problems:
            assert found.location.line >= 1
            assert found.location.column >= 1
            assert "\n" not in found.message


def test_rules_of_two_releases_are_never_mixed(folder: Path) -> None:
    """Each release has its number in every file, and the link moves from one to the next."""
    shutil.rmtree(folder / "rules")
    (folder / "rules").symlink_to(release(folder, 0))
    ended = threading.Event()

    def move() -> None:
        for number in range(1, 10_000):
            (folder / "next").symlink_to(release(folder, number))
            (folder / "next").replace(folder / "rules")
            if ended.wait(0.05):
                return

    moving = threading.Thread(target=move)
    moving.start()
    try:
        for _ in range(20):
            found = survey(folder / "hubherald.yaml")
            if found.config is None:
                assert any("while they were read" in each.message for each in found.mistakes)
            else:
                names = {each.name.partition("-")[0] for each in found.config.rules.rules}
                assert len(names) == 1
    finally:
        ended.set()
        moving.join()


def test_a_slip_in_one_file_hides_no_mistake_in_the_usual_others(folder: Path) -> None:
    (folder / "hubherald.yaml").write_text("sources: [\n")
    (folder / "service_users.yaml").write_text("service_users: []\n")
    (folder / "rules" / "more.yaml").write_text("rules: []\n")
    assert {each.partition(":")[0] for each in problems(folder / "hubherald.yaml")} == {
        "hubherald.yaml",
        "service_users.yaml",
        "more.yaml",
    }


def release(folder: Path, number: int) -> str:
    """A folder with twenty rules; gives its name."""
    made = folder / f"release-{number}"
    made.mkdir()
    for place in range(20):
        rule = f"{{name: r{number}-{place}, when: [hub.model exists], alert: N64}}"
        (made / f"{place:02}.yaml").write_text(f"rules: [{rule}]")
    return made.name


def test_a_password_in_a_file_that_everybody_may_read_is_a_finding(folder: Path) -> None:
    source = "{adapter: rabbitmq, url: 'amqp://127.0.0.1/', user: us, password: s3cret}"
    file = write(folder, SMALL.replace("{adapter: folder, path: inbox}", source))
    file.chmod(0o600)
    assert problems(file) == []
    file.chmod(0o644)
    (found,) = problems(file)
    assert "password: this secret can be read by everybody on this machine (mode 0644)" in found
    assert "s3cret" not in found
