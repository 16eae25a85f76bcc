"""Both sides of mutual TLS, with certificates of trustme, for the tests of DUIS channels."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


@dataclass
class Mutual:
    """A receiver's CA and ours, and the files of a channel that trusts the one by the other."""

    folder: Path
    theirs: trustme.CA = field(default_factory=trustme.CA)
    ours: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.ca_file = self.folder / "receiver-ca.pem"
        self.certificate_file = self.folder / "dcc.pem"
        self.key_file = self.folder / "dcc.key"
        self.mend()

    def mend(self) -> None:
        """Every file as it should be."""
        self.trust(self.theirs)
        self.show(self.ours.issue_cert("dcc.example"))

    def trust(self, ca: trustme.CA) -> None:
        self.ca_file.write_bytes(ca.cert_pem.bytes())

    def show(self, certificate: trustme.LeafCert) -> None:
        """Have this for our client certificate."""
        chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        self.certificate_file.write_bytes(chain)
        self.key_file.touch(mode=0o600)
        self.key_file.write_bytes(certificate.private_key_pem.bytes())

    def options(self, url: str) -> dict[str, Any]:
        """The channel's options but for the name of its adapter."""
        files = {name: str(getattr(self, name)) for name in ("ca_file", "certificate_file")}
        return {"url": url, **files, "key_file": str(self.key_file)}

    def server(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """A receiver that asks for a certificate of ours."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        (certificate or self.theirs.issue_cert("127.0.0.1")).configure_cert(context)
        self.ours.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        return context
