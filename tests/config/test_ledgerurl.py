"""What names a ledger: a file of SQLite, or a database on a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.estate import DCC

from router.config.ledgerurl import ledger_file, ledger_url
from router.config.loading import survey

HERE = Path("/etc/hubherald")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://hubherald@db.example/hubherald",
        "postgresql://db.example:5433/hubherald",
        "postgresql:///hubherald?host=/run/postgresql",
        "postgresql://h@a,b:5433/d?target_session_attrs=read-write&sslrootcert=/etc/ca.pem",
        "postgresql://h@[::1]:5433/d",
    ],
)
def test_a_server_is_taken_as_it_stands(url: str) -> None:
    assert ledger_url(url, HERE) == url
    assert ledger_file(url) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:S3CRET@h/d", "must not hold a password: .*password_file"),
        ("postgres://u@h/d", "postgresql://USER@HOST/DATABASE"),
        ("postgresql+psycopg://u@h/d", "postgresql://USER@HOST/DATABASE"),
        ("postgresql:h", "postgresql://USER@HOST/DATABASE"),
        ("postgresql://u@h", "must name one database"),
        ("postgresql://u@h/a/b", "must name one database"),
        ("postgresql://u@h/d?sslmode=disable", "must not hold `sslmode`; behind the [?] may stand"),
        ("postgresql://u@h/d?password=S3CRET", "must not hold `password`"),
        ("postgresql://u@h:no/d", "a port of 1 to 65535"),
        ("postgresql://u@h:70000/d", "a port of 1 to 65535"),
        ("postgresql://u@h/d d", "postgresql://USER@HOST/DATABASE"),
        ("oracle://h/d", "sqlite:///FILE"),
    ],
)
def test_what_can_be_none_is_told_and_no_secret_repeated(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as raised:
        ledger_url(url, HERE)
    assert "S3CRET" not in str(raised.value)


def test_a_file_lies_beside_the_configuration() -> None:
    assert ledger_file(ledger_url("sqlite:///a.db", HERE)) == HERE / "a.db"


@pytest.mark.parametrize(("heads", "warned"), [("", 1), ("operations: {heads: elsewhere}", 0)])
def test_on_a_server_heads_are_wanted(tmp_path: Path, heads: str, warned: int) -> None:
    file = tmp_path / "hubherald.yaml"
    own = f"sources: {{drop: {{adapter: folder, path: inbox}}}}\ndcc: {{id: {DCC}}}\n{heads}\n"
    file.write_text(f"{own}ledger: {{url: postgresql://u@h/d}}\n")
    said = [each.message for each in survey(file, {}).warnings]
    assert sum("`operations.heads`" in each for each in said) == warned
