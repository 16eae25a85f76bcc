"""The command line as such, and the commands over files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from support.commandline import PROGRAM, call, rows, start
from support.estate import ROOT, S1, S2, SUPPLIER, Estate

from router.cli import COMMANDS


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    estate.user(S2, ["gas_supplier"])
    return estate


def test_help_lists_every_command_and_each_has_its_own() -> None:
    text = call("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} ", text, re.MULTILINE)
        own = call(name, "--help")
        assert own.exit_code == 0
        assert own.stdout.startswith(f"Usage: main {name}")


def test_help_and_version_import_nothing_heavy() -> None:
    script = (
        "import sys; from router.cli import main; main(['--help'], standalone_mode=False); "
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'pydantic', 'sqlalchemy', 'rich', 'aiohttp', 'durable', 'structlog'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert call("--version").stdout.split()[-1] == version("hubherald")


def test_a_misspelt_command_is_wrong_use_with_a_suggestion() -> None:
    result = call("lane", "list")
    assert result.exit_code == 2
    assert "no such command 'lane'; did you mean 'lanes'?" in result.stderr
    assert "no such command 'xyzzy'" in call("xyzzy").stderr


def test_without_a_configuration_the_line_says_how_to_get_one(tmp_path: Path) -> None:
    for words in (["run"], ["check"], ["alerts", "list"], ["test"]):
        result = call(*words, folder=tmp_path)
        assert result.exit_code == 2
        assert "there is no such file" in result.stderr
        assert "hubherald init" in result.stderr


def test_the_configuration_is_also_named_by_the_environment(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.all_roles()
    monkeypatch.setenv("HUBHERALD_CONFIG", str(estate.folder / "hubherald.yaml"))
    assert call("check").exit_code == 0


def test_a_router_is_not_started_on_broken_files(estate: Estate) -> None:
    (estate.folder / "service_users.yaml").write_text("service_users: []\n")
    result = call("run", "--until-idle", folder=estate.folder)
    assert result.exit_code == 1
    assert "service_users.yaml:1:" in result.stderr
    assert not (estate.folder / "hubherald.db").exists()


def test_run_until_idle_counts_what_it_did(estate: Estate) -> None:
    estate.users[1]["status"] = "suspended"
    estate.write_users()
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.registration("mprn", S2)
    estate.activation()
    estate.line(b"nonsense")
    result = call("run", "--until-idle", folder=estate.folder)
    assert result.exit_code == 0
    assert "facts: 1 decided, 3 applied" in result.stdout
    assert "Alerts: 2 to 2 Service Users" in result.stdout
    assert "deliveries: 1 delivered, 1 held" in result.stdout
    assert "1 held: `hubherald lanes list` says why" in result.stdout
    assert "in quarantine: 1 (1 malformed)" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_router_ends_well_on_a_signal(estate: Estate, number: signal.Signals) -> None:
    with start("run", folder=estate.folder) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["event"] == "router.started":
                break
        process.send_signal(number)
        _, told = process.communicate()
    assert process.returncode == 0
    assert "Traceback" not in told


def test_a_second_router_is_refused_in_a_line(estate: Estate) -> None:
    with start("run", folder=estate.folder) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["event"] == "router.started":
                break
        result = call("run", "--until-idle", folder=estate.folder)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert result.exit_code == 1
    assert f"held by another router (process {process.pid})" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("amqp://elsewhere/", "must use TLS"),
        ("amqp://me:S3CRET@localhost/", "must not hold a user or password"),
        ("localhost", "must be a URL such as amqps://"),
    ],
)
def test_init_refuses_a_broker_that_check_would_refuse(tmp_path: Path, url: str, said: str) -> None:
    result = call("init", "--rabbitmq", url, tmp_path / "new")
    assert result.exit_code == 2
    assert said in result.stderr
    assert "S3CRET" not in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_starter_is_right_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "my-router"
    result = call("init", folder)
    assert result.exit_code == 0
    assert f"wrote {folder}/hubherald.yaml" in result.stdout
    assert call("check", folder=folder).exit_code == 0
    again = call("init", folder)
    assert again.exit_code == 1
    assert "nothing was written" in again.stderr


def test_adapters_lists_sources_and_deliveries_with_their_options() -> None:
    listed = rows("adapters")
    found = {(row["role"], row["adapter"], row["option"]) for row in listed}
    assert ("source", "folder", "path") in found
    assert ("delivery", "webhook", "url") in found
    assert ("delivery", "log", None) in found
    secret = next(row for row in listed if row["option"] == "secret")
    assert (secret["type"], secret["required"]) == ("secret", False)
    assert all(row["description"] for row in listed if row["option"])
    text = call("adapters").stdout
    assert "delivery webhook: " in text
    assert "  no options" in text


@pytest.mark.parametrize("what", ["fact", "rules", "users", "config"])
def test_schema_prints_a_json_schema(what: str) -> None:
    result = call("schema", what)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["$schema"].startswith("https://json-schema.org/")


def test_a_simulated_estate_can_be_loaded_and_routed(tmp_path: Path) -> None:
    folder = tmp_path / "estate"
    sizes = ["--hubs", "30", "--users", "8", "--activations", "20"]
    made = call("simulate", *sizes, "--out", folder)
    assert made.exit_code == 0
    assert "30 hubs" in made.stdout
    files = ["--hubs", folder / "hubs.csv", "--registrations", folder / "registrations.csv"]
    assert call("inventory", "import", *files, folder=folder).exit_code == 0
    assert call("check", folder=folder).exit_code == 0
    config = folder / "hubherald.yaml"
    config.write_text(config.read_text().replace(":9464", ":0"))  # any free port
    assert call("run", "--until-idle", "--timeout", "300", folder=folder).exit_code == 0
    alerts = json.loads((folder / "expected.json").read_bytes())["counts"]["alerts"]
    assert len(list(folder.glob("outbox/*/*.json"))) == alerts > 0
    again = call("simulate", *sizes, "--out", folder)
    assert again.exit_code == 1
    assert "is there and not empty" in again.stderr


def test_the_shell_completes_after_the_line_of_the_readme() -> None:
    (line,) = re.findall(r"^ {4}(eval .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    asked = f"PATH={Path(sys.executable).parent}:$PATH; {line}; complete -p hubherald; " + (
        "COMP_WORDS=(hubherald lan) COMP_CWORD=1; _hubherald_completion hubherald; "
        'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True)
    registered, completed = done.stdout.splitlines()
    assert registered.endswith(" hubherald")
    assert completed == "lanes"


def test_a_pipe_that_is_closed_early_is_no_traceback(estate: Estate) -> None:
    command = f"{' '.join(map(_quoted, PROGRAM))} schema config | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=estate.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr


def _quoted(word: str) -> str:
    return f"'{word}'"
