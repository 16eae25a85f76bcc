"""compose.yaml, the Dockerfile and the systemd unit: all that starts without a container engine."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import time
import tomllib
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from jsonschema import Draft7Validator
from support.broker import Broker
from support.containers import Containers, compose, image_environment, last, stages, yaml
from support.estate import ROOT
from support.servers import CACHE, program

from dashboards.board import RUNBOOK
from router.service.lastresort import PATIENCE

pytestmark = pytest.mark.once

SERVICES = compose()["services"]
UNIT = ROOT / "deploy" / "hubherald.service"
TOLD = re.findall(
    r"^# +docker compose exec hubherald hubherald (.+)$", (ROOT / "compose.yaml").read_text(), re.M
)
"""The commands that compose.yaml tells to try."""
HUB = "90-B3-D5-1F-30-02-00-01"


@dataclass(frozen=True)
class Composed:
    """All that compose.yaml starts, but Grafana."""

    containers: Containers
    broker: Broker
    prometheus: str
    log: Path

    def hubherald(self, *words: str) -> str:
        """What `docker compose exec hubherald hubherald ...` says; it must work."""
        done = self.containers.run(["hubherald", *words])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def until(self, done: Callable[[], object]) -> None:
        until(done, self.log)

    def values(self, expr: str) -> dict[str, float]:
        """What Prometheus has, by job."""
        asked = f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
        found = json.loads(_get(asked))["data"]["result"]
        return {each["metric"]["job"]: float(each["value"][1]) for each in found}


def _get(url: str, ca: Path | None = None) -> str:
    context = ssl.create_default_context(cafile=ca) if ca else None
    with urllib.request.urlopen(url, timeout=30, context=context) as response:
        return str(response.read().decode())


def _answers(url: str, ca: Path | None = None) -> bool:
    with suppress(OSError):
        return bool(_get(url, ca))
    return False


def until(done: Callable[[], object], log: Path) -> None:
    """The limit is there to fail, not to measure."""
    limit = time.monotonic() + 60
    while not done():
        assert time.monotonic() < limit, log.read_text()
        time.sleep(0.05)


def free_ports(number: int) -> list[int]:
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(each.getsockname()[1]) for each in taken]
    for each in taken:
        each.close()
    return ports


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    folder = tmp_path_factory.mktemp("composed")
    log = folder / "hubherald.log"
    router, prometheus = free_ports(2)
    other = {
        "0.0.0.0:9464": f"127.0.0.1:{router}",
        "127.0.0.1:9464": f"127.0.0.1:{router}",
        "hubherald:9464": f"127.0.0.1:{router}",
        "127.0.0.1:9090": f"127.0.0.1:{prometheus}",
        "default = 5671": "default = 127.0.0.1:{tls_port}",
        "tcp.port = 15692": "tcp.port = {metrics_port}\nprometheus.tcp.ip = 127.0.0.1",
        "15s": "1s",  # or this would wait for the first scrape
    }
    names = ["keys", "rabbitmq", "hubherald", "prometheus"]
    containers = Containers(folder / "root", names, other)
    containers.build()
    _make_keys(containers)
    config = containers.path("/etc/rabbitmq/rabbitmq.conf").read_text()
    plugins = re.findall(r"\w+", containers.path("/etc/rabbitmq/enabled_plugins").read_text())
    with ExitStack() as stack:
        broker = stack.enter_context(Broker(plugins=plugins, config=config))
        for file, there, here in (
            ("/etc/hubherald/hubherald.yaml", "amqps://rabbitmq/", broker.tls_url),
            (
                "/etc/prometheus/prometheus.yml",
                "rabbitmq:15692",
                f"127.0.0.1:{broker.metrics_port}",
            ),
        ):
            _replace(containers.path(file), there, here)
        words = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
        run = stack.enter_context(containers.started(words, log))
        watch = [
            str(program("prometheus")),
            *SERVICES["prometheus"]["command"],
            f"--web.listen-address=127.0.0.1:{prometheus}",
        ]
        stack.enter_context(containers.started(watch, folder / "prometheus.log"))
        ca = containers.path("/keys/prometheus/ca.pem")
        until(lambda: _answers(f"https://127.0.0.1:{router}/-/ready", ca), log)
        url = f"http://127.0.0.1:{prometheus}"
        until(lambda: _answers(f"{url}/-/ready"), folder / "prometheus.log")
        yield Composed(containers, broker, url, log)
        run.send_signal(getattr(signal, last("STOPSIGNAL")))
        grace = int(SERVICES["hubherald"]["stop_grace_period"].removesuffix("s"))
        assert run.wait(grace) == 0, log.read_text()


def _make_keys(containers: Containers) -> None:
    service = SERVICES["keys"]
    words = [*service["entrypoint"], *service["command"]]
    owned = [re.sub(r"=\d+$", f"={os.getuid()}", word) for word in words]
    done = containers.run(owned)
    assert done.returncode == 0, done.stderr


def _replace(file: Path, there: str, here: str) -> None:
    text = file.read_text()
    assert there in text
    file.write_text(text.replace(there, here))


def test_facts_on_the_queue_become_alerts(composed: Composed) -> None:
    assert [words.split()[0] for words in TOLD] == ["inventory", "publish", "check", "reload"]
    for words in TOLD:
        composed.hubherald(*words.split())
    alerts = composed.containers.path("/var/lib/hubherald/alerts/acme")
    composed.until(lambda: list(alerts.glob("*.json")))
    assert "delivered" in composed.hubherald("why", "--hub", HUB)
    told = "hubherald_alerts_total{recipient='90-B3-D5-1F-30-01-00-01'} > 0"
    composed.until(lambda: composed.values(f"sum by (job) ({told})"))


def test_prometheus_sees_both(composed: Composed) -> None:
    composed.until(lambda: composed.values("up") == {"hubherald": 1, "rabbitmq": 1})
    queue = "rabbitmq_queue_messages_ready{queue='hubherald.facts'}"
    composed.until(lambda: set(composed.values(queue)) == {"rabbitmq"})
    config = composed.containers.path("/etc/prometheus/prometheus.yml")
    checked = composed.containers.run([str(program("promtool")), "check", "config", str(config)])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    groups = json.loads(_get(f"{composed.prometheus}/api/v1/rules"))["data"]["groups"]
    assert groups


def test_what_is_healthy_passes_its_health_check(composed: Composed) -> None:
    own = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    assert composed.containers.run(own).returncode == 0
    name, *words = SERVICES["prometheus"]["healthcheck"]["test"][1:]
    assert composed.containers.run([str(program(name)), *words]).returncode == 0
    name, *words = SERVICES["rabbitmq"]["healthcheck"]["test"][1:]
    port = str(composed.broker.tls_port)
    composed.broker.tool(name, *(port if word == "5671" else word for word in words))


def test_what_is_ill_fails_it(composed: Composed) -> None:
    (nobody,) = free_ports(1)
    own = json.loads(last("HEALTHCHECK").partition("CMD ")[2])
    ill = [word.replace("127.0.0.1:9464", f"127.0.0.1:{nobody}") for word in own]
    assert composed.containers.run(ill).returncode != 0
    name, *words = SERVICES["rabbitmq"]["healthcheck"]["test"][1:]
    with pytest.raises(RuntimeError):
        composed.broker.tool(name, *(str(nobody) if word == "5671" else word for word in words))


def test_keys_are_private_stay_and_let_nobody_else_in(composed: Composed) -> None:
    folder = composed.containers.path("/keys")
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) == 11
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o400}
    before = {file: hashlib.sha256(file.read_bytes()).digest() for file in files}
    _make_keys(composed.containers)
    assert {file: hashlib.sha256(file.read_bytes()).digest() for file in files} == before
    assert json.loads(composed.broker.control("list_users", "--formatter=json")) == [
        {"user": "hubherald", "tags": []}
    ]


def test_edited_rules_are_live_after_the_reload_of_the_unit(composed: Composed) -> None:
    rules = composed.containers.path("/rules/alerts.yaml")
    rules.write_text(rules.read_text().replace("And the supplier of gas", "The supplier of gas"))
    done = composed.containers.run(unit()["Service"]["ExecReload"].split())
    assert done.returncode == 0, done.stdout + done.stderr
    rules.write_text("rules: [")
    done = composed.containers.run(unit()["Service"]["ExecReload"].split())
    assert done.returncode == 1
    assert "alerts.yaml:1:" in done.stderr


def test_the_wheel_brings_the_unit(composed: Composed) -> None:
    here = composed.containers.path("/opt/hubherald") / "lib" / "systemd" / "system" / UNIT.name
    assert here.read_bytes() == UNIT.read_bytes()


def test_compose_has_nothing_that_the_specification_does_not_know() -> None:
    packed = program("docker-compose").parents[1]
    schema = packed / "lib/python3/dist-packages/compose/config/compose_spec.json"
    validator = Draft7Validator(json.loads(schema.read_text()))
    document = compose()
    assert [error.message for error in validator.iter_errors(document)] == []
    document["services"]["hubherald"]["depend_on"] = {}
    assert list(validator.iter_errors(document)) != []


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_closed_pinned_and_restarted(name: str) -> None:
    service = SERVICES[name]
    image, _, tag = service["image"].partition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag), image
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service["restart"] == ("no" if name == "keys" else "unless-stopped")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    for needed, how in service.get("depends_on", {}).items():
        ends = SERVICES[needed]["restart"] == "no"
        assert how["condition"] == f"service_{'completed_successfully' if ends else 'healthy'}"


def test_hosts_are_services_and_the_broker_may_call_itself_so(composed: Composed) -> None:
    source = yaml(ROOT / "deploy" / "hubherald" / "hubherald.yaml")["sources"]["dsp"]
    named = composed.containers.path("/keys/rabbitmq/server.pem").read_bytes()
    names = x509.load_pem_x509_certificate(named).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    host = urllib.parse.urlsplit(source["url"]).hostname
    assert host in names.value.get_values_for_type(x509.DNSName)
    scraped = yaml(ROOT / "dashboards" / "prometheus" / "prometheus.yml")["scrape_configs"]
    targets = [
        target for job in scraped for each in job["static_configs"] for target in each["targets"]
    ]
    assert {host, *(target.partition(":")[0] for target in targets)} <= SERVICES.keys()


def test_what_is_mounted_is_there() -> None:
    document = compose()
    for service in document["services"].values():
        for source, target, *mode in (line.split(":") for line in service["volumes"]):
            assert target.startswith("/")
            if source.startswith("./"):
                assert (ROOT / source).exists()
                assert mode == ["ro"]
            else:
                assert source in document["volumes"]


def test_passwords_come_from_files_that_are_made_at_the_start() -> None:
    told = {name: value for each in SERVICES.values() for name, value in _settings(each)}
    source = yaml(ROOT / "deploy" / "hubherald" / "hubherald.yaml")["sources"]["dsp"]
    users = yaml(ROOT / "deploy" / "hubherald" / "service_users.yaml")["service_users"]
    told |= source | {name: value for user in users for name, value in user["channels"][0].items()}
    secret = {name: str(value) for name, value in told.items() if re.search("(?i)pass|sec", name)}
    assert secret.keys() == {"GF_SECURITY_ADMIN_PASSWORD__FILE", "password_file"}
    assert all(value.startswith("/keys/") for value in secret.values())


def _settings(service: dict[str, Any]) -> Iterable[tuple[str, str]]:
    found: dict[str, str] = service.get("environment", {})
    return found.items()


def test_grafana_is_told_where_everything_is() -> None:
    grafana = SERVICES["grafana"]
    mounts = {target: source for source, target, *_ in (v.split(":") for v in grafana["volumes"])}
    provisioning = ROOT / mounts["/etc/grafana/provisioning"]
    (provider,) = yaml(provisioning / "dashboards" / "dashboards.yaml")["providers"]
    dashboards = ROOT / mounts[provider["options"]["path"]]
    assert len(list(dashboards.glob("*.json"))) >= 5
    assert mounts[f"/usr/share/grafana{RUNBOOK}"] == "./dashboards/RUNBOOK.md"
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(provider["options"]["path"])
    assert (dashboards / Path(home).name).exists()
    (source,) = yaml(provisioning / "datasources" / "datasources.yaml")["datasources"]
    where = urllib.parse.urlsplit(source["url"])
    assert where.hostname in SERVICES
    (port,) = SERVICES[where.hostname]["ports"]
    assert port.endswith(f":{where.port}")
    scraped = yaml(ROOT / "dashboards" / "prometheus" / "prometheus.yml")["global"]
    assert source["jsonData"]["timeInterval"] == scraped["scrape_interval"]


def test_the_image_is_of_this_version_and_built_as_the_makefile_builds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert SERVICES["hubherald"]["image"] == f"hubherald:{project['version']}"
    flags = re.search(r"CPPFLAGS := (.*)", (ROOT / "Makefile").read_text())
    assert flags is not None
    builder, image = stages()
    assert ("ENV", f'CPPFLAGS="{flags[1]}"') in builder
    (bases,) = {stage[0][1].split()[0] for stage in (builder, image)}
    assert re.fullmatch(r"python:3\.13\.\d+-slim-\w+", bases)
    assert f"Programming Language :: Python :: {bases[7:11]}" in project["classifiers"]
    downloads = [rest for name, rest in builder if name == "RUN" and "requirements" in rest]
    assert all("--require-hashes" in rest for rest in downloads)
    assert len(downloads) == 2


def test_the_image_runs_as_the_user_who_owns_its_keys() -> None:
    number, _, group = last("USER").partition(":")
    assert number == group
    assert f"hubherald={number}" in SERVICES["keys"]["command"]
    assert "gcc" not in " ".join(rest for _, rest in stages()[-1])
    assert last("VOLUME") == last("WORKDIR") == "/var/lib/hubherald"
    assert SERVICES["hubherald"]["read_only"]
    assert any(v.endswith(f":{last('VOLUME')}") for v in SERVICES["hubherald"]["volumes"])


def test_no_more_is_sent_to_the_builder_than_it_copies() -> None:
    copied = {file for name, rest in stages()[0] if name == "COPY" for file in rest.split()[:-1]}
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied
    assert "*" in ignored


def unit() -> dict[str, dict[str, str]]:
    """The sections of the unit; a key that comes again is joined to what it said before."""
    sections: dict[str, dict[str, str]] = {}
    for line in filter(None, UNIT.read_text().splitlines()):
        if line.startswith("["):
            sections[line.strip("[]")] = {}
        elif not line.startswith("#"):
            key, _, value = line.partition("=")
            section = sections[[*sections][-1]]
            section[key] = f"{section[key]} {value}" if key in section else value
    return sections


def systemd_analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """With its own libraries where it is unpacked, and without the units of this machine."""
    unpacked = (CACHE.glob(f"{top}/*-linux-gnu/**/") for top in ("lib", "usr/lib"))
    libraries = ":".join(str(folder) for each in unpacked for folder in each)
    return subprocess.run(
        [str(program("systemd-analyze")), "--no-pager", *words],
        env={**os.environ, "LD_LIBRARY_PATH": libraries, "SYSTEMD_UNIT_PATH": str(UNIT.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_systemd_understands_the_unit(composed: Composed, tmp_path: Path) -> None:
    here = tmp_path / UNIT.name
    here.write_text(composed.containers.here(UNIT.read_text()))
    done = systemd_analyze("verify", "--recursive-errors=no", str(here))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    here.write_text(here.read_text().replace("ProtectHome=yes", "ProtectHouse=yes"))
    assert "ProtectHouse" in systemd_analyze("verify", "--recursive-errors=no", str(here)).stderr


def test_systemd_closes_what_the_router_does_not_need() -> None:
    words = ("security", "--offline=true", "--threshold=15", str(UNIT))
    done = systemd_analyze(*words)  # 15: an exposure of 1.5 of 10
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_and_the_image_agree() -> None:
    service = unit()["Service"]
    config = f"HUBHERALD_CONFIG={image_environment()['HUBHERALD_CONFIG']}"
    assert service["Environment"] == config
    words = [*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD"))]
    assert service["ExecStart"] == f"/opt/hubherald/bin/{' '.join(words)}"
    assert f"/var/lib/{service['StateDirectory']}" == service["WorkingDirectory"] == last("WORKDIR")
    assert int(service["TimeoutStopSec"]) > PATIENCE
    assert int(SERVICES["hubherald"]["stop_grace_period"].removesuffix("s")) > PATIENCE
