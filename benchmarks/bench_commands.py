"""How long commands take that read little, mostly to import; and how much the ledger keeps."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench_ground import Ground
from bench_watch import RefusedError
from lives import HUBHERALD, Counted, Run, hubherald
from main_job import check_books, import_inventory, prepare, receiving
from proof import prove

COMMANDS = {
    "lanes list": ("lanes", "list"),
    "check": ("check",),
    "--help": ("--help",),
    "--version": ("--version",),
}


def command_seconds(ground: Ground, times: int) -> dict[str, float]:
    """The median of each, from its start to its end, in the estate that `hubherald init` makes.

    `python` is what Python itself takes.
    """
    folder = ground.folder_of_run()
    hubherald(folder, "init", "starter")
    estate = folder / "starter"
    hubherald(estate, "run", "--until-idle")
    words = {name: [str(HUBHERALD), *each] for name, each in COMMANDS.items()}
    words["python"] = [sys.executable, "-c", "pass"]
    took: dict[str, list[float]] = {name: [] for name in words}
    for _ in range(times):
        for name, command in words.items():
            took[name].append(_seconds(command, estate))
    return {name: median(each) for name, each in took.items()}


def _seconds(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode != 0:
        raise RefusedError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr}")
    return took


def ledger_bytes(ground: Ground, activations: int) -> float:
    """By which the ledger grows for each Alert of a simulated market: main_job.py, small."""
    folder = ground.folder_of_run()
    estate, log = folder / "estate", folder / "received.tsv"
    sizes = {"hubs": activations * 2, "users": 60, "activations": activations, "seed": 1}
    given = argparse.Namespace(**sizes, batch=1, window=16, delay=0.0, failures=0.0)
    with receiving(log, given) as receiver:
        prepare(estate, given, receiver)
        expected = json.loads((estate / "expected.json").read_text())
        import_inventory(estate)
        before = size(estate)
        Run(estate, received=Counted(log), kills=0, alerts=0, seed=1).go()
    problems = prove(expected, log).problems + check_books(estate, expected)
    if problems:
        raise RefusedError(f"the main job ended with {len(problems)} problems: {problems[0]}")
    return (size(estate) - before) / int(expected["counts"]["alerts"])


def size(estate: Path) -> int:
    """Bytes of the ledger, with what is not folded into it yet."""
    return sum(file.stat().st_size for file in estate.glob("hubherald.db*"))
