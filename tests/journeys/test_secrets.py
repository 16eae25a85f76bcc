"""No secret comes out of the router: markers as every kind of it, and everything that is told read.

One router, whose other sides repeat what they are told, refuse it, and fail with it in their hands.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pamqp import commands
from support.amqpserver import AmqpServer, Peer
from support.commandline import call
from support.echo import echoing
from support.estate import HUB, S1, S2, S3, SUPPLIER, Estate
from support.keypair import KeyPair
from support.liverouter import Live, running, write
from support.markers import Markers, files_below
from support.mutual import Mutual
from support.outsiders import install

pytestmark = pytest.mark.once
HOLDERS = [f"90-B3-D5-1F-30-01-00-{number:02X}" for number in range(1, 12)]
"""The users, each with secrets of its own."""
FAILS = """\
import structlog, logging
class Config(Options):
    password: Secret
class Mine(Takes):
    Config = Config
    async def deliver(self, deliveries):
        held = self.config.password.get_secret_value()
        structlog.get_logger().error("outsider.said", detail=f"I hold {held}")
        logging.getLogger("outsider").error("I hold %s", held)
        raise ValueError(f"no entry with {held}", {"held": held})
    def link(self):
        return Link(False, 0, f"they know {self.config.password.get_secret_value()}")
"""


async def _refuse(peer: Peer, channel: int, frame: Any) -> bool:
    """Ends a login with the login in its words."""
    said = f"ACCESS_REFUSED - {frame.response!r}"[:250]
    peer.send(channel, commands.Connection.Close(403, said, 0, 0))
    return True


@contextmanager
def refusing() -> Iterator[str]:
    """The URL of a broker that repeats."""
    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    server = AmqpServer(answers={"Connection.StartOk": _refuse})

    async def serve() -> None:
        async with server.running():
            ready.set()
            await ended.wait()

    serving = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    serving.start()
    assert ready.wait(60)
    try:
        yield server.url
    finally:
        loop.call_soon_threadsafe(ended.set)
        serving.join()
        loop.close()


def secret_file(estate: Estate, name: str, text: str) -> str:
    file = estate.folder / name
    file.touch(mode=0o600)
    file.write_text(text)
    return name


@dataclass
class Told:
    """Everything that came out of one router and of the commands beside it."""

    markers: Markers
    said: dict[str, bytes]
    estate: Estate


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder, markers = tmp_path_factory.mktemp("secrets"), Markers()
    estate, lib = Estate(folder), tmp_path_factory.mktemp("lib")
    install(lib, "outsider", FAILS)
    with pytest.MonkeyPatch.context() as patch, echoing() as host, refusing() as broker:
        patch.setenv("PYTHONPATH", str(lib))
        patch.syspath_prepend(lib)
        patch.setenv("OUR_TOKEN", markers.word("token of operations"))
        patch.setenv("OUR_PATH", markers.word("path of a URL by variable"))
        patch.setenv("OUR_SECRET", markers.signing("previous secret by variable"))
        mutual = Mutual(folder / "tls")
        with echoing(mutual.server()) as duis:
            _users(estate, markers, host=host, broker=broker, mutual=mutual, duis=duis)
            yield _everything(estate, markers, broker)


def _users(
    estate: Estate, markers: Markers, *, host: str, broker: str, mutual: Mutual, duis: str
) -> None:
    """A user for each way of holding secrets."""
    word = markers.word
    path = word("path of a URL")
    named = secret_file(estate, "s2.secret", markers.signing("secret file"))
    of_two = {"secret": markers.signing("secret"), "previous_secret": "${OUR_SECRET}"}
    token = {"token_url": f"http://{host}/400/", "client_id": "us"}
    channels: dict[str, dict[str, Any]] = {
        f"/204/{path}?token={word('query of a URL')}": of_two,
        f"/401/${{OUR_PATH}}?token={word('query of a URL')}": {"secret_file": named},
        "/403/": {"bearer_token": word("bearer token")},
        "/404/": {"user": "us", "password": word("password of a webhook")},
        "/500/": {"headers": {"X-Key": word("header")}},
        "/429/": {"oauth2": {**token, "client_secret": word("client secret")}},
    }
    for user, (where, more) in zip(HOLDERS, channels.items(), strict=False):
        channel = {"adapter": "webhook", "url": f"http://{host}{where}", **more}
        estate.user(user, SUPPLIER, channels=[channel])
    passed = {"adapter": "webhook", "url": f"https://{duis}/204/", "proxy": f"http://{host}/"}
    passed |= {"proxy_user": "us", "proxy_password": word("password of a proxy")}
    rabbit = {"adapter": "rabbitmq", "url": broker, "exchange": "alerts", "user": "us"}
    mail = {"adapter": "mail", "host": "127.0.0.1", "port": int(host.rpartition(":")[2])}
    mail |= {"tls": "none", "sender": "us@acme.example", "recipients": ["you@acme.example"]}
    beside: list[dict[str, Any]] = [
        passed,
        {**rabbit, "password": word("password of a broker")},
        {**mail, "timeout": 2, "user": "us", "password": word("password of a mail server")},
        {"adapter": "outsider", "password": word("password of an outsider")},
        {"adapter": "duis", **mutual.options(f"https://{duis}/500/{path}")},
    ]
    for user, channel in zip(HOLDERS[len(channels) :], beside, strict=True):
        estate.user(user, SUPPLIER, channels=[channel], duis_version="5.4")
    markers.key("client's key", mutual.key_file)
    estate.all_roles()


def _everything(estate: Estate, markers: Markers, broker: str) -> Told:
    pair = KeyPair(estate.folder)
    markers.key("DCC's key", pair.key_file)
    file = secret_file(estate, "facts.password", markers.word("password file of a source"))
    source = {"adapter": "rabbitmq", "url": broker, "user": "us", "password_file": file}
    drop = {"adapter": "folder", "path": "inbox/"}
    posted = {
        "adapter": "http",
        "listen": "127.0.0.1:0",
        "token": markers.word("token of a source"),
    }
    for number, user in enumerate(HOLDERS):
        hub = f"90-B3-D5-1F-30-00-10-{number + 1:02X}"
        estate.hub(hub)
        mpxn = str(3938424403 + number)
        estate.registration("mprn", user, device_id=hub, mpxn=mpxn)
        estate.activation(device_id=hub)
    estate.line(b'{"specversion": "1.0", "id": "broken"')
    write(estate, "tell")
    estate.configure()
    dcc = {"id": "90-B3-D5-1F-30-00-00-02", **pair.options}
    said: dict[str, bytes] = {}
    with _live(
        estate, sources={"drop": drop, "broker": source, "posted": posted}, dcc=dcc
    ) as router:
        answered = "SELECT count(*) FROM lanes WHERE last_answer IS NOT NULL OR closed IS NOT NULL"
        router.until(lambda: estate.ask(answered)[0][0] >= len(HOLDERS))
        router.until(lambda: router.log("source.down") or router.log("rabbitmq.unavailable"))
        said |= _pages(router) | _commands(estate)
        good = (estate.folder / "service_users.yaml").read_text()
        broken = good.replace('"previous_secret"', '"previous_secrt"')
        (estate.folder / "service_users.yaml").write_text(broken)
        said["reload"] = ask(router, "/-/reload", "POST")
        said |= {f"broken {name}": text for name, text in _commands(estate).items()}
        (estate.folder / "service_users.yaml").write_text(good)
    said |= _commands(estate)
    for user in HOLDERS:
        said[f"drill {user}"] = call("drill", "--user", user, folder=estate.folder).output.encode()
    written = [estate.folder / name for name in ("hubherald.yaml", "service_users.yaml", file)]
    keys = [estate.folder / "s2.secret", pair.key_file, *(estate.folder / "tls").iterdir()]
    return Told(markers, said | dict(files_below(estate.folder, [*written, *keys])), estate)


@contextmanager
def _live(estate: Estate, **more: Any) -> Iterator[Live]:
    """One that asks for a token; what it said is below the estate as `log.jsonl`."""
    operations = {"token": "${OUR_TOKEN}", "heads": "heads"}
    with running(estate, beside=operations, **more) as router:
        yield router


def ask(router: Live, path: str, method: str = "GET") -> bytes:
    """All of an answer, whatever it is; by somebody who knows the token."""
    request = urllib.request.Request(router.url + path, method=method)
    request.add_header("Authorization", f"Bearer {os.environ['OUR_TOKEN']}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read()) + str(answer.headers).encode()
    except urllib.error.HTTPError as error:
        with error:
            return error.read() + str(error.headers).encode()


def _pages(router: Live) -> dict[str, bytes]:
    paths = ["/", f"/?q={HUB}", f"/?q={S2}", f"/?q={S3}", "/metrics", "/-/ready", "/-/healthy"]
    found = {path: ask(router, path) for path in [*paths, "/nothing"]}
    assert b"hubherald_" in found["/metrics"]
    return found


def _commands(estate: Estate) -> dict[str, bytes]:
    """What commands print, as JSON and for people."""
    ((alert,),) = estate.ask(
        "SELECT alert_id FROM alerts ORDER BY sequence, service_user_id LIMIT 1"
    )
    listing = ["check", "status", "lanes list", "alerts list", f"alerts show {alert}", "test"]
    listing += ["actions list", "quarantine list", "quarantine show 1", f"why {HUB}", "rollout"]
    listing += ["rules list", f"inventory show {HUB}", "adapters"]
    plain = [*listing, "ledger verify", "ledger head", "reload", "rules show", "explain inbox/f"]
    file = estate.folder / f"evidence-{len(list(estate.folder.glob('*.zip')))}.zip"
    plain.append(f"evidence {alert} --to {file}")
    plain += [f"capture {alert} {estate.folder}/rules/captured.test.yaml", f"why {alert}"]
    plain += [
        f"adapter try webhook --user {HOLDERS[1]}",
        f"adapter try outsider --user {HOLDERS[9]}",
    ]
    asked = [*plain, *(f"{words} -o json" for words in listing), "publish inbox/facts.jsonl"]
    found = {}
    for words in asked:
        result = call(*words.split(), folder=estate.folder)
        found[words] = result.output.encode()
    return found


def test_nothing_that_is_told_holds_a_secret(told: Told) -> None:
    assert told.markers.told(told.said) == []


def test_what_was_looked_through_is_all_there(told: Told) -> None:
    """And the markers would have been found: they stand where they were written."""
    names = set(told.said)
    assert {"hubherald.db", "log.jsonl", "reload", "/metrics", "/"} <= names
    assert any(name.endswith("captured.test.yaml") for name in names)
    assert any(name.startswith("evidence-") and "/" in name for name in names)
    assert any(name.startswith("heads/") for name in names)
    log = told.said["log.jsonl"]
    assert b"outsider.said" in log and b"Traceback" in log and b"***" in log
    names = {"hubherald.yaml", "service_users.yaml", "facts.password", "s2.secret", "dcc.key"}
    written = {name: (told.estate.folder / name).read_bytes() for name in [*names, "tls/dcc.key"]}
    found = {each.partition(": ")[0] for each in told.markers.told(written)}
    by_variable = {
        kind for kind in told.markers.known if "variable" in kind or "operations" in kind
    }
    assert found | by_variable == told.markers.known.keys()
    assert told.markers.told({"x": base64.b64encode(b"ab" + _any(told))}) != []


MISTAKEN: dict[str, dict[str, Any]] = {
    "password of a ledger": {"ledger": {"url": "postgresql://us:MARKER@db.example/ledger"}},
    "password beside a ledger": {
        "ledger": {"url": "postgresql://us@127.0.0.1:9/ledger", "password": "MARKER"}
    },
    "query of a ledger": {"ledger": {"url": "sqlite:///x.db?password=MARKER"}},
    "token under a wrong key": {"operations": {"tokn": "MARKER"}},
    "token of a wrong type": {"operations": {"token": ["MARKER"]}},
    "token that is too long for a port": {"operations": {"listen": "MARKER"}},
    "variable": {"operations": {"token": "${MARKER}"}},
    "file": {"operations": {"token_file": "MARKER"}},
    "user in a URL": {"sources": {"b": {"adapter": "rabbitmq", "url": "amqp://us:MARKER@h/"}}},
    "adapter": {"sources": {"b": {"adapter": "https://us:MARKER@host/"}}},
}


@pytest.mark.parametrize("place", MISTAKEN)
def test_a_secret_at_a_wrong_place_is_not_told(tmp_path: Path, place: str) -> None:
    markers, estate = Markers(), Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    file = tmp_path / "hubherald.yaml"
    wrong = json.loads(json.dumps(MISTAKEN[place]).replace("MARKER", markers.word(place)))
    file.write_text(json.dumps(json.loads(file.read_text()) | wrong, indent=1))
    found = {}
    for words in ("check", "check -o json", "run --until-idle", "status -o json", "lanes list"):
        result = call(*words.split(), folder=tmp_path)
        found[words] = result.output.encode()
        assert result.exit_code != 0 or words != "check", place
    assert markers.told(found) == []


def _any(told: Told) -> bytes:
    return told.markers.known["query of a URL"].encode()
