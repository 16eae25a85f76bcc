"""kill -9 between any two steps of intake and relay; and the end that an operator gives it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from faults.facts import body, marked
from faults.life import Broken
from faults.line import Line
from faults.points import INTAKE, POISON, RELAY
from faults.row import Row
from faults.scene import FACTS, IN_FLIGHT, UNTIL_IDLE, Scene

MOST_KILLS = 25
TOLD = 40
"""The request at which a recipient has the router killed."""
CUT = (
    "recorded, before the commit",
    "after the commit, before the ack",
    "after the attempt, before the send",
    "after the send, before the settlement",
)
NONE, SOME = "D = 0, no second row", "D ≤ in flight"


def _most(name: str) -> int:
    """Duplicates that a kill there may bring: on its first passing nothing of the intake is out."""
    return 0 if name in INTAKE or name == "after the attempt, before the send" else IN_FLIGHT


def killed(scene: Scene, name: str) -> Iterator[Line]:
    """On an empty ledger, and again on one that has begun; each time all of it arrives."""
    scene.send()
    scene.start(at=(name, 1)).killed(name)
    scene.until_idle()
    yield scene.line(f"kill -9: {name}", duplicates=_most(name))
    scene.send(FACTS)
    scene.start(at=(name, 1)).killed(name)
    scene.until_idle()
    both = range(2 * FACTS)
    yield scene.line(f"kill -9 again: {name}", numbers=both, duplicates=2 * _most(name))


def in_turn(scene: Scene, names: Sequence[str]) -> Iterator[Line]:
    """One life for each point, on the same facts, and one that finishes."""
    scene.send()
    counted = [0]
    for name in names:
        scene.start(at=(name, 1)).killed(name)
        counted.append(scene.proof(range(FACTS)).duplicates)
    scene.until_idle()
    whole = scene.line(f"kill -9: {names[-1]}", duplicates=IN_FLIGHT)
    # what a life sent twice shows in the next: the last of them is in the whole
    later = [*counted[2:], whole.duplicates]
    for name, before, after in zip(names, counted[1:], later, strict=True):
        line = scene.line(f"kill -9: {name}", duplicates=IN_FLIGHT)
        line.duplicates = after - before
        if line.duplicates > _most(name):
            line.problems.append(f"{line.duplicates} duplicates, at most {_most(name)} may be")
        yield line


def sent_unanswered(scene: Scene) -> Iterator[Line]:
    """The recipient has the request, and the router dies before it is answered."""
    scene.send()
    life = scene.start()
    seen = 0

    def kill(_user: str) -> None:
        nonlocal seen
        seen += 1
        if seen == TOLD:
            life.process.kill()

    scene.recipients.on_receipt = kill
    life.dies()
    scene.note = f"killed at request {TOLD}"
    scene.until_idle()
    yield scene.line("kill -9: sent, not answered", duplicates=IN_FLIGHT)


def poison(scene: Scene) -> Iterator[Line]:
    """A supervisor starts it again and again, up to 25 times, while one fact kills it."""
    half = FACTS // 2
    numbers = range(FACTS)
    scene.facts.send([*map(body, numbers[:half]), marked(FACTS), *map(body, numbers[half:])])
    kills = 0
    while (life := scene.start(*UNTIL_IDLE, at=(POISON, 1))).process.wait(300) != 0:
        life.killed(POISON)
        kills += 1
        if kills == MOST_KILLS:
            raise Broken(f"{kills} kills, and the fact was not given up")
    scene.note = f"given up after {kills} kills"
    yield scene.line(POISON_ROW, duplicates=kills * IN_FLIGHT, quarantined={"engine": 1})


POISON_ROW = "kill -9 up to 25 times on one poison fact"


def terminated(scene: Scene) -> Iterator[Line]:
    """SIGTERM while it decides and sends."""
    scene.send(0, 2 * FACTS)
    life = scene.start()
    life.until("some Alerts have come", lambda: scene.recipients.have() >= FACTS)
    life.stop()
    scene.note = f"{scene.recipients.have()} Alerts had come"
    scene.until_idle()
    yield scene.line("SIGTERM under load", numbers=range(2 * FACTS))


ROWS = [
    *(
        Row(f"kill -9: {name}", SOME if _most(name) else NONE, partial(killed, name=name))
        for name in (*INTAKE, *RELAY)
    ),
    Row("kill -9: four points in turn", "see each", partial(in_turn, names=CUT), brief=True),
    Row("kill -9: sent, not answered", SOME, sent_unanswered),
    Row(POISON_ROW, "that one quarantined, neighbours complete", poison),
    Row("SIGTERM under load", "D = 0, exit 0 within 35 s", terminated, brief=True),
]
