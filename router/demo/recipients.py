"""The Service Users' side of the demo: HTTP servers in a thread of their own.

Each user has a path. Webhooks are verified with the library of the standard's authors, DUIS
messages with what `hubherald alerts verify` uses, behind mutual TLS.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from router.demo.papers import Authority
from router.entrypoints import VERIFIERS, installed
from router.errors import SignatureError
from router.ports import Verify

KEYS = Path("keys")
"""Where the router's keys and certificates are, below the folder of the demo."""
HOST = "127.0.0.1"
_STOP_S = 10.0


@dataclass(slots=True)
class Receipts:
    """What the recipients got."""

    posted: Counter[str] = field(default_factory=Counter)
    """Alerts that came by webhook with a good signature, by user."""
    signed: Counter[str] = field(default_factory=Counter)
    """Alerts that came in DUIS with a good signature, by user."""
    unsigned: int = 0
    """Requests whose signature was wrong."""


class Recipients:
    """Listening from `with` on; knows for each user how it wants to be told."""

    def __init__(self) -> None:
        self.receipts = Receipts()
        self._ours = Authority("CA of the DCC, made up for a demo")
        self._theirs = Authority("CA of Service Users, made up for a demo")
        self._dcc = self._ours.issue("DCC, made up for a demo")
        self._verify: Verify = installed(VERIFIERS)["duis"].load()
        self._secrets: dict[str, str] = {}
        self._ports: Future[tuple[int, int]] = Future()
        self._thread = threading.Thread(target=self._run, name="recipients", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ports.result(timeout=_STOP_S)
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

    @property
    def dcc(self) -> Mapping[str, str]:
        """What `dcc:` needs to sign for these recipients."""
        return {
            "signing_key_file": f"{KEYS}/signing.key",
            "signing_certificate_file": f"{KEYS}/signing.pem",
        }

    def channels(self, user: str) -> Sequence[str]:
        """Of four users one has a folder, one speaks DUIS, two have a webhook with a secret."""
        number = int(user[-2:], 16) % 4
        plain, secure = self._ports.result()
        if number == 0:
            return [f"{{adapter: folder, path: outbox/{user}}}"]
        if number == 1:
            files = f"certificate_file: {KEYS}/client.pem, key_file: {KEYS}/client.key"
            url = f"https://{HOST}:{secure}/{user}"
            return [f'{{adapter: duis, url: "{url}", {files}, ca_file: {KEYS}/recipients-ca.pem}}']
        digest = hashlib.sha256(f"made up for {user}".encode()).digest()
        secret = self._secrets[user] = "whsec_" + base64.b64encode(digest).decode()
        return [f'{{adapter: webhook, url: "http://{HOST}:{plain}/{user}", secret: "{secret}"}}']

    def write_keys(self, folder: Path) -> None:
        """The keys and certificates that the router needs, below the folder of the demo."""
        self._dcc.write(folder / KEYS, "signing")
        self._ours.issue("client certificate, made up for a demo").write(folder / KEYS, "client")
        (folder / KEYS / "recipients-ca.pem").write_bytes(self._theirs.certificate)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._ports.set_exception(error)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        webhooks = web.ServerRunner(web.Server(self._webhook, access_log=None))
        services = web.ServerRunner(web.Server(self._duis, access_log=None))
        try:
            await webhooks.setup()
            await services.setup()
            await web.TCPSite(webhooks, HOST, 0).start()
            await web.TCPSite(services, HOST, 0, ssl_context=self._tls()).start()
            self._ports.set_result((webhooks.addresses[0][1], services.addresses[0][1]))
            await self._stopping.wait()
        finally:
            await webhooks.cleanup()
            await services.cleanup()

    def _tls(self) -> ssl.SSLContext:
        """Lets in who has a certificate of the DCC's CA."""
        ours = self._ours.certificate.decode()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=ours)
        context.verify_mode = ssl.CERT_REQUIRED
        with TemporaryDirectory() as folder:  # OpenSSL takes a key from a file only
            pair = self._theirs.issue("Service Users, made up for a demo", address=HOST)
            key, certificate = pair.write(Path(folder), "server")
            context.load_cert_chain(certificate, key)
        return context

    async def _webhook(self, request: web.BaseRequest) -> web.Response:
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

    async def _duis(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        user = request.path.strip("/")
        try:
            self._verify(body, self._dcc.certificate)
        except SignatureError:
            self.receipts.unsigned += 1
            return web.Response(status=400)
        if f":{user}:".encode() not in body:  # of its ResponseID
            return web.Response(status=400)
        self.receipts.signed[user] += 1
        return web.Response(status=204)
