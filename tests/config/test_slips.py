"""Secrets that are written slightly wrong: none of them comes out, wherever the slip is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.commandline import call
from support.estate import DCC, S1

SECRET = "whsec_S3CRETxyzS3CRETxyzS3CRETxyzS3CRET+/="
SHORT = "S3CRET9"
URL = "https://a.example/"
SLIPS = {
    "a value under the key of a file": "secret_file: {secret}",
    "a value under the key of a file, of TLS": "ca_file: {secret}",
    "a misspelt key": "secert: {secret}",
    "a key of another program": "pin: {secret}",
    "a key without a space": '"secret:{secret}": 1',
    "a key without a colon": "{secret}",
    "a list for a value": "secret: [{secret}]",
    "a mapping for a value": 'secret: {{"{secret}": 1}}',
    "a nested unknown key": "login: {{user: me, pw: {secret}}}",
    "in braces": "secret: '${{{secret}}}'",
    "in braces that are not closed": "secret: '${{{secret}'",
    "in braces under another key": "url: '${{{secret}}}'",
    "a tag": "secret: !{secret} x",
    "a tag of YAML": "secret: !!{secret} x",
    "an anchor": "secret: &{secret} x",
    "an alias": "secret: *{secret}",
    "twice": "secret: {secret}, secret: {secret}",
    "a key twice": '"{secret}": 1, "{secret}": 2',
    "quotes that are not closed": 'secret: "{secret}',
    "text behind the quotes": 'secret: "x" {secret}',
    "an escape": 'secret: "\\{secret}"',
    "a second colon": "secret: {secret}: x",
    "no colon at all": "secret {secret} url",
    "a number": "window: {secret}",
    "a number of digits": "secret: 1, batch: 53435245545333",
    "an adapter": "adapter: {secret}",
    "a comment": "wndow: 1 # {secret}",
    "a name": "name: {secret}!",
}
PARTS = ("S3CRET", "s3cret", "xyz", "53435245545333")


def channel(options: str) -> str:
    return (
        f"service_users:\n  - id: {S1}\n    name: Acme\n    roles: [gas_supplier]\n"
        f"    channels:\n      - {{adapter: webhook, url: '{URL}', {options}\n       }}\n"
    )


def block(options: str) -> str:
    lines = "".join(f"        {each}\n" for each in options.split(", "))
    return channel("").rpartition("      - ")[0] + f"      - adapter: webhook\n{lines}"


def shown(folder: Path, users: str, config: str | None = None) -> str:
    """All that `check`, `run` and a reader of JSON get to see; it must be found wrong."""
    (folder / "service_users.yaml").write_text(users, encoding="utf-8")
    usual = {"sources": {"drop": {"adapter": "folder", "path": "inbox"}}, "dcc": {"id": DCC}}
    (folder / "hubherald.yaml").write_text(config or json.dumps(usual), encoding="utf-8")
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "r.yaml").write_text(
        "rules:\n  - {name: a, when: [activation.outcome exists], alert: N64}\n"
    )
    told = [call("check", folder=folder), call("check", "-o", "json", folder=folder)]
    assert all(each.exit_code == 1 for each in told), told[0].output
    assert json.loads(told[1].stdout)
    return "".join(each.stdout + each.stderr for each in told)


@pytest.mark.parametrize("secret", [SECRET, SHORT], ids=["long", "short"])
@pytest.mark.parametrize("slip", SLIPS.values(), ids=SLIPS)
@pytest.mark.parametrize("form", [channel, block])
def test_a_slip_shows_no_secret(tmp_path: Path, slip: str, secret: str, form: object) -> None:
    assert callable(form)
    text = shown(tmp_path, form(slip.format(secret=secret)))
    assert not [part for part in PARTS if part in text], text


@pytest.mark.parametrize(
    "url",
    [
        "https://me:S3CRET@a.example/",
        "https://me:S3C#S3CRET@a.example/",
        "https://me:S3C/S3CRET@a.example/",
        "https://me:S3C?S3CRET@a.example/",
        "https://me:12345#S3CRET@a.example/",
        "http://S3CRET:1@a.example/",
        "http://S3CRET#@a.example/",
        "https:/me:S3CRET@a.example/",
        "https//me:S3CRET@a.example/",
        "me:S3CRET@a.example",
        "https://[me:S3CRET@a.example/",
        "https://me:S3CRET@a.example:port/",
        "htps://a.example/hooks/S3CRET",
        "http://a.example/hooks/S3CRET?key=S3CRET",
        "https://a.example/hooks/S3CRET ",
        "${S3CRET}",
    ],
)
@pytest.mark.parametrize("adapter", ["webhook", "duis", "rabbitmq"])
def test_no_part_of_a_url_is_shown_that_may_be_secret(
    tmp_path: Path, url: str, adapter: str
) -> None:
    users = channel("wndow: 1").replace(f"'{URL}'", f"'{url}'").replace("webhook", adapter)
    assert "S3CRET" not in shown(tmp_path, users)


@pytest.mark.parametrize(
    "line",
    [
        "pasword: S3CRET",
        "url: 'amqp://me:S3C/S3CRET@localhost/'",
        "password_file: S3CRET",
        "password: ${S3CRET}",
        "password S3CRET",
        "password: S3CRET: x",
    ],
)
def test_the_other_file_shows_none_either(tmp_path: Path, line: str) -> None:
    config = (
        f"dcc: {{id: {DCC}, signing_key_file: S3CRET}}\nledger: {{url: 'postgres://u:S3CRET@h/d'}}\n"
        f"sources:\n  dsp:\n    adapter: rabbitmq\n    user: me\n    {line}\n"
    )
    assert "S3CRET" not in shown(tmp_path, channel(""), config)


def test_a_mapping_where_a_list_must_stand(tmp_path: Path) -> None:
    users = channel("").rpartition("      - ")[0] + f"      {SECRET}: 1\n"
    assert "S3CRET" not in shown(tmp_path, users)


def test_where_the_mistake_is_stays_to_be_seen(tmp_path: Path) -> None:
    text = shown(tmp_path, channel("window: many, secert: S3CRET"))
    assert "service_users.yaml:6:63: wrong-type window: must be a whole number, not 'many'" in text
    assert "window: many, ******: ******" in text
    assert "'secert' means nothing here; did you mean 'secret'?" in text
