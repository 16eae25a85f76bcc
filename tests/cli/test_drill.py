"""`hubherald drill`: real receivers, behind TLS and without, get no Alert and no number of one."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.commandline import call, rows
from support.echo import Echo, echoing
from support.estate import S1, S2, SUPPLIER, Estate
from support.keypair import KeyPair
from support.listener import Listener
from support.mutual import Mutual

pytestmark = pytest.mark.once


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    made = Estate(tmp_path)
    made.configure(**KeyPair(tmp_path).options)
    return made


def drilled(estate: Estate, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """By channel what came of it."""
    result = call("drill", "--user", S1, *words, "-o", "json", folder=estate.folder)
    assert result.exit_code == code, result.output
    return {row["channel"]: row for row in json.loads(result.stdout)}


def test_every_channel_is_tried_and_nothing_is_an_alert(estate: Estate, tmp_path: Path) -> None:
    mutual = Mutual(tmp_path / "tls")
    with Listener() as plain, echoing(mutual.server()) as duis:
        channels = [
            {"adapter": "webhook", "url": plain.url},
            {"adapter": "folder", "path": "sent/"},
            {"adapter": "duis", **mutual.options(f"https://{duis}/204/")},
        ]
        estate.user(S1, SUPPLIER, channels=channels, duis_version="5.4")
        found = drilled(estate)
    assert [row["delivered"] for row in found.values()] == [True, True, True]
    (body,) = plain.bodies
    event = json.loads(body)
    assert event["type"] == "hubherald.drill.v1"
    assert "sequence" not in event["data"]
    assert found["webhook"]["answer"].startswith("delivered")
    assert found["webhook"]["certificate_days_left"] is None
    assert "by TLS handshake alone" in found["duis"]["answer"]
    assert found["duis"]["certificate_days_left"] > 0
    tables = ("facts", "alerts", "deliveries", "attempts", "sequences", "lanes")
    assert [estate.ask(f"SELECT * FROM {table}") for table in tables] == [[]] * len(tables)


def test_on_duis_nothing_follows_the_handshake(
    estate: Estate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Echo, "handle_one_request", lambda self: asked.append(self.rfile.read()))
    mutual = Mutual(tmp_path / "tls")
    with echoing(mutual.server()) as duis:
        channel = {"adapter": "duis", **mutual.options(f"https://{duis}/204/")}
        estate.user(S1, SUPPLIER, channels=[channel], duis_version="5.4")
        drilled(estate)
        mutual.show(trustme.CA().issue_cert("stranger.example"))
        refused = drilled(estate, code=1)
    assert set(asked) <= {b""}
    assert "does not accept our certificate" in refused["duis"]["answer"]


def test_the_days_of_a_receiver_s_certificate_are_told(estate: Estate, tmp_path: Path) -> None:
    mutual = Mutual(tmp_path / "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    mutual.theirs.issue_cert("127.0.0.1").configure_cert(context)
    with echoing(context) as host:
        url = f"https://{host}/500/"
        channel = {"adapter": "webhook", "url": url, "ca_file": str(mutual.ca_file)}
        estate.user(S1, SUPPLIER, channels=[channel])
        found = drilled(estate, code=1)["webhook"]
        said = call("adapter", "try", "webhook", "--user", S1, folder=estate.folder)
    assert "answered 500" in found["answer"]
    assert found["certificate_days_left"] > 0
    assert f"in {found['certificate_days_left']} days" in said.stdout


def test_it_is_recorded_as_an_action(estate: Estate) -> None:
    estate.user(S1, SUPPLIER)
    drilled(estate)
    (row,) = rows("actions", "list", "--on", S1, folder=estate.folder)
    assert (row["action"], row["about"]) == ("drill", S1)
    assert "delivered" in row["detail"]


def test_what_can_t_be_tried_is_told_beside_what_can(estate: Estate) -> None:
    channels = [
        {"adapter": "folder", "path": "sent/"},
        {"adapter": "webhook", "url": "http://127.0.0.1:9/", "secret_file": "none"},
    ]
    estate.user(S1, SUPPLIER, channels=channels)
    found = drilled(estate, code=1)
    assert found["folder"]["delivered"]
    assert "secret_file" in found["webhook"]["answer"]
    assert drilled(estate, "--channel", "folder").keys() == {"folder"}
    for words, said in ((["--channel", "x"], "has no channel x"), (["--user", S2], "has no user")):
        result = call("drill", "--user", S1, *words, folder=estate.folder)
        assert (result.exit_code, said in result.stderr) == (1, True)
