"""Chaos: kills, ends, reloads, imports and operators' commands at once; then the ledger is held.

    .venv/bin/python benchmarks/chaos.py                    # five minutes, seed 1
    .venv/bin/python benchmarks/chaos.py --seconds 60 --seed 7
    .venv/bin/python benchmarks/chaos.py --rabbitmq         # one user takes its Alerts from a queue

Facts are appended to an inbox all the while; a receiver sometimes fails, hangs up, asks to wait or
refuses. In the end the users are as at the start, the receiver is well, all lanes are resumed.
Exit 0 when nothing is lost, foreign or out of order, 1 when something is (the folder is kept).
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from chaos_books import Audit, registered, waiting
from chaos_estate import USERS, Estate, Home, user_id
from chaos_report import arguments, report
from chaos_sinks import (
    QUEUE,
    REFUSED,
    SPANS,
    Moods,
    Receipt,
    Receiver,
    broker,
    from_folders,
    read_queue,
)

HUBHERALD = Path(sys.executable).with_name("hubherald")


class Chaos:
    """One run: what is done, by three threads, and how often."""

    def __init__(self, estate: Estate, receiver: Receiver, given: argparse.Namespace) -> None:
        self.estate = estate
        self.receiver = receiver
        self.given = given
        self.counts = Counter[str]()
        self.problems: list[str] = []
        self._over = threading.Event()
        self._broken = threading.Event()
        self._imports = 0
        self._early: list[tuple[float, Home]] = []

    def run(self) -> None:
        """Everything at once for as long as was asked for; then nothing is left running."""
        self.estate.write_users(self.estate.usual())
        threads = [
            threading.Thread(target=self._guarded, args=(work,))
            for work in (self._lives, self._operate)
        ]
        for thread in threads:
            thread.start()
        self._guarded(self._feed)
        for thread in threads:
            thread.join()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.problems.append(f"the chaos run itself failed: {error!r}")
            raise
        finally:
            self._over.set()

    def _feed(self) -> None:
        """Homes and activations, some of them before anybody has heard of their hub."""
        draw = Random(f"facts {self.given.seed}")
        ends = time.monotonic() + self.given.seconds
        while time.monotonic() < ends and not self._over.is_set():
            lines: list[str] = []
            for _ in range(draw.randint(1, 3)):
                lines += self._one(draw)
            for due, home in list(self._early):
                if due < time.monotonic():
                    self._early.remove((due, home))
                    lines += [self.estate.hub(home), self.estate.registration(home)]
            self.estate.put(lines)
            self._over.wait(draw.uniform(0.0, 4.0 / self.given.rate))
        for _, home in self._early:
            self.estate.put([self.estate.hub(home), self.estate.registration(home)])

    def _one(self, draw: Random) -> list[str]:
        estate, homes = self.estate, list(self.estate.sent.homes.values())
        said = draw.random()
        if said < 0.01:
            estate.sent.broken += 1
            return [f"this is no fact {estate.sent.broken}"]
        if said < 0.75 and homes:
            return estate.activation(draw.choice(homes))
        home = estate.home()
        if said < 0.85:
            self._early.append((time.monotonic() + draw.uniform(0.1, 8.0), home))
            return estate.activation(home)
        return [estate.hub(home), estate.registration(home), *estate.activation(home)]

    # --- the router's lives -------------------------------------------------------------------

    def _lives(self) -> None:
        """Start the router, let it live a little, end it one way or the other; again and again."""
        draw = Random(f"lives {self.given.seed}")
        while not self._over.is_set():
            with self._router() as router:
                self.counts["restarts"] += 1
                if draw.random() < 0.25:
                    self._over.wait(draw.uniform(0.2, 3.0))  # dies young
                else:
                    self._over.wait(draw.uniform(3.0, 14.0))
                if router.poll() is not None:
                    self._ended(router.returncode)
                elif draw.random() < 0.75:
                    router.kill()
                    self.counts["kills"] += 1
                else:
                    self._terminate(router)

    @contextmanager
    def _router(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.estate.folder / "router.log").open("ab") as log:
            command = [str(HUBHERALD), "run", *words]
            router = subprocess.Popen(command, cwd=self.estate.folder, stdout=log, stderr=log)
        try:
            yield router
        finally:
            if router.poll() is None:
                router.kill()
            router.wait()

    def _terminate(self, router: subprocess.Popen[bytes]) -> None:
        router.send_signal(signal.SIGTERM)
        self.counts["SIGTERM"] += 1
        try:
            code = router.wait(60)
        except subprocess.TimeoutExpired:
            self.problems.append("the router did not end within 60 s of SIGTERM")
            return
        if code not in (0, -signal.SIGTERM):  # the latter before it listens to signals
            self._ended(code)

    def _ended(self, code: int) -> None:
        """It may end by itself only where the users file was broken when it started."""
        if self._broken.is_set() or self.counts["broken files"] > self.counts["refused starts"]:
            self.counts["refused starts"] += 1
        else:
            self.problems.append(f"the router ended by itself with {code}: see router.log")

    # --- operators ----------------------------------------------------------------------------

    def _operate(self) -> None:
        """One command after the other, while the router lives and while it does not."""
        draw = Random(f"operators {self.given.seed}")
        often = [self._reload, self._import] * 2
        works = [*often, self._lanes, self._retry, self._release]
        while not self._over.is_set():
            draw.choice(works)(draw)
            self._over.wait(draw.uniform(0.0, 0.5))

    def command(self, *words: str, killed_after: float | None = None) -> int:
        """Run a command to its end, or kill it; its exit code."""
        command = [str(HUBHERALD), *words]
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd=self.estate.folder,
                capture_output=True,
                text=True,
                timeout=killed_after or 120.0,
            )
        except subprocess.TimeoutExpired:
            if killed_after is None:
                self.problems.append(f"hubherald {' '.join(words)} took more than 120 s")
            return -signal.SIGKILL
        if "Traceback" in done.stderr:
            self.problems.append(f"hubherald {' '.join(words)}:\n{done.stderr[-2000:]}")
        with (self.estate.folder / "commands.log").open("a") as log:
            log.write(f"{time.time():.3f} {done.returncode} {' '.join(words)}\n")
            log.write(done.stdout[-500:] + done.stderr[-1500:])
        return done.returncode

    def _reload(self, draw: Random) -> None:
        if draw.random() < 0.1:
            self._broken.set()
            self.counts["broken files"] += 1
            self.estate.write_text("service_users: [{id: nonsense}]\n")
            if self.command("reload") == 0:
                self.problems.append("a broken users file was taken over")
        usual = ("as usual", self.estate.usual())
        said, users = self.estate.changed() if draw.random() < 0.65 else usual
        self.estate.write_users(users)
        self._broken.clear()
        code = 1
        for _ in range(5):  # the router may just be dead; a start reads the files too
            if (code := self.command("reload")) == 0 or self._over.is_set():
                break
        self.counts["reloads"] += code == 0
        with (self.estate.folder / "commands.log").open("a") as log:
            log.write(f"{time.time():.3f} the users: {said} ({code})\n")

    def _import(self, draw: Random) -> None:
        """Other suppliers for homes that have one."""
        known = registered(self.estate.folder / "hubherald.db")
        homes = [each for each in self.estate.sent.homes.copy().values() if each.device in known]
        if not homes:
            return
        some = draw.sample(homes, min(len(homes), draw.randint(1, 40)))
        self._imports += 1
        words = self.estate.import_file(self._imports, some)
        killed = draw.uniform(0.3, 2.0) if draw.random() < 0.15 else None
        code = self.command(*words, killed_after=killed)
        self.counts["imports"] += code == 0
        if code not in (0, -signal.SIGKILL):
            self.problems.append(f"hubherald {' '.join(words)} ended with {code}")

    def _lanes(self, draw: Random) -> None:
        user = user_id(draw.randint(1, USERS))
        self.command("lanes", draw.choice(("pause", "resume", "resume")), user)
        self.counts["operators"] += 1

    def _retry(self, draw: Random) -> None:
        state = draw.choice(("waiting", "parked", "waiting"))
        self.command("alerts", "retry", "--state", state)
        self.counts["operators"] += 1

    def _release(self, draw: Random) -> None:
        reason = draw.choice(("engine", "unknown_hub", "no_registration", "malformed"))
        self.command("quarantine", "release", "--reason", reason)
        self.counts["operators"] += 1

    def drain(self) -> None:
        """All is well again: let everything go that can."""
        self.receiver.moods.healthy = True
        self.estate.write_users(self.estate.usual())
        for _ in range(4):
            for number in range(1, USERS + 1):
                self.command("lanes", "resume", user_id(number))
            self.command("quarantine", "release", "--reason", "engine")
            self.command("alerts", "retry", "--state", "waiting")
            with self._router("--until-idle") as router:
                try:
                    code = router.wait(420)
                except subprocess.TimeoutExpired:
                    self.problems.append("run --until-idle did not end within 420 s")
                    return
            if code != 0:
                self.problems.append(f"run --until-idle ended with {code}: see router.log")
            if not waiting(self.estate.folder / "hubherald.db"):
                return


def work(folder: Path, given: argparse.Namespace) -> list[str]:
    """All of it; the problems that were found."""
    began = time.monotonic()
    with broker(given.rabbitmq) as url:
        receiver = Receiver(Moods(given.seed, REFUSED))
        estate = Estate(folder / "estate", receiver.url, url, Random(f"estate {given.seed}"))
        chaos = Chaos(estate, receiver, given)
        chaos.run()
        chaos.drain()
        receipts: list[Receipt] = receiver.receipts + from_folders(estate.folder / "alerts")
        receipts += read_queue(url, QUEUE) if url else []
    books = Audit(estate.folder / "hubherald.db", estate.sent, REFUSED).all(receipts, SPANS)
    problems = chaos.problems + books.problems
    seconds = time.monotonic() - began
    report(books, chaos.counts, lines=estate.sent.lines, seconds=seconds, well=not problems)
    return problems


def main() -> None:
    """Work in the folder that was given, or in one that goes when all is well."""
    given = arguments(__doc__ or "")
    folder = given.folder or Path(tempfile.mkdtemp(prefix="hubherald-chaos-"))
    problems = work(folder, given)
    for problem in problems[:20]:
        print(f"WRONG: {problem}")
    if problems:
        raise SystemExit(f"{len(problems)} problems; all files are in {folder}")
    if given.folder is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
