"""Whatever somebody else's source does wrong, what others bring is decided and delivered."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.commandline import PROGRAM
from support.estate import S1, SUPPLIER, Estate
from support.outsiders import HEAD, environment, install, wait

from router.entrypoints import SOURCES

BASE = """\
class Gives(Source):
    Config = Options

    def __init__(self, name, config):
        self.name = name

    async def messages(self, cursors):
        await asyncio.Event().wait()
        yield Message(b"", "")

    async def acknowledge(self, messages):
        pass

    def exhausted(self):
        return True

    def down(self):
        return None

class Mine(Gives):
"""
ON = "  async def messages(self, cursors):\n    "
RUBBISH = {
    "imports": ("raise RuntimeError('no licence')", "can't be imported"),
    "unmade": ("  def __init__(self, name, config): raise SystemExit(2)", "could not be set up"),
    "unentered": ("  async def __aenter__(self): raise OSError('away')", "OSError: away"),
    "raises": (f"{ON}raise ValueError('no')\n    yield 1", "failed at "),
    "leaves": (f"{ON}raise SystemExit(2)\n    yield 1", "SystemExit: 2"),
    "texts": (f"{ON}yield 'fact'", "gave a value of type str, not a Message or a Cursor"),
    "bodiless": (f"{ON}yield Message('fact', 'here')", "body is a value of type str, not bytes"),
    "large": (f"{ON}yield Cursor('a', 2**70)", "cursor.offset is no number from 0"),
    "halves": (f"{ON}yield Message(b'{{}}', '\\ud800')", "origin is no Unicode"),
    "ends": (f"{ON}return\n    yield 1", "ended, though a source gives messages for ever"),
    "returns": ("  async def messages(self, cursors): return []", "failed"),
    "says": ("  def down(self): raise KeyboardInterrupt", None),
    "counts": ("  def exhausted(self): return 'yes'\n  def link(self): return 1", None),
    "deaf": (
        f"{ON}while True:\n      try: await asyncio.sleep(3600)\n"
        "      except BaseException: pass\n    yield 1",
        None,
    ),
    "unthankful": (
        f"{ON}yield Message(b'{{}}', 'here')\n    await asyncio.Event().wait()\n"
        "  async def acknowledge(self, messages): raise RuntimeError('no')",
        None,
    ),
    "stays": ("  async def __aexit__(self, *exc): await asyncio.Event().wait()", None),
    "hangs": ("  async def __aenter__(self): await asyncio.Event().wait()", "not entered yet"),
}
"""By kind: what it does, and what is said of it while the router runs."""


class Router:
    """One router with all of them, and a source that is well."""

    def __init__(self, estate: Estate, ready: str, log: list[dict[str, Any]], code: int) -> None:
        self.estate, self.ready, self.log, self.exit_code = estate, ready, log, code


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    folder = tmp_path_factory.mktemp("sources")
    estate, lib, log = Estate(folder), folder / "lib", folder / "log.jsonl"
    written = json.loads((folder / "hubherald.yaml").read_text())
    for kind, (code, _) in RUBBISH.items():
        install(lib, f"s_{kind}", code if kind == "imports" else f"{BASE}\n{code}", SOURCES, HEAD)
        written["sources"][kind] = {"adapter": f"s_{kind}"}
    (folder / "hubherald.yaml").write_text(json.dumps(written))
    estate.user(S1, SUPPLIER)
    estate.hub()
    estate.registration("import_mpan", S1)
    estate.activation()
    command = [*PROGRAM, "run"]
    with (
        log.open("wb") as lines,
        subprocess.Popen(command, cwd=folder, env=environment(lib), stderr=lines) as router,
    ):
        try:
            wait(router, lambda: estate.sent(S1))
            events = [json.loads(line) for line in log.read_text().splitlines()]
            (listen,) = [line["listen"] for line in events if line["event"] == "router.started"]
            estate.activation("9003")
            wait(router, lambda: len(estate.sent(S1)) == 2)
            asked = ["curl", "-s", f"http://{listen}/-/ready"]
            ready = ""

            def down() -> bool:
                nonlocal ready
                ready = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
                return len(ready.splitlines()) >= sum(
                    words is not None for _, words in RUBBISH.values()
                )

            wait(router, down)
            metrics = ["curl", "-sf", f"http://{listen}/metrics"]
            subprocess.run(metrics, capture_output=True, check=True)
            router.send_signal(signal.SIGTERM)
            code = router.wait(60)
        except BaseException:
            router.kill()
            raise
    yield Router(estate, ready, [json.loads(line) for line in log.read_text().splitlines()], code)


def test_the_others_are_read_and_the_router_ends(ran: Router) -> None:
    assert ran.exit_code == 0
    assert len(ran.estate.sent(S1)) == 2


@pytest.mark.parametrize("kind", [kind for kind, (_, words) in RUBBISH.items() if words])
def test_it_is_down_with_what_it_did(ran: Router, kind: str) -> None:
    (line,) = [
        line
        for line in ran.ready.removeprefix("not ready: ").splitlines()
        if line.startswith(f"source {kind}: ")
    ]
    words = RUBBISH[kind][1]
    assert words is not None
    assert words in line
    if kind != "hangs":
        assert f"source 's_{kind}' of others-s_{kind} 1.2 (" in line


def test_what_is_odd_about_itself_is_told_once(ran: Router) -> None:
    told = [line for line in ran.log if line["event"] == "source.bug"]
    assert len([each for each in told if "`down`" in str(each["detail"])]) == 1
    assert [each for each in told if "`acknowledge`" in str(each["detail"])]


def test_who_does_not_end_is_told(ran: Router, tmp_path: Path) -> None:
    assert [line for line in ran.log if line["event"] == "task.left_behind"]
    assert "router.stopped" in {line["event"] for line in ran.log}
