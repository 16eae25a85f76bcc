"""The DUIS channel keeps the contract: the conformance suite, over mutual TLS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from support.httppeer import HttpPeer
from support.keypair import KeyPair
from support.mutual import Mutual

from adapters.duis.delivery import DuisAdapter
from router.conformance import (
    Ability,
    AdapterConformance,
    Arrived,
    CertificateAuthority,
    Harness,
    Peer,
    Situation,
    alert,
    because,
)

_RESPONSE = re.compile(rb"ResponseID>[^<]*:(\d+)<")


class DuisPeer(HttpPeer):
    """A Receive Response Service: always TLS, and it knows our certificate."""

    def __init__(self, authority: CertificateAuthority, mutual: Mutual) -> None:
        ours = mutual.folder / "our-ca.pem"
        ours.write_bytes(mutual.ours.cert_pem.bytes())
        super().__init__(authority, always=True, clients=ours)
        self.mutual = mutual

    @property
    def options(self) -> Mapping[str, object]:
        return {**self.mutual.options(self.url), "ca_file": self.ca_file}

    def read(self, head: bytes, body: bytes) -> Sequence[Arrived]:
        found = _RESPONSE.search(body)
        assert found is not None
        return [Arrived(str(alert(int(found[1])).id), body)]


class DuisHarness(Harness):
    """A DUIS channel's."""

    adapter = DuisAdapter
    wrong: Mapping[str, object] = {"url": "http://127.0.0.1/"}
    cannot = because(
        "one document goes in a request", Ability.BATCHES, Situation.REFUSES_MARKED
    ) | because("its options hold files of keys, no secrets", Ability.SECRETS, Situation.ECHOES)

    def __init__(self, folder: Path) -> None:
        self.authority, self.mutual = CertificateAuthority(folder), Mutual(folder / "ours")
        self.originator = KeyPair(folder).originator

    def peer(self) -> AbstractAsyncContextManager[Peer]:
        return DuisPeer(self.authority, self.mutual)


class TestConformance(AdapterConformance):
    @pytest.fixture
    def harness(self, tmp_path: Path) -> Harness:
        return DuisHarness(tmp_path)
