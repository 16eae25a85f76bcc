"""Options of adapters that others have installed, and nested secrets."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from router.config.installed import InstalledKinds
from router.config.unready import BrokenOptions
from router.entrypoints import ADAPTERS
from router.files.values import read_model
from router.files.yamlfile import parse
from router.ports import AmqpUrl, HttpUrl, Options, Secret
from router.ports.options import is_loopback

MODULE = """\
from router.ports import Options


class Mine:
    class Config(Options):
        size: int


class Odd:
    Config = dict
"""


class Login(Options):
    """Options within options."""

    user: str
    password: Secret


class Shop(Options):
    """What a made-up adapter takes."""

    url: HttpUrl | None = None
    broker: AmqpUrl | None = None
    login: Login | None = None
    folder: Path = Path("shop")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs an adapter as a distribution of its own: its entry point is given."""

    def install(target: str) -> None:
        info = tmp_path / "others-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{ADAPTERS}]\nmine = {target}\n")
        (tmp_path / "hubherald_others.py").write_text(MODULE)
        monkeypatch.syspath_prepend(tmp_path)

    return install


def read(text: str) -> tuple[Options | None, list[str]]:
    document = parse(text.encode(), Path("file.yaml"))
    options = InstalledKinds(ADAPTERS).options(document, document.value, own=frozenset({"adapter"}))
    return options, [problem.message for problem in document.problems]


def test_an_adapter_of_others_reads_its_own_options(install: Callable[[str], None]) -> None:
    install("hubherald_others:Mine")
    options, problems = read("{adapter: mine, size: 3}")
    assert not problems
    assert options is not None
    assert options.model_dump() == {"size": 3}
    assert "mine" in InstalledKinds(ADAPTERS).models()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("hubherald_nowhere:Mine", " can't be imported: ModuleNotFoundError: No module"),
        ("hubherald_others:None_", " (FILE) can't be imported: AttributeError: "),
        ("hubherald_others:Odd", " (FILE) has no `Config` made from router.ports.Options"),
    ],
)
def test_an_adapter_that_cannot_be_used_is_told_and_is_no_mistake_in_the_file(
    install: Callable[[str], None], target: str, said: str
) -> None:
    install(target)
    document = parse(b"{adapter: mine, size: 3}", Path("file.yaml"))
    options = InstalledKinds(ADAPTERS).options(document, document.value, own=frozenset({"adapter"}))
    assert isinstance(options, BrokenOptions)
    assert not document.problems
    [problem] = document.papers.unfit
    assert problem.message == options.why
    plain = re.sub(r"\(\S*/hubherald_others.py\)", "(FILE)", problem.message)
    assert plain.startswith(f"adapter 'mine' of others 1.0{said}")
    assert "mine" not in InstalledKinds(ADAPTERS).models()
    assert "log" in InstalledKinds(ADAPTERS).models()


def shop(text: str, folder: Path) -> tuple[Shop | None, list[str]]:
    document = parse(text.encode(), folder / "file.yaml")
    found = read_model(document, Shop, document.value)
    return found, [problem.render() for problem in document.problems]


def test_a_secret_within_options_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_text("S3CRET\n", encoding="utf-8")
    file.chmod(0o600)
    found, problems = shop("login: {user: me, password_file: pass}", tmp_path)
    assert not problems
    assert found is not None
    assert found.login is not None
    assert found.login.password.get_secret_value() == "S3CRET"


def test_a_secret_within_options_is_covered(tmp_path: Path) -> None:
    _, problems = shop("login: {usr: me, password: S3CRET}", tmp_path)
    assert len(problems) == 1
    assert not any("S3CRET" in problem for problem in problems)


def test_a_missing_secret_names_both_ways(tmp_path: Path) -> None:
    _, [problem] = shop("login: {user: me}", tmp_path)
    assert "'password' (or 'password_file') is needed here" in problem


@pytest.mark.parametrize("given", ["3", "[]", "''"])
def test_the_name_of_a_secret_file_must_be_one(tmp_path: Path, given: str) -> None:
    _, [problem] = shop(f"login: {{user: me, password_file: {given}}}", tmp_path)
    assert "password_file: must be the path of a file" in problem


def test_a_path_that_is_left_out_lies_beside_the_file_too(tmp_path: Path) -> None:
    found, _ = shop("{}", tmp_path)
    assert found is not None
    assert found.folder == tmp_path / "shop"


@pytest.mark.parametrize(
    ("key", "url", "said"),
    [
        ("url", "https://host.example:8443/a?b", ""),
        ("url", "http://127.0.0.2/", ""),
        ("url", "http://host.example/", "must use TLS (https://...)"),
        ("url", "http://localhost.example/", "must use TLS"),
        ("url", "http://0.0.0.0/", "must use TLS"),
        ("url", "https:///path", "must be a URL"),
        ("url", "https://host:port/", "must be a URL"),
        ("url", "https://[::1/", "must be a URL"),
        ("url", "https://host/ path", "must not hold spaces"),
        ("url", "amqps://host/", "must be a URL such as https://"),
        ("url", "host.example", "must be a URL"),
        ("broker", "amqp://localhost/", ""),
        ("broker", "amqps://host.example/site", ""),
        ("broker", "amqp://host.example/", "must use TLS (amqps://...)"),
        ("broker", "amqps://user:S3CRET@host.example/", "must not hold a user or password"),
    ],
)
def test_urls_need_tls_but_on_this_machine(tmp_path: Path, key: str, url: str, said: str) -> None:
    found, problems = shop(f'{key}: "{url}"', tmp_path)
    assert (found is None) == bool(said)
    assert all(said in problem for problem in problems)
    assert not any("S3CRET" in problem for problem in problems)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
