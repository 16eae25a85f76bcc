"""`hubherald explain`: decide about one activation without sending."""

from __future__ import annotations

from codecs import BOM_UTF8
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from router.cli.context import ledger, now, rules_folder, whole
from router.cli.ending import Listed
from router.cli.naming import with_names
from router.cli.printing import as_json, line, output
from router.errors import FilesError, UsageError
from router.files.redaction import escaped
from router.files.suggestions import did_you_mean

if TYPE_CHECKING:
    from router.deciding.batch import Known
    from router.domain.acceptance import Acceptance
    from router.domain.facts import Activation, Fact
    from router.files.document import Document
    from router.workbench.explaining import Explanation


@click.command("explain")
@click.argument("file", metavar="FILE", type=click.File("rb"))
@click.option("--test", "test", metavar="NAME", help="Which test, where FILE has several.")
@output
@click.pass_obj
def command(config_file: Path, file: BinaryIO, test: str | None, output: str) -> None:
    """Decide about one activation without sending or recording anything.

    Says for each recipient what is decided and by which rule, and of every rule which of its
    conditions hold (+) or fail (-), and the value that each of them saw.

    FILE is a fact (a CloudEvent in JSON), decided now on what the ledger knows about the hub; or
    YAML in the form of a test of rules (`given:` and `at:`), and then no ledger is asked. Users
    that it does not give are those of the service users file. A *.test.yaml will do, too.
    `-` is standard input.

    \b
    Example:
      hubherald explain fact.json
      head -1 inbox/facts.jsonl | hubherald explain -
      hubherald explain what-if.yaml
      hubherald explain rules/suppressions.test.yaml --test 'a pending hub is not announced'
    """
    from router.cli.explanation import rows, tell
    from router.files.yamlfile import MAX_BYTES
    from router.files.yamlfile import parse as parse_yaml
    from router.workbench.ruletests import what_if

    name, raw = getattr(file, "name", "-"), whole(file, MAX_BYTES)
    document = parse_yaml(raw, Path(name))
    notes: list[str] = []
    if what_if.is_what_if(document) or not (name.endswith(".json") or _is_json(raw)):
        found = _of_what_if(config_file, document, _chosen(document, test))
    elif test is not None:
        raise click.UsageError(f"--test is for files of tests; {name} is a fact")
    else:
        found, notes = _of_fact(config_file, _fact(name, raw))
    if output == "json":
        as_json(with_names(rows(found)))
        return
    for note in notes:
        line(f"note: {note}")
    tell(found)


def _is_json(raw: bytes) -> bool:
    """Whether it is meant as a fact, or a batch; in an empty file a fact is missing, too."""
    from router.domain.wrapping import GZIP

    return raw.startswith(GZIP) or raw.removeprefix(BOM_UTF8).strip()[:1] in {b"{", b"[", b""}


# --- what the file gives --------------------------------------------------------------------


def _chosen(document: Document, wanted: str | None) -> int | None:
    """The number of the test that is wanted; None where the file holds no tests."""
    from router.workbench.ruletests import what_if

    names = what_if.tests(document)
    if wanted is not None and wanted not in names:
        meant = did_you_mean(wanted, names)
        raise click.UsageError(f"there is no test {wanted!r} in {document.file}{meant}")
    if wanted is None and len(names) > 1:
        listed = "\n".join(f"  {escaped(name)}" for name in names)
        file = escaped(str(document.file))
        raise Listed(f"{file} has {len(names)} tests; say which with --test NAME:\n{listed}")
    return names.index(wanted) if wanted is not None else (0 if names else None)


def _of_what_if(config_file: Path, document: Document, number: int | None) -> Explanation:
    from router.config.loading import load
    from router.language.folder import load as load_rules
    from router.workbench.explaining import explain
    from router.workbench.ruletests import what_if

    rules, problems = load_rules(rules_folder(config_file))
    if rules is None:
        raise FilesError(problems)
    found = what_if.load(document, rules, number)
    if found is None:
        raise FilesError(document.problems)
    given = found.given
    return explain(
        given.activation,
        given.home,
        rules=rules.without(found.without),
        users=given.service_users or load(config_file).users.by_id,
        now=found.at,
    )


# --- what the ledger knows ------------------------------------------------------------------


def _fact(name: str, raw: bytes) -> Fact:
    from router.domain.facts import Activation, Defect, parse

    fact = parse(raw)
    if isinstance(fact, Defect):
        raise UsageError(f"{name}: {fact.reason}: {fact.detail}")
    if not isinstance(fact.data, Activation):
        raise UsageError(f"{name}: {fact.data.type} changes the inventory; nothing is decided")
    return fact


def _of_fact(config_file: Path, fact: Fact) -> tuple[Explanation, list[str]]:
    """What would be decided now, and what the ledger has to say besides."""
    from router.config.loading import load
    from router.domain.facts import Activation
    from router.ledger.intake import look_up
    from router.workbench.explaining import explain

    activation = fact.data
    assert isinstance(activation, Activation)
    config = load(config_file)
    with ledger(config_file) as database, database.transaction() as connection:
        known = look_up(connection, [fact])
    if activation.device_id not in known.inventory.hubs:
        raise UsageError(
            f"hub {activation.device_id} is not in the inventory: this fact would wait in "
            f"quarantine as unknown_hub; see `hubherald inventory import`"
        )
    home, at = known.inventory.home(activation.device_id), now()
    found = explain(activation, home, rules=config.rules, users=config.users.by_id, now=at)
    return found, _notes(fact, activation, known) or _waits(fact, known, config.facts, at)


def _waits(fact: Fact, known: Known, acceptance: Acceptance, at: datetime) -> list[str]:
    """Why the router would not decide it now."""
    if ahead := fact.ahead(at, acceptance.clock_tolerance):
        return [f"{ahead}: the router would put it in quarantine as invalid"]
    if not known.inventory.was_registered(fact.data.device_id) and acceptance.await_registration:
        from router.domain.timestamps import lasting

        term = lasting(acceptance.await_registration)
        return [f"the hub never had a registration: the fact would wait {term} for the first"]
    return []


def _notes(fact: Fact, activation: Activation, known: Known) -> list[str]:
    """What the router would do with the fact itself, now that the ledger knows what it knows."""
    from router.deciding.batch import activation_key

    why = f"see `hubherald why --hub {activation.device_id}` for what was decided then"
    taken = known.taken.get(fact.key)
    if taken not in {None, fact.content_digest}:
        return [f"the ledger has another fact of this id: this one would go to quarantine; {why}"]
    if taken is not None:
        return [f"the ledger has this fact; {why}"]
    if activation_key(activation) in known.activations:
        return [f"the ledger has this activation under another id; {why}"]
    return []
