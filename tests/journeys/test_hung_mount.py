"""Keys, secrets and certificates on a mount that is away: what needs them waits, nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.commandline import call
from support.estate import S1, S2, S3, S4, SUPPLIER
from support.hungmount import hung_mount
from support.liverouter import one_supplier, running

NEVER = "amqps://localhost:1/"


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Path]:
    with hung_mount(tmp_path / "away") as folder:
        yield folder


def test_the_router_starts_serves_and_ends_though_files_are_on_a_mount_that_is_away(
    tmp_path: Path, away: Path
) -> None:
    estate = one_supplier(tmp_path)
    hook = {"adapter": "webhook", "url": "https://localhost:1/"}
    queue = {"adapter": "rabbitmq", "url": NEVER, "exchange": "alerts"}
    estate.user(S2, SUPPLIER, channels=[{**hook, "secret_file": f"{away}/secret"}])
    estate.user(S3, SUPPLIER, channels=[{**hook, "ca_file": f"{away}/ca.pem"}])
    estate.user(S4, SUPPLIER, channels=[{**queue, "ca_file": f"{away}/ca.pem"}])
    for number, user in enumerate((S2, S3, S4)):
        estate.registration("import_mpan", user, device_id=f"90-B3-D5-1F-30-00-20-0{number}")
        estate.hub(f"90-B3-D5-1F-30-00-20-0{number}")
        estate.activation(device_id=f"90-B3-D5-1F-30-00-20-0{number}")
    estate.activation()
    source = {"adapter": "rabbitmq", "url": NEVER, "queue": "facts"}
    dcc = {
        "id": "90-B3-D5-1F-30-00-00-02",
        "signing_key_file": f"{away}/dcc.key",
        "signing_certificate_file": f"{away}/dcc.pem",
    }
    sources = {
        "drop": {"adapter": "folder", "path": "inbox/"},
        "files": {"adapter": "folder", "path": f"{away}/inbox"},
        "trusts": {**source, "ca_file": f"{away}/ca.pem"},
        "logs-in": {**source, "user": "us", "password_file": f"{away}/password"},
    }
    with running(estate, sources=sources, dcc=dcc) as live:
        live.until(lambda: list((tmp_path / "sent" / S1).glob("*.json")))
        live.until(lambda: len(live.log("lane.closed")) == 3)
        for line in live.log("lane.closed"):
            assert line["reason"] == "credentials"
            assert "does not answer" in line["detail"]
        live.until(lambda: "source trusts: ca_file: FILE does not answer" in live.ready()[1])
        status, why = live.ready()
        assert status == 503
        assert "source logs-in: password_file: FILE does not answer" in why
        assert "source drop" not in why
        live.until(lambda: "source files: folder" in live.ready()[1])


def test_check_names_each_file_that_does_not_answer(tmp_path: Path, away: Path) -> None:
    estate = one_supplier(tmp_path)
    hook = {"adapter": "webhook", "url": "https://localhost:1/", "secret_file": f"{away}/secret"}
    estate.user(S2, SUPPLIER, channels=[hook, {**hook, "name": "other"}])
    estate.configure(tmp_path / "rules", signing_key_file=f"{away}/dcc.key")
    found = call("check", folder=tmp_path)
    assert found.exit_code == 1
    said = found.output.replace("\n", " ")
    assert said.count("secret_file: FILE does not answer") == 2
    assert "signing_key_file: the file does not answer" in said
    assert str(away) not in said
