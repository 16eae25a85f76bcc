"""Our own disk and database: full, locked, held by another router."""

from __future__ import annotations

import errno
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.life import Broken, Life
from faults.line import Line
from faults.row import BOTH, ONE, Row
from faults.scene import FACTS, IN_FLIGHT, Scene

HALF = FACTS // 2
DISK = 8 * 1024 * 1024
LOCKED_S = 60.0
BRIEFLY_S = 8.0
"""More than a commit waits for another program."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A tmpfs that is soon full. Broken where the machine lets nobody mount one."""
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        why = (done.stderr.strip() or "no reason given").splitlines()[-1]
        raise Broken(f"this machine can't mount a small tmpfs ({why}): run it as root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(file: Path) -> None:
    """Take all that is left of the disk."""
    with file.open("wb", buffering=0) as out:
        for size in (65_536, 512):
            try:
                while True:
                    out.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def _on_small_disk(scene: Scene) -> tuple[Path, Life]:
    """A router whose ledger lies on one, when the first half of the Alerts has come."""
    disk = scene.undo.enter_context(small_disk(scene.folder / "disk"))
    scene.kind.move(scene.estate, disk)
    scene.configure()
    scene.send(0, HALF)
    life = scene.start()
    life.until("the first half has come", lambda: scene.recipients.have() >= 3 * HALF)
    return disk, life


def full(scene: Scene) -> Iterator[Line]:
    """Nothing is acknowledged while the ledger's disk is full; then all goes on."""
    disk, life = _on_small_disk(scene)
    have = scene.recipients.have
    life.until("all of it is settled", lambda: not _count(scene, _PENDING))
    life.until("the queue is empty", lambda: not scene.facts.waiting())
    _fill(disk / "other")
    before = _count(scene, _FACTS)
    scene.send(HALF, HALF)
    life.until("the ledger refuses", lambda: life.said("ledger.unavailable"))
    time.sleep(2.0)  # the intake tries again each second
    acknowledged = _count(scene, _FACTS) - before
    life.kill()  # what was not acknowledged, the broker has again
    waits = scene.facts.left(HALF - acknowledged)
    (disk / "other").unlink()
    life = scene.start()
    life.until("all has come", lambda: have() >= 3 * FACTS)
    life.stop()
    scene.note = f"full: {acknowledged} committed, {waits} of {HALF} still with the broker"
    line = scene.line("our disk full (a small tmpfs)")
    if waits != HALF - acknowledged:
        line.problems.append("facts were acknowledged that are not in the ledger")
    yield line


def resumes(scene: Scene) -> Iterator[Line]:
    """The same, and the router lives on: it goes on by itself once there is room."""
    disk, life = _on_small_disk(scene)
    have = scene.recipients.have
    _fill(disk / "other")
    scene.send(HALF, HALF)
    life.until("the ledger refuses", lambda: life.said("ledger.unavailable"))
    (disk / "other").unlink()
    life.until("all has come", lambda: have() >= 3 * FACTS)
    life.stop()
    yield scene.line("our disk full, then there is room again")


_FACTS = "SELECT count(*) FROM facts"
_PENDING = "SELECT count(*) FROM deliveries WHERE state <> 'delivered'"


def _count(scene: Scene, question: str) -> int:
    return int(scene.kind.ask(scene.estate, question)[0][0])


def locked(scene: Scene) -> Iterator[Line]:
    """Another program keeps the database for itself, for a minute."""
    scene.send(0, HALF)
    life = scene.start()
    have = scene.recipients.have
    life.until("some Alerts have come", lambda: have() > 0)
    with scene.kind.locked(scene.estate):
        scene.send(HALF, HALF)
        time.sleep(BRIEFLY_S if scene.brief else LOCKED_S)
    life.until("all has come", lambda: have() >= 3 * FACTS)
    life.stop()
    scene.note = f"refused {len(life.said('ledger.unavailable'))} times"
    yield scene.line("database locked for a minute")


def restarted(scene: Scene) -> Iterator[Line]:
    """The server stops while we decide and send, and comes back."""
    scene.send(0, HALF)
    life = scene.start()
    have = scene.recipients.have
    life.until("some Alerts have come", lambda: have() > 0)
    scene.kind.restart()
    scene.send(HALF, HALF)
    life.until("all has come", lambda: have() >= 3 * FACTS)
    life.until("all is settled", lambda: not _count(scene, _PENDING))
    life.stop()
    yield scene.line("PostgreSQL restarted")


def alone(scene: Scene) -> Iterator[Line]:
    """A second router on the same ledger is refused; once the first is killed it takes over."""
    first = scene.start()
    first.started()
    second = scene.start()
    code = second.process.wait(60)
    said = second.log.read_text()
    scene.send(0, 2 * FACTS)
    first.until("some Alerts have come", lambda: scene.recipients.have() > FACTS)
    first.kill()
    third = scene.start()
    third.started()
    third.until("all has come", lambda: scene.recipients.have() >= 6 * FACTS)
    third.stop()
    line = scene.line(_ALONE, numbers=range(2 * FACTS), duplicates=IN_FLIGHT)
    if code == 0 or f"process {first.process.pid}" not in said:
        line.problems.append(f"the second router ended with {code}: {said[-200:]}")
    yield line


def together(scene: Scene) -> Iterator[Line]:
    """Two routers share a ledger; one is killed, and its lanes go on with the other."""
    first, second = scene.start(), scene.start()
    first.started()
    second.started()
    scene.send(0, 2 * FACTS)
    first.until("some Alerts have come", lambda: scene.recipients.have() > FACTS)
    first.kill()
    second.until("all has come", lambda: scene.recipients.have() >= 6 * FACTS)
    second.stop()
    yield scene.line(_TOGETHER, numbers=range(2 * FACTS), duplicates=IN_FLIGHT)


_ALONE = "a second router on one ledger; the first killed"
_TOGETHER = "two replicas on one ledger, one killed"


def _is_sqlite(name: str, _shared: bool) -> bool:
    return name == "SQLite"


ROWS = [
    Row("our disk full (a small tmpfs)", "no acks while full, then all", full, on=_is_sqlite),
    Row("our disk full, then room again", "goes on by itself", resumes, brief=ONE, on=_is_sqlite),
    Row("database locked for a minute", "nothing quarantined, all arrives", locked, BOTH),
    Row(
        "PostgreSQL restarted",
        "nothing quarantined, all arrives",
        restarted,
        brief=BOTH,
        on=lambda name, _shared: name == "PostgreSQL",
    ),
    Row(_ALONE, "refused, then takes over", alone, on=lambda _name, shared: not shared),
    Row(_TOGETHER, "lanes taken over", together, on=lambda _name, shared: shared),
]
