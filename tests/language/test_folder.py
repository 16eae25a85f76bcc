"""Tests of reading rules: everything wrong in every file at once, each at its place."""

from __future__ import annotations

import hashlib
import pickle
import textwrap
from pathlib import Path
from typing import Any

import pytest
from support.rulemaking import read, rule, said, shipped, write

from router.language.conditions import AllOf, AnyOf, Not
from router.language.folder import MOST_FILES
from router.language.folder import load as load_rules
from router.language.rule_reader import DEEPEST


def file(folder: Path, text: str, name: str = "rules.yaml") -> Path:
    place = folder / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(textwrap.dedent(text))
    return folder


def problems(folder: Path) -> list[str]:
    found, wrong = load_rules(folder)
    assert found is None
    return said(wrong)


# --- what is right --------------------------------------------------------------------------


def test_a_rule_as_operators_write_it(tmp_path: Path) -> None:
    text = """\
        rules:
          - name: only-pilots   # a comment
            description: New hubs first.
            when:
              - 'activation.outcome == "success"'
              - any:
                  - hub.groups has "pilot"
                  - not:
                      - hub.csp_region in ["North", "South"]
                      - all: [hub.model exists]
            suppress: only pilots are told
        """
    found, wrong = load_rules(file(tmp_path, text))
    assert wrong == []
    assert found is not None
    (only,) = found.rules
    assert (only.name, only.description) == ("only-pilots", "New hubs first.")
    assert (only.alert, only.suppress) == (None, "only pilots are told")
    assert only.location.line == 2
    either = only.when.parts[1]
    assert isinstance(either, AnyOf)
    negated = either.parts[1]
    assert isinstance(negated, Not)
    assert isinstance(negated.part, AllOf)
    assert found.fields == {"activation.outcome", "hub.groups", "hub.csp_region", "hub.model"}


def test_rules_come_in_the_order_of_paths_and_then_lines(tmp_path: Path) -> None:
    write(tmp_path / "b", rule(["hub.model exists"], "third"))
    write(tmp_path, rule(["hub.model exists"], "fourth"), file="c.yaml")
    write(
        tmp_path,
        rule(["hub.model exists"], "first"),
        rule(["hub.model exists"], "second"),
        file="a.yaml",
    )
    found, _ = load_rules(tmp_path)
    assert found is not None
    assert [each.name for each in found.rules] == ["first", "second", "third", "fourth"]
    assert list(found.files) == ["a.yaml", "b/rules.yaml", "c.yaml"]


def test_tests_hidden_and_other_files_are_no_rules(tmp_path: Path) -> None:
    only = read(tmp_path, rule(["hub.model exists"]))
    for name in ("rules.test.yaml", ".rules.yaml", ".git/rules.yaml", "README.md", "rules.yaml~"):
        file(tmp_path, "not: rules", name)
    again, wrong = load_rules(tmp_path)
    assert wrong == []
    assert again == only


def test_the_digest_is_that_of_the_text_and_changes_with_it(tmp_path: Path) -> None:
    one = read(tmp_path, rule(["hub.model exists"]))
    assert one.digest == hashlib.sha256(one.text.encode()).hexdigest()
    (tmp_path / "rules.yaml").write_text((tmp_path / "rules.yaml").read_text() + "# a comment\n")
    other, _ = load_rules(tmp_path)
    assert other is not None
    assert other.digest != one.digest
    (tmp_path / "rules.yaml").rename(tmp_path / "other.yaml")
    renamed, _ = load_rules(tmp_path)
    assert renamed is not None
    assert renamed.digest not in {one.digest, other.digest}


def test_rules_can_be_handed_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(shipped())) == shipped()


# --- what is wrong --------------------------------------------------------------------------


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    file(
        tmp_path,
        """\
        rules:
          - name: Bad Name
            wen: [x]
            when:
              - activation.outcome == "succes"
              - "hub.modle == 'x'"
            alert: n64
          - name: a
            when: []
            alert: N64
            suppress: why
        """,
        "one.yaml",
    )
    file(tmp_path, "rules: [{name: a, when: [hub.model exists], alert: 64}]\nrule: 1\n", "two.yaml")
    file(tmp_path, "rules: [", "three.yaml")
    found = problems(tmp_path)
    assert found == [
        "3:5 'wen' means nothing here; did you mean 'when'?",
        "2:11 name: must be at most 80 lower case letters, digits and hyphens, no hyphen first",
        "7:12 alert: must be a code of at most 10 capital letters and digits, such as N64",
        "5:31 activation.outcome is never 'succes'; did you mean 'success'?",
        "6:10 there is no field 'hub.modle'; did you mean 'hub.model'?",
        "11:5 a rule has either `alert:` or `suppress:`; both are there",
        "9:11 when: must be a list of conditions, each with a dash",
        "1:9 the bracket of line 1 is not closed",
        "2:1 'rule' means nothing here; did you mean 'rules'?",
        f"1:16 a rule named 'a' stands already in {tmp_path / 'one.yaml'}, line 8",
        '1:52 alert: must be text; quote it: "64"',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1:1 no rules in this file; it begins with `rules:`"),
        ("# nothing\n", "1:1 no rules in this file"),
        ("[]", "1:1 must begin with `rules:`"),
        ("rules: []", "1:8 `rules:` must be a list with at least one rule"),
        ("rules: {a: b}", "1:8 `rules:` must be a list"),
        ("ruls: []", "1:1 'ruls' means nothing here; did you mean 'rules'?"),
        ("rules: [5]", "1:9 a rule has `name:`, `when:` and either"),
        ("rules: [{when: [hub.model exists], alert: N64}]", "1:9 'name' is needed here"),
        ("rules: [{name: a, alert: N64}]", "1:9 'when' is needed here"),
        ("rules: [{name: a, when: [hub.model exists]}]", "1:9 a rule has either `alert:`"),
        (
            "rules: [{name: 5, when: [hub.model exists], alert: N64}]",
            '1:16 name: must be text; quote it: "5"',
        ),
        ("rules: [{name: a, when: x, alert: N64}]", "1:25 when: must be a list of conditions"),
        ("rules: [{name: a, when: [5], alert: N64}]", "1:26 a condition is one line of text"),
        (
            "rules: [{name: a, when: [{nto: []}], alert: N64}]",
            "'nto' means nothing here; did you mean 'not'",
        ),
        ("rules: [{name: a, when: [{not: []}], alert: N64}]", "1:32 not: must be a list"),
        (
            "rules: [{name: a, when: [{}], alert: N64}]",
            "1:26 a condition is one line of text",
        ),
        ('rules:\n- name: a\n  when:\n  - hub.model == "a: b"\n  alert: N64', "YAML takes ': '"),
        (
            'rules:\n- name: a\n  when:\n  - hub.model == "a # b"\n  alert: N64',
            "4:18 the quotes are",
        ),
        (
            "rules: [{name: a, when: [hub.model exists], suppress: ' '}]",
            "suppress: must be text; nothing stands there",
        ),
        (
            "rules: [{name: a, when: [hub.model exists], suppress: [a]}]",
            "1:55 suppress: must be text",
        ),
        (
            "rules: [{name: a, when: [hub.model exists], alert: N64, description: 5}]",
            "description: must",
        ),
        ("rules: [{name: &x a, when: [hub.model exists], alert: N64}]", "anchors and aliases"),
    ],
)
def test_one_mistake(tmp_path: Path, text: str, message: str) -> None:
    found = problems(file(tmp_path, text))
    assert any(message in each for each in found), found


@pytest.mark.parametrize(
    ("written", "column"),
    [
        ("hub.model == x", 18),
        ("'hub.model == x'", 19),
        ('"hub.model == x"', 19),
        ('"hub.model \\u003d= x"', 5),
        ("'hub.model == \"it''s'", 5),
        ("|\n      hub.model == x", 5),
        ("hub.model\n      == x", 5),
    ],
)
def test_a_mistake_in_a_line_is_told_at_its_column(
    tmp_path: Path, written: str, column: int
) -> None:
    """Where the source is not the text itself, at the beginning of the line."""
    folder = file(tmp_path, f"rules:\n- name: a\n  when:\n  - {written}\n  alert: N64\n")
    (found,) = problems(folder)
    assert found.startswith(f"4:{column} ")


def test_too_large_conditions_are_told_at_their_key(tmp_path: Path) -> None:
    models, regions = (
        {"any": [f'{field} == "{number}"' for number in range(9)]}
        for field in ("hub.model", "hub.csp_region")
    )
    (found,) = problems(write(tmp_path, rule([models, regions])))
    assert "when: more than 64 alternatives (`any:` times `any:`)" in found


def test_groups_can_stand_in_groups_but_not_for_ever(tmp_path: Path) -> None:
    def nested(depth: int) -> Any:
        return "hub.model exists" if depth == 0 else {"not": [nested(depth - 1)]}

    read(tmp_path, rule([nested(DEEPEST)]))
    (found,) = problems(write(tmp_path, rule([nested(DEEPEST + 1)])))
    assert "nested too deeply" in found


def test_a_folder_without_rules_is_a_mistake(tmp_path: Path) -> None:
    assert problems(tmp_path) == ["1:1 no rules (*.yaml) in this folder: nobody would be told"]
    assert problems(tmp_path / "none") == ["1:1 cannot be read: No such file or directory"]
    assert "no rules" in problems(file(tmp_path, "tests: []", "a.test.yaml"))[0]
    assert problems(Path("a\0b")) == ["1:1 cannot be read: not the name of a folder"]
    plain = tmp_path / "plain"
    plain.write_text("rules")
    assert problems(plain)[0].startswith("1:1 cannot be read: Not a directory")


def test_files_that_would_be_overlooked_are_told(tmp_path: Path) -> None:
    read(tmp_path, rule(["hub.model exists"]))
    file(tmp_path, "rules: []", "more.yml")
    assert problems(tmp_path) == ["1:1 would not be read; give its name the ending .yaml"]


def test_not_all_disks_are_searched(tmp_path: Path) -> None:
    read(tmp_path, rule(["hub.model exists"]))
    for number in range(MOST_FILES):
        (tmp_path / f"{number}.txt").touch()
    assert problems(tmp_path) == ["1:1 more than 10,000 files below; is this the folder of rules?"]


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    read(tmp_path, rule(["hub.model exists"]))
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    (tmp_path / "latin.yaml").write_bytes(b"rules: \xe4")
    assert len(problems(tmp_path)) == 2


def test_links_to_folders_are_followed_and_lead_nowhere_twice(tmp_path: Path) -> None:
    folder, volume = tmp_path / "rules", tmp_path / "volume"
    file(volume, "rules: [{name: linked, when: [hub.model exists], alert: N64}]")
    folder.mkdir()
    (folder / "more").symlink_to(volume)
    (folder / "again").symlink_to(folder)
    (volume / "up").symlink_to(folder)
    found, wrong = load_rules(folder)
    assert wrong == []
    assert found is not None
    assert len(found.rules) == 1
