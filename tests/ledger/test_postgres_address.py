"""How a PostgreSQL server is reached: with TLS that is verified, but on this machine."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import trustme
from support.postgres import SUPERUSER, Postgres

from router.ledger.database import Use, open_database, server_trouble
from router.ledger.postgres.address import Address

pytestmark = [pytest.mark.sqlite, pytest.mark.once]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@localhost/d",
        "postgresql://u@127.0.0.1:5433/d",
        "postgresql://u@[::1]:5433/d",
        "postgresql:///d",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://u@%2Frun%2Fpostgresql/d",
        "postgresql://u@localhost:1,127.0.0.1:2/d",
    ],
)
def test_on_this_machine_nobody_listens_in(url: str) -> None:
    assert "sslmode" not in Address(url).parameters()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@db.example/d",
        "postgresql://u@10.0.0.1:5433/d",
        "postgresql://u@[2001:db8::1]/d",
        "postgresql://u@localhost,db.example/d",
        "postgresql:///d?host=db.example",
        "postgresql://u@localhost.example/d",
    ],
)
def test_any_other_server_must_prove_who_it_is(url: str) -> None:
    given = Address(url, "correct-horse").parameters()
    assert given["sslmode"] == "verify-full"
    assert given["sslrootcert"]
    assert "correct-horse" not in repr(Address(url, "correct-horse"))


def test_what_people_call_it_has_no_user_and_no_options() -> None:
    named = Address("postgresql://u@db.example:5433/d?sslrootcert=/x").name
    assert named == "postgresql://db.example:5433/d"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca") / "ca.pem"


@pytest.fixture(scope="module")
def far(trusted: Path) -> Iterator[Postgres]:
    """A server that is asked by a name, not as this machine; its CA is nobody's."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(trusted))
    own = ca.issue_cert(socket.gethostname())
    with Postgres(config={"listen_addresses": "*"}) as server:
        server.stop()
        data = Path(server.data)
        own.cert_chain_pems[0].write_to_path(str(data / "server.crt"))
        own.private_key_pem.write_to_path(str(data / "server.key"))
        for name in ("server.crt", "server.key"):
            shutil.chown(data / name, data.owner())
            (data / name).chmod(0o600)
        (data / "pg_hba.conf").write_text(
            "hostssl all all all trust\nhost all all 127.0.0.1/32 trust\n"
        )
        server.start(ssl="on")
        yield server


def test_a_server_whose_certificate_is_right_gives_a_ledger(far: Postgres, trusted: Path) -> None:
    url = f"postgresql://{SUPERUSER}@{socket.gethostname()}:{far.port}/postgres"
    with closing(open_database(f"{url}?sslrootcert={trusted}", Use.CHANGE)) as database:
        assert database.made


def test_a_server_whose_certificate_is_not_trusted_is_told_nothing(far: Postgres) -> None:
    url = f"postgresql://{SUPERUSER}@{socket.gethostname()}:{far.port}/postgres"
    found = server_trouble(url, None)
    assert found is not None
    assert "the server's certificate is not to be trusted" in found.message
