"""The DCC's own tools for DUIS, each started once: what they say of a message decides."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from support.servers import NPM, TOOLS, npm_package, program


class Lines:
    """A program that answers each line with a line."""

    def __init__(self, stdin: IO[str], stdout: IO[str]) -> None:
        self._stdin, self._stdout = stdin, stdout

    def ask(self, line: str) -> str:
        self._stdin.write(f"{line}\n")
        self._stdin.flush()
        answer = self._stdout.readline().strip()
        assert answer, f"no answer to {line}"
        return answer


@contextmanager
def _running(*command: str | Path) -> Iterator[Lines]:
    environment = {**os.environ, "NODE_PATH": str(NPM[TOOLS] / "node_modules")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield Lines(process.stdin, process.stdout)
            process.stdin.close()
            assert process.wait(30) == 0
        finally:
            process.kill()


class Validator:
    """`uk.co.smartdcc.boxed.xmldsig.Validate`: the schema 5.1, then the signature."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def says(self, message: Path, certificate: Path) -> str:
        """Its words; only "passed signature check" is good: it lets pass what is not signed."""
        return self._lines.ask(f"{message}\t{certificate}")


class Parser:
    """`@smartdcc/duis-parser` in its simplified mode."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines

    def parse(self, message: Path) -> dict[str, Any]:
        """What Service Users' software makes of a message; counters as text."""
        found = json.loads(self._lines.ask(str(message)))
        assert isinstance(found, dict)
        return found


@contextmanager
def validating() -> Iterator[Validator]:
    program("javac")  # Java that can run a source file
    jar = npm_package("@smartdcc/duis-sign-wrap") / "dist" / "tool.jar"
    with _running("java", "-XX:TieredStopAtLevel=1", "-cp", jar, TOOLS / "Validating.java") as it:
        yield Validator(it)


@contextmanager
def parsing() -> Iterator[Parser]:
    npm_package("@smartdcc/duis-parser")
    with _running(program("node"), TOOLS / "parsing.js") as it:
        yield Parser(it)
