"""Whatever somebody else's adapter does wrong costs its own lanes, and nobody else.

All of them run in one router, beside a user who gets all of its Alerts meanwhile.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.commandline import PROGRAM
from support.estate import S1, SUPPLIER, Estate
from support.outsiders import environment, install, wait

SECRET = "hunter2-of-somebody-else"
CLOSED = {
    # at import
    "raises": ("raise RuntimeError('no licence')", "can't be imported at ", "RuntimeError: no lic"),
    "leaves": ("raise SystemExit(3)", "can't be imported", "SystemExit: 3"),
    "interrupts": ("raise KeyboardInterrupt", "can't be imported", "KeyboardInterrupt"),
    "misspells": ("class Mine(:", "can't be imported at ", "SyntaxError"),
    "lacks": ("import nowhere_to_be_found", "can't be imported", "ModuleNotFoundError"),
    "empty": ("Mine = None", "is no class"),
    # options
    "optionless": ("class Mine(Takes):\n  Config = dict", "has no `Config` made from"),
    "shadows": (
        "class Config(Options):\n  timeout: float = 1.0\n  rate: int = 1\n"
        "class Mine(Takes):\n  Config = Config",
        "calls an option `rate` and `timeout`, which the router keeps for itself",
    ),
    "choosy": (
        "class Config(Options):\n  size: int = 1\n"
        "  @field_validator('size')\n"
        "  def odd(cls, size): raise SystemExit('never')\n"
        "class Mine(Takes):\n  Config = Config",
        "failed at its options",
    ),
    "unfit": (
        "class Config(Options):\n  def unfit(self): raise RuntimeError('who asks?')\n"
        "class Mine(Takes):\n  Config = Config",
        "failed at `unfit` of its options at ",
        "RuntimeError: who asks?",
    ),
    "listless": (
        "class Config(Options):\n  def unfit(self): return 'nothing'\n"
        "class Mine(Takes):\n  Config = Config",
        "failed at `unfit` of its options",
    ),
    # when it is made and entered
    "unmade": (
        "class Mine(Takes):\n  def __init__(self, config): raise SystemExit('no')",
        "could not be set up at ",
        "SystemExit: no",
    ),
    "abstract": ("class Mine(Adapter):\n  Config = Options", "could not be set up", "TypeError"),
    "unentered": (
        "class Mine(Takes):\n  async def __aenter__(self): raise ConnectionRefusedError('away')",
        "could not be set up",
        "ConnectionRefusedError: away; the lane opens when it can be",
    ),
    "batchless": (
        "class Mine:\n  Config = Options\n  def __init__(self, config): pass\n"
        "  async def __aenter__(self): return self\n"
        "  async def __aexit__(self, *exc): pass\n"
        "  async def deliver(self, deliveries): return []",
        "is not whole",
        "has no attribute 'batch'",
    ),
    "huge": ("class Mine(Takes):\n  batch = 10**9", "a `batch` that is no number from 1 to 1000"),
    # answers
    "words": ("return [Retry('network', 'x')] * len(deliveries)", "Retry with a value of type str"),
    "fault": ("return [Closed('endpoint')] * len(deliveries)", "Closed with a value of type str"),
    "true": ("return [True] * len(deliveries)", "a value of type bool for an Alert"),
    "nothing": ("return None", "answered None, not a list"),
    "one": ("return Delivered()", "answered a value of type Delivered, not a list"),
    "short": ("return []", "answered 0 Outcomes for 1 Alerts"),
    "long": ("return [Delivered()] * 7", "answered 7 Outcomes for 1 Alerts"),
    "lazy": ("return (Delivered() for _ in deliveries)", "a value of type generator, not a list"),
    "yields": ("yield Delivered()", "gave a value of type async_generator for `deliver`"),
    "classes": ("return [Delivered] * len(deliveries)", "a value of type type for an Alert"),
    "nan": ("return [Retry(Reason.BUSY, after=float('nan'))]", "a value of type float as `after`"),
    # cancelled at its deadline
    "deaf": (
        "while True:\n      try: await asyncio.sleep(3600)\n      except BaseException: pass",
        "went on with `deliver` when it was cancelled at its deadline",
    ),
}
"""By kind: the body of a module or of its `deliver`, and words that the operator must find."""
STANDS = {
    "leaver": ("raise SystemExit('bye')", "retry: bug: ", "raised SystemExit: bye"),
    "key": ("raise KeyboardInterrupt", "retry: bug: ", "raised KeyboardInterrupt"),
    "quotes": (f"raise ValueError('{SECRET}')", "retry: bug: ", "raised ValueError: ***"),
    "early": ("return [Retry(Reason.BUSY, 'x', timedelta(days=-9))]", "retry: busy: x"),
    "never": ("return [Retry(Reason.BUSY, 'x', timedelta.max)]", "retry: busy: x"),
    "loud": ("return [Retry(Reason.BUSY, 'x' * 100_000)]", "retry: busy: xxx"),
    "colours": ("return [Retry(Reason.BUSY, '\\x1b[31m\\n\\ud800')]", "retry: busy: \\x1b[31m"),
    "tells": (f"return [Refused(Reason.BUSY, 'know {SECRET}?')]", "refused: busy: know ***?"),
}
"""The same where the adapter's lane goes on, by the schedule of what fails."""
TAKES = {
    "boasts": "return [Delivered('y' * 100_000)]",
    "odd": "return [Delivered(204)]",
    "begins": "asyncio.create_task(leave())\n    return [Delivered()]",
    "stays": "",
    "keeps": "",
}
"""These deliver, and do something else besides."""
MORE = {
    "stays": "class Mine(Takes):\n  async def __aexit__(self, *exc):\n"
    "    while True:\n      try: await asyncio.sleep(3600)\n      except BaseException: pass",
    "keeps": "async def on():\n  while True:\n"
    "    try: await asyncio.sleep(3600)\n    except BaseException: pass\n"
    "class Mine(Takes):\n  async def __aenter__(self):\n"
    "    self.task = asyncio.create_task(on())\n    return self\n"
    "  async def __aexit__(self, *exc): raise RuntimeError('no way out')\n"
    "  def link(self): return 'fine'\n  def certificates(self): return None",
}
KINDS = [*CLOSED, "hangs", *STANDS, *TAKES]
HANGS = "class Mine(Takes):\n  async def __aenter__(self): await asyncio.Event().wait()"


def module(kind: str) -> str:
    """The code of one of them."""
    if kind in MORE:
        return MORE[kind]
    given = (CLOSED | STANDS)[kind][0] if kind in CLOSED | STANDS else TAKES.get(kind, HANGS)
    if kind in list(CLOSED)[: list(CLOSED).index("words")] or kind == "hangs":
        return given
    head = "async def leave(): raise SystemExit(5)\nclass Mine(Takes):\n"
    return f"{head}  async def deliver(self, deliveries):\n    {given}"


@dataclass
class Border:
    """The router of this module, after it has ended."""

    estate: Estate
    users: dict[str, str]
    log: list[dict[str, object]]
    exit_code: int

    def lane(self, kind: str) -> tuple[str | None, str, str]:
        """Why it is closed, with what detail, and what came last."""
        question = "SELECT closed, closed_detail, last_answer FROM lanes WHERE service_user_id = "
        ((closed, detail, answer),) = self.estate.ask(f"{question}'{self.users[kind]}'")
        return closed, detail or "", answer or ""


@pytest.fixture(scope="module")
def border(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Border]:
    folder = tmp_path_factory.mktemp("border")
    estate, lib, users = Estate(folder), folder / "lib", dict[str, str]()
    for number, kind in enumerate(KINDS, start=2):
        install(lib, kind, module(kind))
        users[kind] = f"90-B3-D5-1F-30-01-00-{number:02X}"
        channel = {"adapter": kind, "timeout": 0.5}
        estate.users.append(
            {"id": users[kind], "name": kind, "roles": SUPPLIER, "channels": [channel]}
        )
    webhook = {"adapter": "webhook", "url": "http://127.0.0.1:9/", "name": "w"}
    well = {"adapter": "folder", "path": f"sent/{S1}"}
    secret = {**webhook, "adapter": "rabbitmq", "url": "amqp://127.0.0.1:9/", "exchange": "x"}
    secret |= {"user": "them", "password": SECRET}
    estate.user(S1, SUPPLIER, channels=[well, secret])
    for number, user in enumerate([*users.values(), S1]):
        hub = f"90-B3-D5-1F-30-00-20-{number:02X}"
        estate.hub(hub)
        estate.registration("import_mpan", S1, device_id=hub)
        estate.registration("mprn", user, device_id=hub, mpxn=str(3938424403 + number))
        estate.activation(device_id=hub)
    log = folder / "log.jsonl"
    with (
        log.open("wb") as written,
        subprocess.Popen(
            [*PROGRAM, "run"], cwd=folder, env=environment(lib), stderr=written
        ) as router,
    ):
        try:
            wait(router, lambda: len(estate.sent(S1)) == len(KINDS) + 1)
            closed = "SELECT count(*) FROM lanes WHERE closed = 'adapter_broken'"
            answered = "SELECT count(*) FROM lanes WHERE last_answer IS NOT NULL"
            wait(router, lambda: estate.ask(closed)[0][0] >= len(CLOSED))
            wait(router, lambda: estate.ask(answered)[0][0] >= len(STANDS) + len(TAKES))
            router.send_signal(signal.SIGTERM)
            code = router.wait(60)
        except BaseException:
            router.kill()
            raise
    yield Border(estate, users, [json.loads(line) for line in log.read_text().splitlines()], code)


def test_the_router_starts_serves_and_ends(border: Border) -> None:
    assert border.exit_code == 0
    assert [line for line in border.log if line["event"] == "router.started"]
    assert [line for line in border.log if line["event"] == "router.stopped"]


@pytest.mark.parametrize("kind", CLOSED)
def test_the_lane_of_a_broken_adapter_is_closed_with_whose_it_is_and_what_to_do(
    border: Border, kind: str
) -> None:
    closed, detail, _ = border.lane(kind)
    assert closed == "adapter_broken", border.lane(kind)
    assert detail.startswith(f"adapter '{kind}' of others-{kind} 1.2 (")
    assert f"others_{kind}.py)" in detail
    for words in CLOSED[kind][1:]:
        assert words in detail
    assert detail.endswith(("install a version that works, then restart the router", "reload")) or (
        detail.endswith("call it otherwise")
    )


@pytest.mark.parametrize("kind", STANDS)
def test_what_an_adapter_raises_or_says_too_much_is_told_and_no_more(
    border: Border, kind: str
) -> None:
    closed, _, answer = border.lane(kind)
    assert closed is None
    first, *more = STANDS[kind][1:]
    assert answer.startswith(first)
    assert all(words in answer for words in more)
    assert len(answer) < 600
    assert answer.isprintable()


@pytest.mark.parametrize("kind", TAKES)
def test_what_was_delivered_is_delivered(border: Border, kind: str) -> None:
    question = (
        "SELECT state, length(detail) FROM deliveries JOIN lanes ON lanes.id = lane_id"
        " JOIN outcomes ON outcomes.delivery_id = deliveries.id"
        f" WHERE service_user_id = '{border.users[kind]}'"
    )
    ((state, length),) = border.estate.ask(question)
    assert state == "delivered"
    assert length <= 503


def test_a_lane_whose_adapter_hangs_at_the_door_waits_for_it(border: Border) -> None:
    closed, _, answer = border.lane("hangs")
    assert (closed, answer) == (None, "")


def test_no_secret_of_anybody_is_told(border: Border) -> None:
    assert not [line for line in border.log if SECRET in json.dumps(line)]
    said = border.estate.ask("SELECT detail FROM outcomes WHERE detail IS NOT NULL")
    assert not [text for (text,) in said if SECRET in text]


def test_what_ends_a_task_of_theirs_ends_no_router(border: Border) -> None:
    failed = [line for line in border.log if line["event"] == "task.failed"]
    assert any("SystemExit: 5" in str(line["exception"]) for line in failed)


def test_what_was_left_behind_is_told(border: Border) -> None:
    left = [line for line in border.log if line["event"] == "task.left_behind"]
    for kind in ("keeps", "deaf", "stays"):
        assert any(f"others_{kind}.py" in str(line["task"]) for line in left)


def said(border: Border, *words: str) -> tuple[int, str]:
    """What a command says beside these adapters, and how it ends."""
    folder = border.estate.folder
    done = subprocess.run(
        [*PROGRAM, *words],
        cwd=folder,
        env=environment(folder / "lib"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_check_names_each_that_is_broken_and_goes_on(border: Border) -> None:
    code, text = said(border, "check")
    assert code == 1
    for kind in list(CLOSED)[: list(CLOSED).index("unmade")]:
        assert f"unknown-adapter adapter '{kind}' of others-{kind} 1.2 (" in text


def test_the_list_of_adapters_has_the_broken_and_the_others(border: Border) -> None:
    code, text = said(border, "adapters", "-o", "json")
    assert code == 0
    rows = {row["adapter"]: row for row in json.loads(text)}
    assert "no licence" in rows["raises"]["fault"]
    assert (rows["words"]["distribution"], rows["words"]["version"]) == ("others-words", "1.2")
    assert rows["words"]["fault"] is None
    assert rows["webhook"]["distribution"] == "hubherald"


def test_schemas_are_made_without_those_that_are_broken(border: Border) -> None:
    code, text = said(border, "schema", "users")
    assert code == 0
    titles = text.count('"title": "adapter ')
    assert '"adapter webhook"' in text
    assert '"adapter raises"' not in text
    assert titles > len(STANDS)


def test_why_and_the_list_of_lanes_stay_short(border: Border) -> None:
    for words in (["lanes", "list"], ["why", "--hub", "90-B3-D5-1F-30-00-20-22"]):
        code, text = said(border, *words)
        assert code == 0
        assert len(text) < 60_000
        assert "\x1b" not in text
