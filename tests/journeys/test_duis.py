"""The whole router with Service Users who speak DUIS: Node.js with the DCC's parser, mutual TLS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.commandline import rows
from support.dcc import Parser, Validator
from support.duisreceiver import Receiver, listening
from support.estate import DCC, HUB, S1, S2, SUPPLIER, Estate
from support.keypair import KeyPair
from support.mutual import Mutual

HOMES = 40
SIGNED = "[I] passed signature check [SUCCESS]"


@pytest.fixture
def mutual(tmp_path: Path) -> Mutual:
    return Mutual(tmp_path / "tls")


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    made = Estate(tmp_path)
    made.configure(**KeyPair(tmp_path).options)
    return made


def speaks_duis(estate: Estate, user: str, version: str, mutual: Mutual, at: Receiver) -> None:
    channel = {"adapter": "duis", **mutual.options(at.url)}
    estate.user(user, SUPPLIER, duis_version=version, channels=[channel])


def alerts(estate: Estate) -> list[tuple[str, str]]:
    """User and state of every Alert."""
    found = rows("alerts", "list", "--limit", "1000", folder=estate.folder)
    return sorted((each["service_user_id"], each["state"]) for each in found)


def test_users_of_duis_are_told_in_the_version_that_they_read(
    estate: Estate, mutual: Mutual, validator: Validator, parser: Parser
) -> None:
    hubs = [f"90-B3-D5-1F-30-00-20-{number:02X}" for number in range(HOMES)]
    with listening(mutual) as receiver:
        speaks_duis(estate, S1, "5.4", mutual, receiver)
        speaks_duis(estate, S2, "5.0", mutual, receiver)
        for hub in hubs:
            estate.hub(hub)
            estate.registration("import_mpan", S1, device_id=hub)
            estate.registration("mprn", S2, device_id=hub)
            estate.activation("00090002", device_id=hub)
        estate.run()
    assert alerts(estate) == [(S1, "delivered")] * HOMES + [(S2, "delivered")] * HOMES
    assert receiver.answers == [204] * 2 * HOMES

    told: dict[str, dict[str, str]] = {S1: {}, S2: {}}
    counters: dict[str, set[int]] = {S1: set(), S2: set()}
    for message in receiver.messages:
        assert validator.says(message, estate.folder / "dcc.pem").endswith(SIGNED)
        parsed = parser.parse(message)
        response = parsed["header"]["responseId"]
        assert response["originatorId"].upper() == DCC
        user = response["targetId"].upper()
        counters[user].add(int(response["counter"]))
        alert = parsed["body"]["DCCAlertMessage"]
        told[user][device(message)] = alert["DCCAlertCode"]
        if user == S1:
            assert alert["DCCAlert"]["CommsHubFirmwareActivation"]["FirmwareVersion"] == "00090002"
        else:
            mismatch = alert["DCCAlert"]["DUISVersionMismatch"]
            assert mismatch["DCCAlertVersionMismatch"]["DCCAlertCode"] == "N64"
            assert mismatch["ServiceUserDUISVersion"] == "5.0"
    assert told == {S1: dict.fromkeys(hubs, "N64"), S2: dict.fromkeys(hubs, "N999")}
    assert counters == {user: set(range(1, HOMES + 1)) for user in (S1, S2)}


def device(message: Path) -> str:
    (found,) = re.findall(rb"DeviceID>([0-9A-F-]{23})<", message.read_bytes())
    return bytes(found).decode()


def test_what_is_sent_again_is_the_same_byte_for_byte(estate: Estate, mutual: Mutual) -> None:
    """Signatures are random: a document that is made twice is not the same."""
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation()
    with listening(mutual, 500, 400) as receiver:
        speaks_duis(estate, S1, "5.4", mutual, receiver)
        speaks_duis(estate, S2, "5.0", mutual, receiver)
        estate.run()  # the second tries come after 5 s
    assert sorted(receiver.answers) == [204, 204, 400, 500]
    bodies = sorted(message.read_bytes() for message in receiver.messages)
    assert bodies[0] == bodies[1] != bodies[2] == bodies[3]
    assert all(HUB.encode() in body for body in bodies)
    assert alerts(estate) == [(S1, "delivered"), (S2, "delivered")]


def test_a_receiver_of_node_that_does_not_know_our_ca_closes_the_lane(
    estate: Estate, mutual: Mutual
) -> None:
    """It takes the handshake, then looks at the certificate, and hangs up without a word."""
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    with listening(mutual) as receiver:
        speaks_duis(estate, S1, "5.4", mutual, receiver)
        mutual.show(Mutual(estate.folder / "stranger").ours.issue_cert("dcc.example"))
        estate.run()
        assert receiver.messages == []
        (lane,) = rows("lanes", "list", folder=estate.folder)
        assert (lane["state"], lane["reason"]) == ("closed", "credentials")
        assert "does not accept our certificate (certificate_file)" in lane["detail"]
        mutual.mend()
        estate.run()
    assert receiver.answers == [204]
    assert alerts(estate) == [(S1, "delivered")]
