"""hubherald.yaml, and with it everything that must be right before the router starts.

All files are read before anything is said: an operator mends ten mistakes in one go sooner than
one after the other. Nothing is half loaded: there is a Config, or there is every Problem.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path

from router.config import usersfile
from router.config.configfile import ConfigFile
from router.config.filewatch import Look, look
from router.config.installed import SILENT, InstalledKinds
from router.config.ledgerurl import ledger_file
from router.config.operations import check_operations
from router.config.settings import Settings, open_config, read_own, refused
from router.domain.users import ServiceUsers
from router.entrypoints import ADAPTERS, SOURCES
from router.files.codes import Code
from router.files.document import Document
from router.files.keyfiles import require_private
from router.files.problems import Location, Papers, Problem, in_order
from router.files.secrecy import Redactor
from router.files.secretfiles import find_exposed
from router.files.values import has_adapter
from router.language import shadows, unmet
from router.language.folder import survey as survey_rules
from router.language.rules import Rules
from router.ports import Options
from router.ports.discretion import redactor
from router.ports.inquiry import Inquiry

READINGS = 3
"""How often files are read that change meanwhile."""


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """One source of facts, ready to be made."""

    adapter: str
    options: Options


@dataclass(frozen=True, slots=True)
class Sourced(Settings):
    """hubherald.yaml with the options of its sources."""

    sources: Mapping[str, ConfiguredSource]


@dataclass(frozen=True, slots=True)
class Config(Sourced):
    """All that the router runs on."""

    rules: Rules
    users: ServiceUsers
    warnings: Sequence[Problem] = ()
    """What is no reason not to start, and asks for somebody's hand."""
    looked: Look = frozenset()
    """What the files of rules and users looked like when they were read."""


@dataclass(frozen=True, slots=True)
class Survey:
    """All that there is to say of hubherald.yaml, users and rules."""

    config: Config | None
    """None where there is a mistake."""
    rules_folder: Path | None
    """None where hubherald.yaml can't be read at all: nothing else is looked at then."""
    rules: Rules | None
    """None where there is a mistake in them."""
    mistakes: Sequence[Problem] = ()
    """Nothing runs with these."""
    findings: Sequence[Problem] = ()
    """Of no use as they are, and no reason to stop the rest: key files, rules that wait in vain."""
    warnings: Sequence[Problem] = ()
    """Of use now, but they ask for somebody's hand: a certificate that is about to expire."""


def settings(file: Path, environment: Mapping[str, str] = os.environ) -> Sourced:
    """Read hubherald.yaml. FilesError has all its problems."""
    found, document = _settings(file, environment, Inquiry())
    if found is None:
        raise refused(file, document.problems)
    return found


def load(file: Path, environment: Mapping[str, str] = os.environ) -> Config:
    """Read hubherald.yaml, users and rules. FilesError has all mistakes in all of them.

    Findings are warnings here. A rule that suppresses everything, written in an emergency, must
    not be refused because it leaves others without effect; nor may one user's certificate keep a
    router from serving the others.
    """
    found = survey(file, environment)
    if found.config is None:
        raise refused(file, found.mistakes)
    return found.config


def survey(file: Path, environment: Mapping[str, str] = os.environ) -> Survey:
    """Read the same files and say all that there is to say; never raises for what they hold."""
    inquiry = Inquiry()
    found, document = _settings(file, environment, inquiry)
    folder, users_file = _beside(document, "rules"), _beside(document, "service_users")
    if folder is None or users_file is None:  # which is told; where they are, nobody knows
        return Survey(None, None, None, in_order(document.problems))
    if document.value is None and not (file.is_file() and folder.is_dir() and users_file.is_file()):
        return Survey(None, None, None, document.problems)
    texts = _read(folder, users_file, environment, inquiry)
    users, rules, in_users, in_rules = texts.users, texts.rules, texts.in_users, texts.in_rules
    ours, theirs = document.papers, texts.papers
    if found is not None and users is not None:
        _hold_against_adapters(document, found, users, inquiry)
    in_vain = shadows.find(rules) + (unmet.find(rules, users) if users else [])
    findings = in_order([*ours.unfit, *theirs.unfit, *in_vain])
    warnings = in_order([*ours.warnings, *theirs.warnings])
    config = None
    if found is not None and users is not None and not in_rules:
        own = {field.name: getattr(found, field.name) for field in fields(found)}
        told = [*findings, *warnings]
        config = Config(**own, rules=rules, users=users, warnings=told, looked=texts.looked)
    return Survey(
        config=config,
        rules_folder=folder,
        rules=None if in_rules else rules,
        mistakes=in_order([*document.problems, *in_users, *in_rules]),
        findings=findings,
        warnings=warnings,
    )


@dataclass(frozen=True, slots=True)
class _Texts:
    """Rules and users of one moment."""

    looked: Look
    users: ServiceUsers | None
    rules: Rules
    in_users: Sequence[Problem]
    in_rules: Sequence[Problem]
    papers: Papers


def _read(
    folder: Path, users_file: Path, environment: Mapping[str, str], inquiry: Inquiry
) -> _Texts:
    """Read them while they stand still: half of one release and half of the next is neither."""
    for _ in range(READINGS):
        looked, papers = look(folder, users_file), Papers()
        users, in_users = usersfile.load(users_file, environment, papers, inquiry)
        rules, in_rules = survey_rules(folder)
        if look(folder, users_file) == looked:
            break
    else:
        message = "files here changed while they were read; try again when all are in place"
        in_rules = [Problem(Location(folder), message, Code.FILE)]
    return _Texts(looked, users, rules, in_users, in_rules, papers)


def _hold_against_adapters(
    document: Document, found: Settings, users: ServiceUsers, inquiry: Inquiry
) -> None:
    """What the channels' adapters need of `dcc:` and do not find there."""
    kinds = InstalledKinds(ADAPTERS, inquiry)
    named = {channel.adapter for user in users.by_id.values() for channel in user.channels}
    if found.dcc.signing_key_file and found.dcc.signing_certificate_file:
        named |= kinds.models().keys()  # they are to be right, though nobody needs them yet
    for kind in sorted(named):
        adapter = kinds.introduced(kind)
        if adapter is None:
            continue
        ask = partial(adapter.unfit_originator, found.dcc.originator)
        for unfit in kinds.asked(kind, ask, "signing_key_file"):
            where = document.at("dcc", unfit.key)
            said = redactor(found.dcc)(f"{unfit.key}: {unfit.message}")
            document.papers.add(Problem(where, said, unfit.code), warning=unfit.warning)


def _beside(document: Document, key: str) -> Path | None:
    """The path at `key`, also in a file with mistakes elsewhere; else the usual one.

    None where the path is empty: a variable that is not set.
    """
    usual = ConfigFile.model_fields[key].default
    given = document.value.get(key) if isinstance(document.value, dict) else None
    if given == "":
        return None
    path = given if isinstance(given, str) and given.isprintable() else usual
    return document.file.parent / path


def _settings(
    file: Path, environment: Mapping[str, str], inquiry: Inquiry
) -> tuple[Sourced | None, Document]:
    document = open_config(file, environment)
    sources = _sources(document, inquiry)
    _check_signing_key(document, inquiry)
    found = read_own(document, inquiry)
    if found is None:
        return None, document
    find_exposed(document)
    check_operations(document, found.operations, inquiry)
    if document.problems:
        return None, document
    _check_ledger(document, found, inquiry)
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    return Sourced(**own, sources=sources), document


def _check_ledger(document: Document, found: Settings, inquiry: Inquiry) -> None:
    """Whether there is a place for it; what is in it, the start says."""
    file = ledger_file(found.ledger.url)
    if file is None:
        if found.operations.heads is None:
            document.papers.add(
                Problem(document.at("ledger", "url"), _NO_HEADS, Code.CONFLICT), warning=True
            )
        return  # what a server says, `check` asks, and the start
    try:
        said = inquiry.ask(file.parent, partial(_why_no_place, file))
    except TimeoutError:
        said = SILENT
    if said:
        problem = Problem(document.at("ledger", "url"), f"url: {said}", Code.FILE)
        document.papers.add(problem, warning=False)


_NO_HEADS = (
    "url: a ledger on a server needs `operations.heads`, a folder elsewhere: nothing else tells a "
    "dump that was restored from the newest state, and numbers would be given again"
)


def _why_no_place(file: Path) -> str:
    try:
        if not file.parent.is_dir():
            return f"the folder {file.parent} does not exist; make it, or mend the path"
        return "" if file.is_file() or not file.exists() else "not a plain file; mend the path"
    except OSError as error:  # such as a name that is too long
        return f"no file can be there ({error.strerror}); mend the path"


def _sources(document: Document, inquiry: Inquiry) -> dict[str, ConfiguredSource]:
    value = document.value
    given = value.get("sources") if isinstance(value, dict) else None
    kinds = InstalledKinds(SOURCES, inquiry)
    found: dict[str, ConfiguredSource] = {}
    for name, source in given.items() if isinstance(given, dict) else ():
        if not isinstance(source, dict):
            continue  # which the model of the file reports
        if not has_adapter(document, source, "sources", name):
            continue
        adapter = source["adapter"]
        if not isinstance(adapter, str):
            where = document.at("sources", name, "adapter")
            document.add(where, "adapter: must be a word, such as folder", Code.WRONG_TYPE)
            continue
        options = kinds.options(document, source, "sources", name, own=frozenset({"adapter"}))
        if options is not None:
            found[name] = ConfiguredSource(adapter, options)
    return found


def _check_signing_key(document: Document, inquiry: Inquiry) -> None:
    value = document.value.get("dcc") if isinstance(document.value, dict) else None
    given = value.get("signing_key_file") if isinstance(value, dict) else None
    if not isinstance(given, str):
        return
    key, file = "signing_key_file", document.file.absolute().parent / given
    try:
        inquiry.ask("dcc", lambda: require_private(file))
    except (ValueError, TimeoutError) as error:
        said = Redactor([(str(file), key)])(f"{key}: {str(error) or SILENT}")
        document.papers.add(Problem(document.at("dcc", key), said, Code.KEY_FILE), warning=False)
