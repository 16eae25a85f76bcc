"""An archive of evidence: the same each time that it is made, checked without a ledger. Pure."""

from __future__ import annotations

import hashlib
import io
import json
import lzma
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from router.errors import UsageError

Content = Mapping[str, bytes]
"""The files of an archive by path."""
README, SUMS, UNPROVED = "README.txt", "SHA256SUMS", "UNPROVED.txt"
LARGEST = 512 * 2**20
"""Bytes of all files of an archive together that is checked."""
_DAY = (1980, 1, 1, 0, 0, 0)
"""The earliest of a zip: archives of the same evidence are the same, byte for byte."""
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError),
)
"""What reading a zip may end with."""
_SENT_AT = -1
"""Where in an attempt the digest of the bytes stands."""
_TEXT_AT = 2
"""Where in a document its text stands."""
_TEXT = """\
Evidence of Hubherald: who was told what, when, under which rule
================================================================

records/   What the ledger recorded, each record as it was hashed: a JSON list of its columns,
           bytes in it as hexadecimal digits.
             facts        the event that came, and what came beside it
             evaluations  the hub and all its registrations, on which it was decided
             documents    the rules that were live
             decisions    the verdict on this user, and the rule
             alerts       what was to be told
             attempts     each send; the last column is the SHA-256 of the bytes, or null where the
                          Alert's own bytes were sent
             outcomes     each answer
             actions      what operators did since that names the Alert or its user, and no other
facts/     The body of the fact, as it came.
rules/     The text of the rules, to be read; records/documents/ has the same.
sent/      The bytes. ALERT.json is the Alert itself; others are what a channel made of it, such as
           DUIS. A channel that sends several in one request sent a JSON list of them.
links/     Links of the ledger's hash chain, WRITER-NUMBER-HASH.txt. The first line is the writer,
           the number, the moment (microseconds since 1970 UTC) and the hash before it. Then there
           is a line for each record of that transaction: its SHA-256. Others' are not in here.

To check it by hand, in this folder. Coreutils and grep are enough; a step that finds nothing wrong
prints nothing.

  1. Nothing was damaged on the way:
       sha256sum --quiet -c SHA256SUMS
  2. Each link is what its name says:
       for f in links/*.txt; do [ -e "$f" ] || continue; s=$(sha256sum < "$f"); case "$f" in
         *-"${s%% *}".txt) ;; *) echo "WRONG $f";; esac; done
  3. Each record is in a link:
       for f in records/*/*.json; do s=$(sha256sum < "$f")
         grep -qxs "${s%% *}" links/*.txt || echo "NOT IN A LINK $f"; done
  4. The bytes are those of the attempts or the Alert's own, and those of the fact:
       for f in sent/* facts/*; do s=$(sha256sum < "$f"); h=$(od -An -v -tx1 "$f" | tr -d ' \\n')
         grep -qs -e "${s%% *}" records/attempts/*.json \\
           || grep -qs -e "\"$h\"" records/alerts/*.json records/facts/*.json \\
           || echo "NOT RECORDED $f"; done

What step 3 prints and UNPROVED.txt names was recorded by an older Hubherald, whose links are over
all of their records at once: `hubherald ledger verify` proves it, with the ledger. What step 4
prints and UNPROVED.txt names are bytes of which no attempt has kept a digest, as an older Hubherald
kept none: nothing here proves them, unless they bear a signature.

Are the links those of the ledger? Whoever has it, or keeps its heads, can compare WRITER, NUMBER
and HASH. `hubherald ledger verify --head FILE` proves the ledger against a head that was kept
elsewhere, and with it every link before that.

A DUIS message among sent/ bears the DCC's signature, which can be checked by itself:
       hubherald alerts verify sent/FILE --certificate dcc.pem
"""


@dataclass(frozen=True, slots=True)
class Examined:
    """What came of a check."""

    records: int
    links: Sequence[str]
    """As writer, number and hash, for whoever has the ledger."""
    wrong: Sequence[str]
    """What does not fit, in words."""
    unproved: Sequence[str]
    """Records that an older Hubherald made."""
    undigested: Sequence[str]
    """Bytes of which no attempt has kept a digest."""


def pack(files: Content, unproved: Sequence[str]) -> bytes:
    """The archive of these files."""
    whole = {**files, README: _TEXT.encode()}
    if unproved:
        whole[UNPROVED] = "".join(f"{each}\n" for each in sorted(set(unproved))).encode()
    sums = [f"{_sha256(content)}  {name}\n" for name, content in sorted(whole.items())]
    whole[SUMS] = "".join(sums).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(whole.items()):
            entry = zipfile.ZipInfo(name, _DAY)
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return packed.getvalue()


def unpack(packed: bytes) -> dict[str, bytes]:
    """The files of an archive. UsageError for what is none, or too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            if sum(each.file_size for each in archive.infolist()) > LARGEST:
                raise UsageError(f"the archive holds more than {LARGEST:,} bytes; is it evidence?")
            return {each.filename: archive.read(each) for each in archive.infolist()}
    except _DAMAGED as error:
        raise UsageError(f"no archive of evidence, or a damaged one: {error}") from None


def examine(files: Content) -> Examined:
    """Check all that can be checked without the ledger."""
    records = {name: content for name, content in files.items() if _is_record(name)}
    links = {name: content for name, content in files.items() if name.startswith("links/")}
    excused = files.get(UNPROVED, b"").decode(errors="replace").split()
    wrong = [*_damaged(files)]
    wrong += [
        f"{name}: its hash is another one" for name, text in links.items() if not _fits(name, text)
    ]
    known = {line for text in links.values() for line in text.decode(errors="replace").split("\n")}
    outside = [name for name, content in records.items() if _sha256(content) not in known]
    wrong += [f"{name}: in no link that is here" for name in outside if name not in excused]
    unknown = _unrecorded(files)
    undigested = [name for name in unknown if name in excused and name.startswith("sent/")]
    wrong += [f"{name}: not what a record says" for name in unknown if name not in undigested]
    if not records or not (links or excused):
        wrong.append("nothing that proves anything is in it")
    named = [name.removeprefix("links/").removesuffix(".txt") for name in sorted(links)]
    unproved = [name for name in outside if name in excused]
    return Examined(len(records), named, wrong, unproved, undigested)


def _damaged(files: Content) -> list[str]:
    listed: dict[str, str] = {}
    for line in files.get(SUMS, b"").decode(errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    there = files.keys() - {SUMS}
    changed = [name for name in there & listed.keys() if listed[name] != _sha256(files[name])]
    return [
        *(f"{name}: not as {SUMS} says" for name in sorted(changed)),
        *(f"{name}: not in {SUMS}" for name in sorted(there - listed.keys())),
        *(
            f"{name or SUMS}: missing, or its line is none"
            for name in sorted(listed.keys() - there)
        ),
    ]


def _fits(name: str, text: bytes) -> bool:
    return name.removesuffix(".txt").rpartition("-")[2] == _sha256(text)


def _unrecorded(files: Content) -> list[str]:
    """Bytes that no attempt has sent, facts that did not come so, rules that were not live."""
    told = [(name.split("/")[1], content) for name, content in files.items() if _is_record(name)]
    rows = [(table, row) for table, content in told if (row := _row(content))]
    sent = {row[_SENT_AT] for table, row in rows if table == "attempts"}
    whole = {row[-2] for table, row in rows if table in {"alerts", "facts"}}
    rules = {row[_TEXT_AT] for table, row in rows if table == "documents"}
    found = []
    for name, content in files.items():
        folder = name.split("/")[0]
        if folder in {"sent", "facts"}:
            known = content.hex() in whole or (folder == "sent" and _sha256(content) in sent)
        else:
            known = folder != "rules" or content.decode(errors="replace") in rules
        found += [] if known else [name]
    return found


def _is_record(name: str) -> bool:
    return name.startswith("records/")


def _row(content: bytes) -> list[Any] | None:
    """The columns of a record; None for what is none, which is in no link."""
    try:
        found = json.loads(content)
    except ValueError:
        return None
    usable = isinstance(found, list) and len(found) > _TEXT_AT
    return found if usable and all(isinstance(each, str | int | None) for each in found) else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
