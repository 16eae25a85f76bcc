"""Markers as secrets: each of its own kind, and where any of them came out, in any spelling."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

_STEM = "Sw0rdF1sh"


@dataclass
class Markers:
    """What nobody may see, by what kind of secret it is."""

    known: dict[str, str] = field(default_factory=dict)

    def word(self, kind: str) -> str:
        """A password or token."""
        return self.known.setdefault(kind, f"{_STEM}-{len(self.known):02d}-0f9e-of-ours")

    def signing(self, kind: str) -> str:
        """A secret that signs as Standard Webhooks."""
        text = base64.b64encode(self.word(kind).encode()).decode()
        self.known[f"{kind} in base64"] = text
        return f"whsec_{text}"

    def key(self, kind: str, file: Path) -> None:
        """Lines of a private key, and the same as DER."""
        body = [line for line in file.read_text().splitlines() if line and "--" not in line]
        for number, line in enumerate(body[1:3]):
            self.known[f"{kind}, line {number + 2}"] = line

    def told(self, said: Mapping[str, bytes]) -> list[str]:
        """What is told where: `secret: place`; empty is as it should be."""
        forms = {kind: _forms(text) for kind, text in self.known.items()}
        return [
            f"{kind}: {place}"
            for place, content in said.items()
            for kind, spellings in forms.items()
            if any(each in content.lower() for each in spellings)
        ]


def _forms(text: str) -> set[bytes]:
    """As it is, quoted for a URL, in hex, and in base64 wherever it begins in what was encoded."""
    raw = text.encode()
    encoded = [base64.b64encode(b"x" * lead + raw) for lead in range(3)]
    inner = [each[4:-4] for each in encoded]
    return {each.lower() for each in (raw, quote(text, safe="").encode(), raw.hex().encode())} | {
        each.lower() for each in inner
    }


def files_below(folder: Path, without: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Every file but those that operators wrote, unpacked where it is an archive."""
    left_out = {file.resolve() for file in without}
    for file in sorted(folder.rglob("*")):
        if not file.is_file() or file.resolve() in left_out:
            continue
        content = file.read_bytes()
        yield str(file.relative_to(folder)), content
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(file) as archive:
                for name in archive.namelist():
                    yield f"{file.name}/{name}", archive.read(name)
