"""Makes what the containers of compose.yaml share in secret, since no repository may hold it.

Certificates for RabbitMQ and for Hubherald's operations port, the password of the one and the token
of the other, and the password of Grafana's admin: each file belongs to the user who reads it and is
closed to everybody else. What is there stays; without one of them all are made anew. The key that
signed the certificates is thrown away: nobody can sign another.

    python keys.py FOLDER rabbitmq=UID hubherald=UID grafana=UID prometheus=UID
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID = timedelta(days=3650)
FILES = (
    "rabbitmq/server.key",
    "rabbitmq/server.pem",
    "rabbitmq/definitions.json",
    "hubherald/ca.pem",
    "hubherald/rabbitmq.password",
    "grafana/admin.password",
    "hubherald/operations.token",
    "hubherald/operations.key",
    "hubherald/operations.pem",
    "prometheus/operations.token",
    "prometheus/ca.pem",
)
Key = ec.EllipticCurvePrivateKey


def contents() -> dict[str, bytes]:
    """Of all files, by name: new ones, that fit each other."""
    signing = ec.generate_private_key(ec.SECP256R1())
    authority = _pem(_authority(signing))
    password, token = (secrets.token_urlsafe(24) for _ in range(2))
    made = (
        *_pair("rabbitmq", signing),
        json.dumps(_definitions(password), indent=1).encode(),
        authority,
        password.encode(),
        secrets.token_urlsafe(24).encode(),
        token.encode(),
        *_pair("hubherald", signing),
        token.encode(),
        authority,
    )
    return dict(zip(FILES, made, strict=True))


def _definitions(password: str) -> dict[str, object]:
    """RabbitMQ's: one user, who may use what is called after Hubherald, and no `guest`."""
    salt = secrets.token_bytes(4)
    digest = salt + hashlib.sha256(salt + password.encode()).digest()
    own = r"^hubherald\."
    return {
        "users": [
            {
                "name": "hubherald",
                "password_hash": base64.b64encode(digest).decode(),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
        ],
        "vhosts": [{"name": "/"}],
        "permissions": [
            {"user": "hubherald", "vhost": "/", "configure": own, "write": own, "read": own}
        ],
    }


def _authority(signing: Key) -> x509.Certificate:
    """The certificate of who signs the others."""
    return (
        _begun("Hubherald's containers", signing.public_key(), "Hubherald's containers")
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(signing.public_key()), critical=False
        )
        .sign(signing, hashes.SHA256())
    )


def _pair(name: str, signing: Key) -> tuple[bytes, bytes]:
    """Key and certificate of the container of this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(name), x509.DNSName("localhost")]
    certificate = (
        _begun(name, key.public_key(), "Hubherald's containers")
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([*names, x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, _pem(certificate)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _begun(subject: str, key: ec.EllipticCurvePublicKey, issuer: str) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + VALID)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def main(folder: Path, owners: dict[str, int]) -> None:
    """Write what is missing."""
    if all((folder / name).exists() for name in FILES):
        sys.stdout.write(f"{folder}: certificates and passwords are there\n")
        return
    for name, content in contents().items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        closed = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        with os.fdopen(closed, "wb") as out:
            out.write(content)
            os.fchown(out.fileno(), owners[file.parent.name], -1)
    sys.stdout.write(f"{folder}: made certificates and passwords\n")


if __name__ == "__main__":
    given = (word.partition("=") for word in sys.argv[2:])
    main(Path(sys.argv[1]), {name: int(owner) for name, _, owner in given})
