"""Keys and certificates of DUIS channels: `check` names them, the router waits for them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.commandline import call, rows, start
from support.estate import S1, S2, SUPPLIER, Estate
from support.keypair import KeyPair
from support.mutual import AN_HOUR_AGO, Mutual
from support.tlslistener import TlsListener

Damage = Callable[[Mutual], object]


@pytest.fixture
def mutual(tmp_path: Path) -> Mutual:
    return Mutual(tmp_path / "tls")


@pytest.fixture
def receiver(mutual: Mutual) -> Iterator[TlsListener]:
    with TlsListener(mutual.server()) as listening:
        yield listening


@pytest.fixture
def estate(tmp_path: Path, mutual: Mutual, receiver: TlsListener) -> Estate:
    """S1 is told in DUIS, S2 in a folder; both supply the same home."""
    made = Estate(tmp_path)
    made.configure(**KeyPair(tmp_path).options)
    made.user(
        S1,
        SUPPLIER,
        duis_version="5.4",
        channels=[{"adapter": "duis", **mutual.options(receiver.url)}],
    )
    made.user(S2, SUPPLIER)
    made.all_roles()
    made.hub()
    made.registration("import_mpan", S1)
    made.registration("mprn", S2)
    made.activation()
    return made


FAULTS: dict[str, tuple[str, str, Damage, str]] = {
    "no CA": ("service_users.yaml", "ca_file", lambda it: it.ca_file.unlink(), "is missing"),
    "no certificate": (
        "service_users.yaml",
        "certificate_file",
        lambda it: it.certificate_file.write_text("none"),
        "holds no PEM certificate",
    ),
    "expired": (
        "service_users.yaml",
        "certificate_file",
        lambda it: it.show(it.ours.issue_cert("dcc.example", not_after=AN_HOUR_AGO)),
        "expired on",
    ),
    "no key": ("service_users.yaml", "key_file", lambda it: it.key_file.unlink(), "cannot be read"),
    "an open key": (
        "service_users.yaml",
        "key_file",
        lambda it: it.key_file.chmod(0o644),
        "others may open",
    ),
    "another's key": (
        "service_users.yaml",
        "key_file",
        lambda it: it.key_file.write_bytes(it.ours.issue_cert("x.example").private_key_pem.bytes()),
        "is not the key of the certificate in",
    ),
    "no signing key": (
        "hubherald.yaml",
        "signing_key_file",
        lambda it: (it.folder.parent / "dcc.key").unlink(),
        "cannot be read",
    ),
    "an open signing key": (
        "hubherald.yaml",
        "signing_key_file",
        lambda it: (it.folder.parent / "dcc.key").chmod(0o644),
        "others may open",
    ),
    "no signing certificate": (
        "hubherald.yaml",
        "signing_certificate_file",
        lambda it: (it.folder.parent / "dcc.pem").unlink(),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_check_names_the_file_and_where_it_stands(
    estate: Estate, mutual: Mutual, fault: str
) -> None:
    where, option, damage, why = FAULTS[fault]
    damage(mutual)
    (found,) = json.loads(call("check", "-o", "json", folder=estate.folder).stdout)
    assert found["file"] == str(estate.folder / where)
    line = (estate.folder / where).read_text().splitlines()[found["line"] - 1]
    assert line[found["column"] - 1 :].startswith('"/')
    assert f'"{option}": ' in line
    assert found["message"].startswith(f"{option}: ")
    assert why in found["message"]


def test_a_certificate_that_expires_soon_is_a_warning(estate: Estate, mutual: Mutual) -> None:
    soon = datetime.now(UTC) + timedelta(days=29)
    mutual.show(mutual.ours.issue_cert("dcc.example", not_after=soon))
    told = call("check", folder=estate.folder)
    assert told.exit_code == 0
    assert f": warning: certificate_file: FILE expires on {soon:%Y-%m-%d}" in (told.stderr)


def test_check_is_content_when_all_is_there(estate: Estate) -> None:
    told = call("check", folder=estate.folder)
    assert (told.exit_code, told.stderr) == (0, "")


@pytest.mark.parametrize("fault", ["another's key", "no signing key", "no signing certificate"])
def test_the_router_runs_all_the_same_and_serves_everybody_else(
    estate: Estate, mutual: Mutual, receiver: TlsListener, fault: str
) -> None:
    _, option, damage, why = FAULTS[fault]
    damage(mutual)
    estate.run()
    assert len(estate.sent(S2)) == 1
    (lane,) = [
        each
        for each in rows("lanes", "list", folder=estate.folder)
        if each["service_user_id"] == S1
    ]
    assert lane["state"] == "closed"
    assert lane["reason"] == "credentials"
    assert option in lane["last_answer"]
    assert why in lane["last_answer"]
    assert receiver.connections == 0


MENDED: dict[str, Callable[[Mutual, TlsListener], object]] = {
    "their certificate": lambda it, there: setattr(
        there, "tls", it.server(it.theirs.issue_cert("127.0.0.1", not_after=AN_HOUR_AGO))
    ),
    "our key": lambda it, _: it.key_file.unlink(),
    "the signing key": lambda it, _: (it.folder.parent / "dcc.key").chmod(0o644),
}


@pytest.mark.parametrize("fault", MENDED)
def test_what_was_held_goes_out_once_it_is_mended_without_a_restart(
    estate: Estate, mutual: Mutual, receiver: TlsListener, fault: str
) -> None:
    good = receiver.tls
    MENDED[fault](mutual, receiver)
    with start("run", folder=estate.folder) as router:
        wait_for_lane(estate, "closed")
        assert receiver.got == b""
        mutual.mend()
        mutual.key_file.chmod(0o600)
        (estate.folder / "dcc.key").chmod(0o600)
        receiver.tls = good
        assert call("lanes", "resume", S1, folder=estate.folder).exit_code == 0
        wait_for(lambda: states(estate) == ["delivered", "delivered"])
        router.terminate()
        assert router.wait(30) == 0
        assert "Traceback" not in router.communicate()[1]
    assert receiver.got.count(b"<sr:Response ") == 1


def wait_for_lane(estate: Estate, state: str) -> None:
    def stands() -> bool:
        if not (estate.folder / "hubherald.db").exists():
            return False
        result = call("lanes", "list", "-o", "json", folder=estate.folder)
        found = json.loads(result.stdout) if result.exit_code == 0 else []
        return any(each["service_user_id"] == S1 and each["state"] == state for each in found)

    wait_for(stands)


def states(estate: Estate) -> list[str]:
    return [each["state"] for each in rows("alerts", "list", folder=estate.folder)]


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)
