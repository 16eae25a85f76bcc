"""An editor as VS Code's YAML extension is one: the real yaml-language-server, spoken to in LSP."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from support.servers import EDITOR, npm_package, program

DEADLINE = 60.0
SETTINGS = {
    "yaml": {
        "validate": True,
        "hover": True,
        "completion": True,
        "schemaStore": {"enable": False},  # nothing is fetched from anywhere
    },
    "http": {"proxy": "", "proxyStrictSSL": True},
    "[yaml]": {"editor.tabSize": 2},
}
CAPABILITIES = {
    "textDocument": {
        "completion": {"completionItem": {"snippetSupport": True}},
        "hover": {"contentFormat": ["markdown"]},
    },
    "workspace": {"configuration": True},
}


class Editor:
    """Files opened in an editor: what it marks, offers and explains."""

    def __init__(self, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._stdin, self._stdout = stdin, stdout
        self._number = 0
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._marks: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self._ask("initialize", processId=None, rootUri=None, capabilities=CAPABILITIES)
        self._tell("initialized")
        self._tell("workspace/didChangeConfiguration", settings=SETTINGS)

    def open(self, file: Path) -> list[str]:
        """What the editor marks as wrong: `LINE: MESSAGE`, lines from 1."""
        document = {"uri": file.as_uri(), "languageId": "yaml", "version": 1}
        self._tell("textDocument/didOpen", textDocument={**document, "text": file.read_text()})
        while True:
            said = self._marks.get(timeout=DEADLINE)
            if said["uri"] == file.as_uri():
                marks = said["diagnostics"]
                return [
                    f"{each['range']['start']['line'] + 1}: {each['message']}" for each in marks
                ]

    def hover(self, file: Path, text: str) -> str:
        """What stands in the box when the pointer is on the first such text."""
        found = self._ask("textDocument/hover", **self._at(file, text))
        contents = found["contents"] if found else ""
        return str(contents["value"] if isinstance(contents, dict) else contents)

    def complete(self, file: Path, text: str) -> dict[str, dict[str, Any]]:
        """What is offered behind the first such text, by label."""
        found = self._ask("textDocument/completion", **self._at(file, text, behind=True))
        items = found["items"] if isinstance(found, dict) else found
        return {each["label"]: each for each in items}

    def leave(self) -> None:
        """As an editor does that is closed."""
        self._ask("shutdown")
        self._tell("exit")

    def _at(self, file: Path, text: str, *, behind: bool = False) -> dict[str, Any]:
        whole = file.read_text()
        place = whole.index(text) + (len(text) if behind else 1)
        before = whole[:place]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        position = {"line": line, "character": column}
        return {"textDocument": {"uri": file.as_uri()}, "position": position}

    def _ask(self, method: str, **given: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": given})
        while True:
            answer = self._answers.get(timeout=DEADLINE)
            if answer["id"] == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _tell(self, method: str, **given: Any) -> None:
        self._send({"method": method, "params": given})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._stdin.flush()

    def _read(self) -> None:
        while line := self._stdout.readline():
            length = 0
            while line.strip():
                name, _, value = line.decode().partition(":")
                length = int(value) if name.lower() == "content-length" else length
                line = self._stdout.readline()
            self._got(json.loads(self._stdout.read(length)))

    def _got(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method is None:
            self._answers.put(message)
        elif method == "textDocument/publishDiagnostics":
            self._marks.put(message["params"])
        elif "id" in message:  # it asks us
            asked = message.get("params", {}).get("items", [])
            settings = [SETTINGS.get(each.get("section")) for each in asked]
            self._send({"id": message["id"], "result": settings or None})


@contextmanager
def editing() -> Iterator[Editor]:
    """The server, started for as long as it is needed."""
    server = npm_package("yaml-language-server", EDITOR) / "bin" / "yaml-language-server"
    with subprocess.Popen(
        [program("node"), server, "--stdio"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            editor = Editor(process.stdin, process.stdout)
            yield editor
            editor.leave()
            assert process.wait(DEADLINE) == 0
        finally:
            process.kill()
