"""What `hubherald init` writes is a router that works."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from support.commandline import call

from router.config.loading import load as load_config
from router.domain.facts import Activation, Fact, Hub, Registration, parse
from router.domain.words import HubStatus, Point, SmetsVersion
from router.errors import UsageError
from router.files import yamlfile
from router.workbench import starter


def rows(file: Path) -> list[dict[str, str]]:
    header, *lines = (line.split(",") for line in file.read_text(encoding="utf-8").splitlines())
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_it_is_fit_to_run(tmp_path: Path) -> None:
    starter.write(tmp_path / "new" / "router")
    loaded = load_config(tmp_path / "new" / "router" / "hubherald.yaml")
    assert loaded.rules.rules
    assert loaded.users.by_id


def test_with_a_broker_its_facts_come_from_there(tmp_path: Path) -> None:
    starter.write(tmp_path / "folder")
    starter.write(tmp_path / "broker", "amqp://localhost:5673/site")
    document = yamlfile.read(tmp_path / "broker" / "hubherald.yaml")
    assert not document.problems
    assert document.value["sources"] == {
        "dsp": {
            "adapter": "rabbitmq",
            "url": "amqp://localhost:5673/site",
            "queue": "hubherald.facts",
            "prefetch": 500,
        }
    }
    for file in (tmp_path / "folder").rglob("*.*"):
        if file.is_file() and file.name != "hubherald.yaml":
            other = tmp_path / "broker" / file.relative_to(tmp_path / "folder")
            assert other.read_bytes() == file.read_bytes()


def test_it_says_what_it_wrote(tmp_path: Path) -> None:
    written = starter.write(tmp_path)
    assert all(file.is_file() for file in written)
    assert {file for file in tmp_path.rglob("*") if file.is_file()} == set(written)
    names = {file.relative_to(tmp_path).as_posix() for file in written}
    assert names >= {"hubherald.yaml", "service_users.yaml", "hubs.csv", "registrations.csv"}
    assert "inbox/facts.jsonl" in names


def test_the_rules_are_the_shipped_ones_with_their_tests(tmp_path: Path) -> None:
    starter.write(tmp_path)
    shipped = starter.shipped_rules()
    files = {file.relative_to(shipped) for file in shipped.rglob("*.*")}
    assert Path("README.md") in files
    assert any(file.name.endswith(".test.yaml") for file in files)
    assert any(not file.name.endswith(".test.yaml") for file in files)
    for file in files:
        assert (tmp_path / "rules" / file).read_bytes() == (shipped / file).read_bytes()


def test_its_inventory_and_facts_fit_each_other(tmp_path: Path) -> None:
    starter.write(tmp_path)
    hubs = {row["device_id"]: row for row in rows(tmp_path / "hubs.csv")}
    for row in hubs.values():
        Hub(
            device_id=row["device_id"],
            status=HubStatus(row["status"]),
            smets_version=SmetsVersion(row["smets_version"]),
        )
    users = load_config(tmp_path / "hubherald.yaml").users.by_id
    for row in rows(tmp_path / "registrations.csv"):
        Registration.model_validate(
            {key: value or None for key, value in row.items()} | {"point": Point(row["point"])}
        )
        assert row["device_id"] in hubs
        assert {row["supplier_id"], row["network_operator_id"]} - {""} <= users.keys()
    facts = [parse(line) for line in (tmp_path / "inbox/facts.jsonl").read_bytes().splitlines()]
    for fact in facts:
        assert isinstance(fact, Fact)
        assert isinstance(fact.data, Activation)
        assert fact.data.device_id in hubs
    assert starter.HUB in hubs


@pytest.mark.parametrize("name", ["service_users.yaml", "rules", "inbox"])
def test_what_is_there_is_named_and_stays(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=f"{mine} is there already; nothing was written"):
        starter.write(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]
    assert mine.read_text(encoding="utf-8") == "mine"


def test_a_second_time_names_every_file(tmp_path: Path) -> None:
    written = starter.write(tmp_path)
    with pytest.raises(UsageError, match="are there already") as caught:
        starter.write(tmp_path)
    assert all(str(file) in str(caught.value) for file in written)


def test_a_link_that_leads_nowhere_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "hubs.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"hubs\.csv is there already"):
        starter.write(tmp_path)


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 300)
    with pytest.raises(UsageError, match="File name too long"):
        starter.write(folder)


def test_the_folder_of_its_state_is_made(tmp_path: Path) -> None:
    state = tmp_path / "var" / "hubherald"
    assert call("init", "--state", state, tmp_path / "etc").exit_code == 0
    assert stat.S_IMODE(state.stat().st_mode) == 0o750
    assert call("run", "--until-idle", folder=tmp_path / "etc").exit_code == 0
    assert (state / "hubherald.db").exists()


@pytest.mark.parametrize("name", ["what?", "100%", "a#b", "${HOME}", "two\nlines"])
def test_a_state_that_no_ledger_can_be_in_is_refused(tmp_path: Path, name: str) -> None:
    refused = call("init", "--state", tmp_path / name, tmp_path / "etc")
    assert (refused.exit_code, "choose another path" in refused.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []
