"""What an editor makes of our schemas: the language server of VS Code's YAML extension says it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from support.commandline import call
from support.editor import Editor, editing
from support.estate import ROOT

from router.language.fields import FIELDS, FieldKind
from router.workbench import starter

pytestmark = pytest.mark.once

LINE = "# yaml-language-server: $schema="
RULES = """\
rules:
  - name: a-rule
    description: it waits
    when:
      - activation.outcome == "success"
      - hub.groups has "pilot"
      - any:
          - recipient.role == "gas_supplier"
          - not:
              - hub.model startswith "CH"
    alert: N64
"""


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    with editing() as started:
        yield started


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the schemas, as `hubherald schema` prints them."""
    for what in ("rules", "users", "config"):
        done = call("schema", what)
        assert done.exit_code == 0
        Draft202012Validator.check_schema(json.loads(done.stdout))
        (tmp_path / f"{what}.json").write_text(done.stdout)
    return tmp_path


def written(folder: Path, what: str, text: str) -> Path:
    """A file that asks for a schema with the one line that the README gives; each has its name."""
    file = folder / f"{what}-{len(list(folder.iterdir()))}.yaml"
    file.write_text(f"{LINE}{what}.json\n{text}")
    return file


def test_a_right_file_has_no_marks(editor: Editor, folder: Path) -> None:
    assert editor.open(written(folder, "rules", RULES)) == []


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_field_is_explained_where_it_stands(editor: Editor, folder: Path, name: str) -> None:
    file = folder / f"{name}.yaml"
    text = RULES.replace('hub.model startswith "CH"', f"{name} exists")
    file.write_text(f"{LINE}rules.json\n{text}")
    assert editor.open(file) == []
    said = editor.hover(file, f"{name} exists")
    assert FIELDS[name].description in said
    others = [each.description for each in FIELDS.values() if each.name != name]
    assert not [other for other in others if other in said]


def test_keys_are_explained(editor: Editor, folder: Path) -> None:
    file = written(folder, "rules", RULES)
    editor.open(file)
    assert "every line must hold" in editor.hover(file, "when:")
    assert "unique among all rules" in editor.hover(file, "name:")
    assert "such as N64" in editor.hover(file, "alert:")


def test_every_field_is_offered_with_what_it_means(editor: Editor, folder: Path) -> None:
    text = RULES.replace("    alert:", "      - \n    alert:")
    file = written(folder, "rules", text)
    editor.open(file)
    offered = editor.complete(file, '"CH"\n      - ')
    assert offered.keys() >= FIELDS.keys() | {"any", "all", "not"}
    for name, field in FIELDS.items():
        assert offered[name]["documentation"] == field.description
        assert offered[name]["insertText"].startswith(f"{name} ")
    assert offered["hub.status"]["insertText"].startswith('hub.status == "${1|Pending,')
    assert offered["hub.groups"]["insertText"] == 'hub.groups has "${1}"'


def test_what_is_offered_is_a_right_line(editor: Editor, folder: Path) -> None:
    file = written(folder, "rules", RULES.replace("    alert:", "      - \n    alert:"))
    editor.open(file)
    offered = editor.complete(file, '"CH"\n      - ')
    rules = folder / "rules"
    rules.mkdir()
    lines = []
    for name, field in FIELDS.items():
        body = offered[name]["insertText"]
        first = next(iter(field.values), "true")
        fill = {FieldKind.ID: "90-B3-D5-1F-30-01-00-00", FieldKind.VERSION: "1.0"}.get(
            field.kind, "x"
        )
        chosen = body.replace("${1}", fill).replace("${1|" + ",".join(field.values) + "|}", first)
        lines.append(chosen.replace("${1|true,false|}", "true"))
    text = "".join(
        f"  - name: rule-{number}\n    when:\n      - {line}\n    alert: N64\n"
        for number, line in enumerate(lines)
    )
    (rules / "all.yaml").write_text("rules:\n" + text)
    assert call("init", folder / "mine").exit_code == 0
    shutil.rmtree(folder / "mine" / "rules")
    rules.rename(folder / "mine" / "rules")
    found = json.loads(call("check", "-o", "json", folder=folder / "mine").stdout)
    assert [each for each in found if each["code"] != "nobody"] == []


def test_keys_are_offered(editor: Editor, folder: Path) -> None:
    file = written(folder, "rules", RULES + "  - name: another\n    \n")
    editor.open(file)
    offered = editor.complete(file, "another\n    ")
    assert offered.keys() >= {"description", "when", "alert", "suppress"}


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        ("hub.groups has", "hub.group has", 7),
        ("when:", "wen:", 3),
        ("alert: N64", "alert: n64", 12),
        ("a-rule", "A Rule", 3),
        ("any:", "some:", 8),
    ],
)
def test_a_mistake_is_marked_where_it_stands(
    editor: Editor, folder: Path, right: str, wrong: str, line: int
) -> None:
    marks = editor.open(written(folder, "rules", RULES.replace(right, wrong, 1)))
    assert marks
    assert any(mark.startswith(f"{line}: ") for mark in marks) or line == 3, marks


def test_a_wrong_field_is_told_what_a_line_begins_with(editor: Editor, folder: Path) -> None:
    marks = editor.open(written(folder, "rules", RULES.replace("hub.groups", "hub.group")))
    assert [mark.partition(" ")[0] for mark in marks] == ["7:"]
    assert "begins with one of the fields" in marks[0]


def test_the_files_that_come_with_hubherald_have_no_marks(editor: Editor, folder: Path) -> None:
    for path, content in starter.files().items():
        what = {"hubherald.yaml": "config", "service_users.yaml": "users"}.get(path.name)
        if path.parts[0] == "rules" and path.suffix == ".yaml" and ".test" not in path.name:
            what = "rules"
        if what is not None:
            file = folder / f"{path.stem}.yaml"
            file.write_text(f"{LINE}{what}.json\n{content.decode()}")
            assert editor.open(file) == [], path
    assert (ROOT / "rules" / "alerts.yaml").exists()


USERS = """\
service_users:
  - id: 90-B3-D5-1F-30-01-00-01
    name: Acme Energy
    roles: [import_supplier]
    channels:
      - adapter: webhook
        url: https://acme.example/alerts
        secret_file: acme.secret
        window: 4
"""
CONFIG = """\
sources:
  drop:
    adapter: folder
    path: inbox/
dcc:
  id: 90-B3-D5-1F-30-00-00-02
watch: true
"""


def test_users_are_explained_and_completed(editor: Editor, folder: Path) -> None:
    file = written(folder, "users", USERS)
    assert editor.open(file) == []
    assert "for people" in editor.hover(file, "name:")
    assert "strict order" in editor.hover(file, "window:")
    assert "what it is to homes" in editor.hover(file, "roles:")
    more = written(folder, "users", USERS.replace("    channels:", "    \n    channels:"))
    editor.open(more)
    offered = editor.complete(more, "supplier]\n    ")
    assert offered.keys() >= {"status", "subscriptions", "duis_version"}


def test_config_is_explained_and_completed(editor: Editor, folder: Path) -> None:
    file = written(folder, "config", CONFIG)
    assert editor.open(file) == []
    assert "reload when rules or users change" in editor.hover(file, "watch:")
    more = written(folder, "config", CONFIG + "\n")
    editor.open(more)
    assert editor.complete(more, "watch: true\n").keys() >= {"rules", "service_users", "ledger"}
    assert editor.open(written(folder, "config", CONFIG.replace("watch", "wach")))
