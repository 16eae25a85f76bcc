"""service_users.yaml, read alone."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from support.badfiles import bad_files, check_bad

from router.config import usersfile
from router.config.unready import UnreadyOptions
from router.domain.users import ServiceUsers
from router.domain.words import Role, UserStatus
from router.files.problems import Papers
from router.workbench import starter

SECRET = "whsec_" + "S3CRET" * 6
BAD_FILES = bad_files("users")


def load(folder: Path, text: str, environment: dict[str, str] | None = None) -> ServiceUsers:
    file = folder / "service_users.yaml"
    file.write_text(text, encoding="utf-8")
    users, problems = usersfile.load(file, environment or {})
    assert problems == []
    assert users is not None
    return users


def refused(folder: Path, text: str, environment: dict[str, str] | None = None) -> str:
    """All problems as an operator sees them."""
    file = folder / "service_users.yaml"
    file.write_text(text, encoding="utf-8")
    users, problems = usersfile.load(file, environment or {})
    assert users is None
    return "\n".join(problem.render() for problem in problems)


def waiting(folder: Path, text: str) -> str:
    """What an operator sees of a file of secrets that is of no use; its channel alone waits."""
    file, papers = folder / "service_users.yaml", Papers()
    file.write_text(text, encoding="utf-8")
    users, problems = usersfile.load(file, {}, papers)
    assert problems == []
    assert users is not None
    options = [channel.options for user in users.by_id.values() for channel in user.channels]
    assert any(isinstance(each, UnreadyOptions) for each in options)
    return "\n".join(problem.render() for problem in papers.unfit)


def one_user(*channels: str) -> str:
    lines = "".join(f"      - {{{channel}}}\n" for channel in channels)
    return (
        "service_users:\n"
        "  - id: 90-b3-d5-1f-30-01-00-0a\n"
        "    name: Acme Energy\n"
        "    roles: [gas_supplier, import_supplier, gas_supplier]\n"
        f"    channels:\n{lines}"
    )


def test_the_users_of_the_starter(tmp_path: Path) -> None:
    starter.write(tmp_path)
    users, problems = usersfile.load(tmp_path / "service_users.yaml", {})
    assert problems == []
    assert users is not None
    acme = users.by_id["90-B3-D5-1F-30-01-00-01"]
    assert acme.name == "Acme Energy"
    assert {Role.IMPORT_SUPPLIER, Role.GAS_SUPPLIER} <= acme.roles
    assert acme.status is UserStatus.ACTIVE
    assert acme.duis_version == "5.4"
    assert users.by_id["90-B3-D5-1F-30-01-00-03"].subscriptions == ("firmware",)


def test_ids_are_kept_in_upper_case(tmp_path: Path) -> None:
    assert list(load(tmp_path, one_user("adapter: log")).by_id) == ["90-B3-D5-1F-30-01-00-0A"]


def test_a_channel_has_the_routers_keys_and_the_adapters(tmp_path: Path) -> None:
    limits = "window: 1, rate: 0.5, timeout: 300, hold_hours: 1"
    users = load(tmp_path, one_user(f"adapter: folder, path: out, name: files, {limits}"))
    [channel] = users.by_id["90-B3-D5-1F-30-01-00-0A"].channels
    assert (channel.name, channel.adapter) == ("files", "folder")
    assert (channel.window, channel.rate) == (1, 0.5)
    assert (channel.timeout, channel.hold_hours) == (300, 1)
    assert channel.options is not None
    assert channel.options.model_dump() == {"path": tmp_path / "out", "access": "owner"}


def test_a_channel_is_named_after_its_adapter(tmp_path: Path) -> None:
    users = load(tmp_path, one_user("adapter: log", "adapter: log, name: second"))
    channels = users.by_id["90-B3-D5-1F-30-01-00-0A"].channels
    assert [channel.name for channel in channels] == ["log", "second"]
    assert channels[0].window == 16
    assert channels[0].rate is None


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda file: file.stem)
def test_each_mistake_is_found_where_it_is(bad: Path) -> None:
    papers = Papers()
    users, problems = usersfile.load(bad, {}, papers)
    assert (users is None) == bool(problems)  # a file of secrets at fault stops nobody else
    check_bad(bad, [*problems, *papers.unfit])


@pytest.mark.parametrize("bad", BAD_FILES, ids=lambda file: file.stem)
def test_no_message_and_no_source_line_shows_a_secret(bad: Path) -> None:
    _, problems = usersfile.load(bad, {})
    shown = "\n".join(problem.render() for problem in problems)
    assert "S3CRET" not in shown
    assert "5353535353" not in shown


def test_a_secret_beside_a_mistake_is_covered(tmp_path: Path) -> None:
    webhook = f"adapter: webhook, url: https://a.example/, secret: {SECRET}, wndow: 3"
    shown = refused(tmp_path, one_user(webhook))
    assert "'wndow' means nothing here" in shown
    assert "secret:" not in shown
    shown = refused(tmp_path, one_user(webhook.replace("wndow", "window").replace("3", "x")))
    assert "window: x}" in shown
    assert "S3CRET" not in shown


def test_a_secret_under_a_misspelt_key_is_covered(tmp_path: Path) -> None:
    webhook = f"adapter: webhook, url: https://a.example/, my_secret: {SECRET}"
    assert "S3CRET" not in refused(tmp_path, one_user(webhook))


def test_a_secret_in_a_file_that_is_not_yaml_is_covered(tmp_path: Path) -> None:
    assert "S3CRET" not in refused(tmp_path, one_user(f'adapter: webhook, secret: "{SECRET}" x'))


def test_a_secret_from_a_file_and_from_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "acme.secret"
    file.write_text(f"{SECRET}\n", encoding="utf-8")
    file.chmod(0o600)
    users = load(
        tmp_path,
        one_user(
            "adapter: webhook, url: https://a.example/, secret_file: acme.secret",
            "adapter: webhook, url: https://b.example/, secret: '${ACME}', name: b",
        ),
        {"ACME": SECRET},
    )
    for channel in users.by_id["90-B3-D5-1F-30-01-00-0A"].channels:
        assert channel.options is not None
        assert channel.options.model_dump()["secret"].get_secret_value() == SECRET
        assert "S3CRET" not in repr(channel)


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o601])
def test_a_secret_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "acme.secret"
    file.write_text(SECRET, encoding="utf-8")
    file.chmod(mode)
    webhook = "adapter: webhook, url: https://a.example/, secret_file: acme.secret"
    said = f"secret_file: others may open secret_file (mode {mode:04o}); run: chmod 600 secret_file"
    assert said in waiting(tmp_path, one_user(webhook))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b" \n", "is empty"),
        (b"\xff", "is not text"),
        (b"x" * 70_000, "too large"),
        (SECRET.encode("utf-16"), "is UTF-16, as Windows PowerShell writes it"),
        (b"S3CRET", "secret_file: FILE must be whsec_ and base64 of 24 bytes or more"),
    ],
    ids=["empty", "no text", "too large", "UTF-16", "another secret"],
)
def test_a_secret_file_must_hold_a_secret(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "acme.secret"
    file.write_bytes(content)
    file.chmod(0o600)
    webhook = "adapter: webhook, url: https://a.example/, secret_file: acme.secret"
    shown = waiting(tmp_path, one_user(webhook))
    assert why in shown
    assert "S3CRET" not in shown


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n "])
def test_a_secret_as_containers_and_windows_give_it(
    tmp_path: Path, mode: int, before: bytes
) -> None:
    """Kubernetes: behind two links, for the group of the pod."""
    (tmp_path / "..2026").mkdir()
    file = tmp_path / "..2026" / "acme.secret"
    file.write_bytes(before + SECRET.encode() + b"\r\n")
    file.chmod(mode)
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "acme.secret").symlink_to("..data/acme.secret")
    webhook = "adapter: webhook, url: https://a.example/, secret_file: acme.secret"
    [user] = load(tmp_path, one_user(webhook)).by_id.values()
    options = user.channels[0].options
    assert options is not None
    assert options.model_dump()["secret"].get_secret_value() == SECRET


def test_mistakes_beside_a_secret_that_cannot_be_read_are_told_and_what_follows_is_not(
    tmp_path: Path,
) -> None:
    file = tmp_path / "acme.secret"
    file.write_text(SECRET, encoding="utf-8")
    file.chmod(0o600)
    webhook = "adapter: webhook, url: {}, secret_file: none, previous_secret_file: acme.secret"
    shown = waiting(tmp_path, one_user(webhook.format("https://a.example/")))
    assert shown.count("key-file") == 1
    assert "previous_secret" not in shown.splitlines()[0]
    shown = refused(tmp_path, one_user(webhook.format("http://a.example/")))
    assert "url: must use TLS" in shown
    assert "none" not in shown.splitlines()[0]


def test_a_password_that_cannot_be_read_is_not_said_to_be_missing(tmp_path: Path) -> None:
    rabbit = "adapter: rabbitmq, url: 'amqps://a.example/', exchange: x, user: me"
    shown = waiting(tmp_path, one_user(f"{rabbit}, password_file: none"))
    assert "password_file: FILE cannot be read" in shown
    assert "needs a `password`" not in shown


def test_a_folder_is_no_secret_file(tmp_path: Path) -> None:
    webhook = "adapter: webhook, url: https://a.example/, secret_file: ."
    assert "is not a file" in waiting(tmp_path, one_user(webhook))


def test_loopback_needs_no_tls(tmp_path: Path) -> None:
    urls = ["http://localhost:8080/", "http://127.0.0.1/", "http://[::1]:1/"]
    load(
        tmp_path,
        one_user(*(f"adapter: webhook, url: '{url}', name: c{n}" for n, url in enumerate(urls))),
    )


def test_the_digest_is_of_the_text_that_is_kept_without_secrets(tmp_path: Path) -> None:
    text = one_user(f"adapter: webhook, url: https://a.example/, secret: {SECRET}")
    users = load(tmp_path, text)
    assert "S3CRET" not in users.text
    assert "Acme Energy" in users.text
    assert users.digest == hashlib.sha256(users.text.encode()).hexdigest()
    assert load(tmp_path, text.replace("Acme", "Bcme")).digest != users.digest


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    assert "empty nothing stands in this file" in refused(tmp_path, "")
