"""hubherald.yaml, and with it everything that must be right before the router starts.

All files are read before anything is said: an operator mends ten mistakes in one go sooner than
one after the other. Nothing is half loaded: there is a Config, or there is every Problem.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from router import rules as rulesfolder
from router import usersfile
from router.allowlist import UserId, Word
from router.codes import Code
from router.errors import FilesError
from router.keyfiles import require_private
from router.options import Kinds, expand, has_adapter, read_model
from router.parties import Originator
from router.ports import ADAPTERS, SOURCES, Options
from router.rules import Rules
from router.users import ServiceUsers
from router.yamlfile import Document, Location, Papers, Problem, read


def _ledger_url(url: str, info: ValidationInfo) -> str:
    if url.startswith(("postgresql", "postgres:")):
        raise ValueError("PostgreSQL comes in a later version; use sqlite:///FILE")
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path or path == ":memory:" or "?" in path:
        raise ValueError("must be sqlite:///FILE, such as sqlite:///hubherald.db")
    if not path.isprintable():
        raise ValueError("must not hold control characters")
    folder = info.context.get("folder") if isinstance(info.context, Mapping) else None
    return f"sqlite:///{Path(folder or '.') / path}"


def _address(listen: str) -> str:
    host, _, port = listen.rpartition(":")
    if not host.strip("[]") or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:9464")
    return listen


class LedgerOptions(Options):
    """Where facts, decisions and Alerts are kept."""

    # also the one that stands for a missing `ledger:` learns in which folder it is
    model_config = ConfigDict(revalidate_instances="always")

    url: Annotated[
        str,
        AfterValidator(_ledger_url),
        WithJsonSchema({"type": "string", "pattern": "^sqlite:///."}),
        Field(description="sqlite:///FILE; a relative FILE lies beside this file"),
    ] = "sqlite:///hubherald.db"


class DccOptions(Options):
    """Who the Alerts come from."""

    id: Annotated[UserId, Field(description="EUI-64 of the DCC (its test identity ends in 02)")]
    signing_key_file: Annotated[
        Path | None, Field(description="private key of the DCC, closed to others")
    ] = None
    signing_certificate_file: Annotated[
        Path | None, Field(description="the certificate of that key")
    ] = None

    @property
    def originator(self) -> Originator:
        """What adapters may know of it."""
        return Originator(self.id, self.signing_key_file, self.signing_certificate_file)


class OperationsOptions(Options):
    """The endpoint for metrics and health."""

    listen: Annotated[
        str,
        AfterValidator(_address),
        WithJsonSchema({"type": "string", "pattern": ".:[0-9]{1,5}$"}),
        Field(description="HOST:PORT; port 0 takes a free one"),
    ] = "127.0.0.1:9464"

    @property
    def host(self) -> str:
        """The address, without the brackets of IPv6."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port; 0 takes a free one."""
        return int(self.listen.rpartition(":")[2])


class ConfigFile(Options):
    """The whole of hubherald.yaml."""

    sources: Annotated[
        dict[Word, dict[str, Any]],
        Field(min_length=1, description="where facts come from: a name, and its adapter's options"),
    ]
    rules: Annotated[Path, Field(description="folder of the rules")] = Path("rules")
    service_users: Annotated[Path, Field(description="file of the Service Users")] = Path(
        "service_users.yaml"
    )
    ledger: LedgerOptions = LedgerOptions()
    dcc: DccOptions
    operations: OperationsOptions = OperationsOptions()
    watch: Annotated[bool, Field(description="reload when rules or users change")] = False


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """One source of facts, ready to be made."""

    adapter: str
    options: Options


@dataclass(frozen=True, slots=True)
class Settings:
    """hubherald.yaml alone: enough for commands that only look into the ledger."""

    file: Path
    sources: Mapping[str, ConfiguredSource]
    rules_folder: Path
    users_file: Path
    ledger: LedgerOptions
    dcc: DccOptions
    operations: OperationsOptions
    watch: bool


@dataclass(frozen=True, slots=True)
class Config(Settings):
    """All that the router runs on."""

    rules: Rules
    users: ServiceUsers
    warnings: Sequence[Problem] = ()
    """What works now but asks for somebody's hand, such as a certificate that is about to end."""


def settings(file: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read hubherald.yaml. FilesError has all its problems."""
    found, document = _settings(file, environment)
    if found is None:
        raise _error(document.problems)
    return found


def load(
    file: Path, environment: Mapping[str, str] = os.environ, *, lenient: bool = False
) -> Config:
    """Read hubherald.yaml, users and rules. FilesError has all problems of all of them.

    With `lenient`, keys and certificates that are of no use are warnings: each stops the lanes that
    need it, until it is mended, and must not keep a router from serving the others.
    """
    found, document = _settings(file, environment)
    if document.value is None:
        raise _error(document.problems)
    ours, theirs = document.papers, Papers()
    users, in_users = usersfile.load(_beside(document, "service_users"), environment, theirs)
    rules, in_rules = _rules(_beside(document, "rules"))
    if found is not None and users is not None:
        _hold_against_adapters(document, found, users)
    warnings = ours.warnings + theirs.warnings
    if lenient:
        warnings += ours.unfit + theirs.unfit
    elif ours.unfit or theirs.unfit:
        raise _error(document.problems + ours.unfit, in_users + theirs.unfit, in_rules)
    if found is None or users is None or rules is None:
        raise _error(document.problems, in_users, in_rules)
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    return Config(**own, rules=rules, users=users, warnings=warnings)


def _rules(folder: Path) -> tuple[Rules | None, list[Problem]]:
    try:
        return rulesfolder.load(folder)
    except OSError as error:
        return None, [Problem(Location(folder), f"cannot be read: {error.strerror}", Code.FILE)]


def _hold_against_adapters(document: Document, found: Settings, users: ServiceUsers) -> None:
    """What the channels' adapters need of `dcc:` and do not find there."""
    kinds = Kinds(ADAPTERS)
    named = {channel.adapter for user in users.by_id.values() for channel in user.channels}
    for adapter in map(kinds.introduced, sorted(named)):
        for unfit in adapter.unfit_originator(found.dcc.originator) if adapter else ():
            where = document.at("dcc", unfit.key)
            problem = Problem(where, f"{unfit.key}: {unfit.message}", Code.KEY_FILE)
            document.papers.add(problem, warning=unfit.warning)


def _error(*found: list[Problem]) -> FilesError:
    def place(problem: Problem) -> tuple[str, int, int]:
        where = problem.location
        return str(where.file), where.line, where.column

    return FilesError([problem for problems in found for problem in sorted(problems, key=place)])


def _beside(document: Document, key: str) -> Path:
    """The path at `key`, also in a file with mistakes elsewhere; else the usual one."""
    usual = ConfigFile.model_fields[key].default
    given = document.value.get(key) if isinstance(document.value, dict) else None
    path = given if isinstance(given, str) and given.isprintable() else usual
    return document.file.parent / path


def _settings(file: Path, environment: Mapping[str, str]) -> tuple[Settings | None, Document]:
    document = read(file)
    if document.value is None:
        if not file.exists():
            document.problems[:] = []
            hint = "`hubherald init DIR` writes one, --config FILE names another"
            document.add(document.location(0, 0), f"there is no such file; {hint}", Code.FILE)
        elif not document.problems:
            message = "nothing stands in this file; `hubherald schema config` has its keys"
            document.add(document.location(0, 0), message, Code.EMPTY)
        return None, document
    expand(document, environment)
    sources = _sources(document)
    _check_signing_key(document)
    found = read_model(document, ConfigFile, document.value)
    if found is None or document.problems:
        return None, document
    return Settings(
        file=file,
        sources=sources,
        rules_folder=found.rules,
        users_file=found.service_users,
        ledger=found.ledger,
        dcc=found.dcc,
        operations=found.operations,
        watch=found.watch,
    ), document


def _sources(document: Document) -> dict[str, ConfiguredSource]:
    value = document.value
    given = value.get("sources") if isinstance(value, dict) else None
    kinds = Kinds(SOURCES)
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


def _check_signing_key(document: Document) -> None:
    value = document.value.get("dcc") if isinstance(document.value, dict) else None
    given = value.get("signing_key_file") if isinstance(value, dict) else None
    if not isinstance(given, str):
        return
    try:
        require_private(document.file.absolute().parent / given)
    except ValueError as error:
        where = document.at("dcc", "signing_key_file")
        problem = Problem(where, f"signing_key_file: {error}", Code.KEY_FILE)
        document.papers.add(problem, warning=False)
