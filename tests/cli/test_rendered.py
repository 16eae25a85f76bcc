"""`hubherald alerts show --format` and `alerts verify`: what was sent, to the byte."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from support.commandline import call
from support.ledgers import fill, made, retry, swap, wish
from support.samples import DCC, NOW, device, user

from router.entrypoints import VERIFIERS
from router.ledger.database import Database
from router.ledger.documents import go_live
from router.workbench import starter

BYTES = b"<?xml version='1.0' encoding='UTF-8'?>\n<a>\xc3\xa9\r</a>"
NOWHERE = "00000000-0000-5000-8000-000000000000"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = "sources:\n  drop: {adapter: folder, path: inbox}\n"
    text += f"ledger: {{url: sqlite:///ledger.db}}\ndcc: {{id: {DCC}}}\n"
    (tmp_path / "hubherald.yaml").write_text(text)
    return tmp_path


def routed(database: Database, *channels: str) -> tuple[str, dict[str, int]]:
    """An Alert on these channels, each of the adapter before its dash, and their lanes."""
    wanted = [(user(1), name, name.partition("-")[0]) for name in channels]
    lanes = {key[1]: row.id for key, row in go_live(database, [], wanted, NOW).items()}
    fill(database, [device(1)], {user(1): list(lanes.values())})
    with database.transaction() as connection:
        found = connection.exec_driver_sql("SELECT alert_id FROM alerts").scalar_one()
    return str(found), lanes


def test_the_exact_bytes_are_printed(folder: Path) -> None:
    with closing(made(folder)) as database:
        alert, lanes = routed(database, "duis", "webhook")
        early = call("alerts", "show", alert, "--format", "duis", folder=folder)
        swap(database, wish(lanes["duis"], adapter="duis", render=lambda _alert: BYTES))
    shown = call("alerts", "show", alert.upper(), "--format", "duis", folder=folder)
    assert (shown.exit_code, shown.stdout_bytes) == (0, BYTES)
    assert early.exit_code != 0
    assert early.stdout == ""
    assert "not rendered yet (it is waiting): that happens right before it is sent" in early.stderr


def test_each_channel_has_bytes_of_its_own(folder: Path) -> None:
    with closing(made(folder)) as database:
        alert, lanes = routed(database, "duis", "duis-2")
        for name, lane in lanes.items():
            render = {"adapter": "duis", "render": lambda _alert, name=name: name.encode()}
            swap(database, wish(lane, **render))
    show = ("alerts", "show", alert, "--format", "duis")
    which = call(*show, folder=folder)
    assert which.exit_code != 0
    assert "several channels send it in duis, each as its own: --channel duis, " in which.stderr
    assert call(*show, "--channel", "duis-2", folder=folder).stdout_bytes == b"duis-2"
    assert "no such channel" in call(*show, "--channel", "nowhere", folder=folder).stderr


def test_what_may_have_been_taken_is_shown_though_another_adapter_sends_it_now(
    folder: Path,
) -> None:
    with closing(made(folder)) as database:
        alert, lanes = routed(database, "duis")
        for kind, body in (("duis", BYTES), ("fax", b"beep"), ("folder", None)):
            sends = swap(
                database,
                wish(lanes["duis"], adapter=kind, render=body and (lambda _alert, b=body: b)),
            ).sends
            ((claimed,),) = sends[lanes["duis"]]
            swap(database, settled=[retry(claimed, due_at=NOW)])
            go_live(database, [], [(user(1), "duis", kind)], NOW)
            shown = call("alerts", "show", alert, "--format", "duis", folder=folder)
            assert (shown.exit_code, shown.stdout_bytes) == (0, BYTES), kind


def test_an_alert_that_is_not_sent_in_the_format_says_so(folder: Path) -> None:
    with closing(made(folder)) as database:
        alert, _ = routed(database, "webhook")
    show = ("alerts", "show", alert)
    assert "to no such channel in duis" in call(*show, "--format", "duis", folder=folder).stderr
    nobody = call("alerts", "show", NOWHERE, "--format", "duis", folder=folder)
    assert f"there is no Alert {NOWHERE}" in nobody.stderr
    assert call(*show, "--channel", "webhook", folder=folder).exit_code == 2


def test_formats_are_those_of_the_installed_verifiers(tmp_path: Path) -> None:
    message = tmp_path / "alert.xml"
    message.write_bytes(BYTES)
    found = call("alerts", "verify", "--format", "fax", message, "--certificate", message)
    assert found.exit_code == 2
    assert "'fax' is not one of those installed: duis" in found.stderr


def test_help_lists_the_installed_formats(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "--format [duis] " in call("alerts", "verify", "--help").stdout
    assert "--format [duis] " in call("alerts", "show", "--help").stdout
    install_fax(monkeypatch, tmp_path)
    assert "--format [duis|fax] " in call("alerts", "verify", "--help").stdout


def test_the_format_may_be_left_out_while_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install_fax(monkeypatch, tmp_path)
    message = tmp_path / "alert.fax"
    message.write_bytes(b"beep")
    words = ("alerts", "verify", message, "--certificate", message)
    unclear = call(*words)
    assert (unclear.exit_code, unclear.stdout) == (2, "")
    assert "say which --format; installed are: duis, fax" in unclear.stderr
    assert call(*words, "--format", "fax").stdout == "faxed: beep\n"


def install_fax(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A verifier of somebody else's."""
    (folder / "fax_verifier.py").write_text(
        "def verify(message, certificate):\n    return f'faxed: {message.decode()}'\n"
    )
    about = folder / "fax_verifier-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fax-verifier\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{VERIFIERS}]\nfax = fax_verifier:verify\n")
    monkeypatch.syspath_prepend(folder)


def test_verify_needs_a_certificate(tmp_path: Path) -> None:
    message, certificate = tmp_path / "alert.xml", tmp_path / "dcc.pem"
    message.write_bytes(BYTES)
    certificate.write_text("none")
    found = call("alerts", "verify", message, "--certificate", certificate)
    assert (found.exit_code, found.stdout) == (1, "")
    assert "the certificate file holds no PEM certificate" in found.stderr
    assert "Traceback" not in found.stderr


def test_a_router_without_duis_imports_nothing_of_it(tmp_path: Path) -> None:
    starter.write(tmp_path)
    script = (
        "import sys; from router.cli import main; "
        "main(['--config', sys.argv[1], 'check'], standalone_mode=False); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'lxml', 'signxml', 'cryptography'}), 'adapters.duis' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "hubherald.yaml"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[] False"
