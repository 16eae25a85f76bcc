"""TLS files: which one is at fault, why, and that whoever mends one need not restart anything."""

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from adapters.tls import TlsFiles, TlsFilesError, Trust, expiry

NOW = datetime.now(UTC)
AN_HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def files(ca: trustme.CA, tmp_path: Path) -> TlsFiles:
    """What a channel has when everything is right."""
    found = TlsFiles(tmp_path / "ca.pem", tmp_path / "our.pem", tmp_path / "our.key")
    assert found.ca_file is not None
    found.ca_file.write_bytes(ca.cert_pem.bytes())
    show(found, ca.issue_cert("dcc.example"))
    return found


def show(files: TlsFiles, ours: trustme.LeafCert) -> None:
    assert files.certificate_file is not None
    assert files.key_file is not None
    files.certificate_file.write_bytes(b"".join(blob.bytes() for blob in ours.cert_chain_pems))
    files.key_file.touch(mode=0o600)
    files.key_file.write_bytes(ours.private_key_pem.bytes())


def test_files_that_are_right(files: TlsFiles) -> None:
    assert files.faults() == []
    context = files.context()
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == 1  # and none of the system's


def with_password(key: bytes) -> bytes:
    loaded = load_pem_private_key(key, password=None)
    return loaded.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )


def mend(damaged: Path, whole: dict[Path, bytes]) -> None:
    if damaged.is_dir():
        damaged.rmdir()
    for file, content in whole.items():
        file.write_bytes(content)
        file.chmod(0o600)


FAULTS: dict[str, tuple[str, Callable[[Path, trustme.CA], object], str]] = {
    "no CA": ("ca_file", lambda file, _: file.unlink(), "is missing"),
    "a CA of nothing": ("ca_file", lambda file, _: file.write_bytes(b""), "holds no PEM"),
    "a CA of text": ("ca_file", lambda file, _: file.write_bytes(b"hello"), "holds no PEM"),
    "no certificate": ("certificate_file", lambda file, _: file.unlink(), "is missing"),
    "a certificate of text": (
        "certificate_file",
        lambda file, _: file.write_bytes(b"hello"),
        "holds no PEM certificate",
    ),
    "an endless certificate": (
        "certificate_file",
        lambda file, _: os.truncate(file, 5_000_000),
        "is too large",
    ),
    "a folder": (
        "certificate_file",
        lambda file, _: (file.unlink(), file.mkdir()),
        "is not a file",
    ),
    "expired": (
        "certificate_file",
        lambda file, ca: file.write_bytes(
            ca.issue_cert("dcc.example", not_after=NOW - AN_HOUR).cert_chain_pems[0].bytes()
        ),
        f"expired on {NOW - AN_HOUR:%Y-%m-%d %H:%M} UTC",
    ),
    "not yet": (
        "certificate_file",
        lambda file, ca: file.write_bytes(
            ca.issue_cert("dcc.example", not_before=NOW + AN_HOUR, not_after=NOW + 2 * AN_HOUR)
            .cert_chain_pems[0]
            .bytes()
        ),
        f"does not hold before {NOW + AN_HOUR:%Y-%m-%d %H:%M} UTC",
    ),
    "no key": ("key_file", lambda file, _: file.unlink(), "cannot be read"),
    "an open key": ("key_file", lambda file, _: file.chmod(0o644), "mode 0644); run: chmod 600"),
    "a key of text": ("key_file", lambda file, _: file.write_bytes(b"hello"), "holds no PEM key"),
    "a key with a password": (
        "key_file",
        lambda file, _: file.write_bytes(with_password(file.read_bytes())),
        "wants a password",
    ),
    "somebody else's key": (
        "key_file",
        lambda file, ca: file.write_bytes(ca.issue_cert("x.example").private_key_pem.bytes()),
        "is not the key of the certificate in",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_names_the_option_the_file_and_why(
    files: TlsFiles, ca: trustme.CA, fault: str
) -> None:
    trust = Trust(files)
    before = await trust.context()
    option, damage, why = FAULTS[fault]
    file: Path = getattr(files, option)
    whole = {each: each.read_bytes() for each in file.parent.iterdir()}
    damage(file, ca)

    (found,) = files.faults()
    assert found.option == option
    assert str(found).startswith(f"{option}: ")
    assert str(file) in found.why
    assert why in found.why
    assert "PRIVATE KEY" not in found.why

    for _ in range(2):
        with pytest.raises(TlsFilesError) as caught:
            await trust.context()
        assert str(caught.value) == str(found)

    mend(file, whole)
    after = await trust.context()
    assert after is not before
    assert files.faults() == []


def test_a_ca_that_has_expired(files: TlsFiles) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old CA")])
    certificate = (  # trustme's own last for ever
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(NOW - 2 * AN_HOUR)
        .not_valid_after(NOW - AN_HOUR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    assert files.ca_file is not None
    files.ca_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    (found,) = files.faults()
    assert found.option == "ca_file"
    assert f"expired on {NOW - AN_HOUR:%Y-%m-%d %H:%M} UTC" in found.why


def test_all_faults_are_told_at_once(files: TlsFiles) -> None:
    for file in (files.ca_file, files.certificate_file, files.key_file):
        assert file is not None
        file.write_bytes(b"")
    assert [each.option for each in files.faults()] == ["ca_file", "certificate_file", "key_file"]


async def test_a_renewed_certificate_is_shown_from_the_next_connection_on(
    files: TlsFiles, ca: trustme.CA
) -> None:
    trust = Trust(files)
    first = await trust.context()
    assert await trust.context() is first
    show(files, ca.issue_cert("dcc.example"))
    assert await trust.context() is not first


async def test_channels_without_files_share_what_the_system_trusts() -> None:
    one, other = Trust(TlsFiles()), Trust(TlsFiles())
    assert await one.context() is await other.context()


def test_the_moment_until_which_a_certificate_holds(files: TlsFiles, ca: trustme.CA) -> None:
    ends = (NOW + AN_HOUR).replace(microsecond=0)
    show(files, ca.issue_cert("dcc.example", not_after=ends))
    assert files.certificate_file is not None
    assert expiry(files.certificate_file) == ends
