"""How many DUIS documents one core builds and signs in a second, and where the time goes.

    .venv/bin/python benchmarks/duis_documents.py [--documents 10000] [--profile]

It counts the processor time of this thread, so that other work on the machine does not matter. The
goal is 2,000 documents/s, the design burst of the roll-out.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from adapters.duis.document import build
from adapters.duis.rendering import Renderer
from adapters.duis.verification import verify
from router.ports import Alert, Originator, Recipient
from router.ports.alerts import alert_id

GOAL = 2_000
DCC, USER, HUB = (f"90-B3-D5-1F-30-0{number}-00-02" for number in range(3))


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    words.add_argument("--documents", type=int, default=10_000)
    words.add_argument("--profile", action="store_true", help="show where the time goes")
    options = words.parse_args()
    now = datetime.now(UTC)
    alert = Alert(
        id=alert_id("benchmark", "fact", USER, "N64"),
        alert_code="N64",
        dcc_id=DCC,
        service_user_id=USER,
        device_id=HUB,
        firmware_version="01020304",
        previous_firmware_version=None,
        activated_at=now,
        decided_at=now,
        roles=("import_supplier",),
        rules={"import_supplier": "alert-import-supplier"},
        sequence=1,
        rules_digest="0" * 64,
    )
    with tempfile.TemporaryDirectory() as folder:
        originator, certificate = key_pair(Path(folder), now)
        good = True
        for name, version in (("N64", "5.4"), ("N999", "5.0")):
            recipient = Recipient(USER, version)
            render = Renderer(originator, recipient).render
            valid = verify(render(alert), certificate).startswith("valid: ")
            built = rate(partial(build, recipient=recipient), alert, options.documents)
            signed = rate(render, alert, options.documents)
            good = good and valid and signed >= GOAL
            print(f"{name}: {signed:,.0f} documents/s built and signed ({built:,.0f}/s built only)")
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(rate, render, alert, 2_000)
            pstats.Stats(profile).sort_stats("tottime").print_stats(20)
    return 0 if good else 1


def rate(make: Callable[[Alert], object], alert: Alert, count: int) -> float:
    """Documents in a second of processor time, each of another Alert."""
    alerts = [replace(alert, sequence=number) for number in range(1, count + 1)]
    started = time.thread_time()
    for each in alerts:
        make(each)
    return count / (time.thread_time() - started)


def key_pair(folder: Path, now: datetime) -> tuple[Originator, bytes]:
    """A throw-away key of the DCC, and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "benchmark")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=365))
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    key_file, certificate_file = folder / "dcc.key", folder / "dcc.pem"
    key_file.touch(0o600)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    certificate_file.write_bytes(certificate)
    return Originator(DCC, key_file, certificate_file), certificate


if __name__ == "__main__":
    sys.exit(main())
