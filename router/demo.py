"""The main job on a small made-up estate, without any set-up.

Nothing here is pretended: the files, the inventory, the ledger and the router are those of an
installation, and the recipients are reached over HTTP, with signatures that they verify with a
library of somebody else's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import closing, redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from router import app, logs
from router.config import Config, load
from router.inventoryfiles import import_inventory
from router.ledger.counting import Summary as Totals
from router.ledger.counting import summary
from router.ledger.opening import Use, open_database
from router.simulation import Setting, Summary, simulate
from router.starter import shipped_rules

HUBS, USERS, ACTIVATIONS, SEED = 200, 12, 150, 1
_STOP_S = 10.0


@dataclass(slots=True)
class Receipts:
    """What the recipients got."""

    posted: Counter[str] = field(default_factory=Counter)
    """Alerts that came over HTTP with a good signature, by user."""
    unsigned: int = 0
    """Requests whose signature was wrong."""


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What was done, for whoever prints it."""

    folder: Path
    config: Config
    made: Summary
    totals: Totals
    posted: Counter[str]
    """Alerts received over HTTP, by user."""
    filed: Counter[str]
    """Alerts found in folders, by user."""
    unsigned: int
    hub: str
    """A hub worth asking about: one company was told, another could not be."""

    @property
    def complete(self) -> bool:
        """Exactly as many Alerts arrived, or are held, as the simulation's oracle expects."""
        arrived = self.posted.total() + self.filed.total()
        expected = self.made.expected
        return arrived + expected.held == expected.alerts and not self.unsigned


def demonstrate(folder: Path) -> Demonstration:
    """Simulate, import and route in `folder`, which must be new or empty."""
    with Recipients() as recipients:
        setting = Setting(channels=recipients.channels, suspended=1, listen="127.0.0.1:0")
        rules = shipped_rules()
        made = simulate(HUBS, USERS, ACTIVATIONS, SEED, folder, rules=rules, setting=setting)
        config = load(folder / "hubherald.yaml")
        _import(config, folder)
        with (folder / "router.log").open("w", encoding="utf-8") as log:
            with redirect_stderr(log):
                logs.configure()
            app.run(config, until_idle=True)
        receipts = recipients.receipts
    with closing(open_database(config.ledger.url, Use.READ)) as database:
        totals = summary(database)
    files = (file.parent.name for file in (folder / "outbox").glob("*/*.json"))
    return Demonstration(
        folder=folder,
        config=config,
        made=made,
        totals=totals,
        posted=receipts.posted,
        filed=Counter(files),
        unsigned=receipts.unsigned,
        hub=made.examples["outside_gas"],
    )


def _import(config: Config, folder: Path) -> None:
    with closing(open_database(config.ledger.url, Use.CHANGE)) as database:
        import_inventory(
            database,
            hubs=folder / "hubs.csv",
            registrations=folder / "registrations.csv",
            operator="demo",
            now=datetime.now(UTC),
            report=_no_bad_rows,
        )


def _no_bad_rows(row: object) -> None:
    raise AssertionError(f"the simulation wrote a bad row: {row}")


class Recipients:
    """The Service Users' side: an HTTP server of its own thread, a path for each user."""

    def __init__(self) -> None:
        self.receipts = Receipts()
        self._secrets: dict[str, str] = {}
        self._port: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="recipients", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._port.result(timeout=_STOP_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout=_STOP_S)

    def channels(self, user: str) -> Sequence[str]:
        """Every fourth user has a folder, the others a webhook with a secret of their own."""
        if int(user[-2:], 16) % 4 == 0:
            return [f"{{adapter: folder, path: outbox/{user}}}"]
        digest = hashlib.sha256(f"made up for {user}".encode()).digest()
        secret = self._secrets[user] = "whsec_" + base64.b64encode(digest).decode()
        url = f"http://127.0.0.1:{self._port.result()}/{user}"
        return [f'{{adapter: webhook, url: "{url}", secret: "{secret}"}}']

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._port.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.ServerRunner(web.Server(self._answer, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self._port.set_result(runner.addresses[0][1])
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        user = request.path.strip("/")
        try:
            Webhook(self._secrets[user]).verify(body.decode(), dict(request.headers))
        except (WebhookVerificationError, KeyError):
            self.receipts.unsigned += 1
            return web.Response(status=401)
        if json.loads(body)["data"]["service_user_id"] != user:
            return web.Response(status=400)
        self.receipts.posted[user] += 1
        return web.Response(status=204)
