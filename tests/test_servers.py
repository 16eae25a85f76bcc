"""Where the programs come from that the tests need."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import servers


def test_an_installed_rabbitmq_is_left_to_its_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's start script there changes to a user of its own, who can't write where we do."""
    for name in ("rabbitmq-server", "prometheus"):
        (tmp_path / name).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    unpacked = servers.program("rabbitmq-server")
    assert unpacked.is_relative_to(servers.CACHE)
    monkeypatch.setattr(servers, "CACHE", tmp_path / "empty")
    assert servers.program("prometheus") == tmp_path / "prometheus"
    with pytest.raises(servers.MissingServerError, match="run 'make test'"):
        servers.program("rabbitmq-server")
