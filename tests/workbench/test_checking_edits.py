"""Whatever stands in the files: `check` tells what is wrong, or what it finds right works."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.rulemaking import real_candidates
from support.slips import documents, slips

from router.config.loading import load as load_config
from router.deciding.engine import Engine, EngineAnomaly
from router.errors import FilesError
from router.language.fields import Value
from router.language.rules import Rules
from router.workbench import starter
from router.workbench.checking import Checked, check
from router.workbench.ruletests.runner import run as run_tests

pytestmark = pytest.mark.once

FILES = starter.files()
RULES = [Path("rules/alerts.yaml"), Path("rules/suppressions.yaml")]
TESTS = [Path("rules/alerts.test.yaml"), Path("rules/suppressions.test.yaml")]
OTHERS = [Path("hubherald.yaml"), Path("service_users.yaml")]
Candidates = list[dict[str, Value]]
CANDIDATES = st.lists(real_candidates(), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A starter; one file of it is edited, and put back before the next edit."""
    folder = tmp_path_factory.mktemp("edited")
    starter.write(folder)
    return folder


def edited(*paths: Path) -> st.SearchStrategy[tuple[Path, bytes]]:
    """One of these files of the starter, and what slips made of it."""
    return st.sampled_from(paths).flatmap(lambda path: st.tuples(st.just(path), slips(FILES[path])))


def checked(folder: Path, path: Path, text: bytes) -> Checked:
    """What check says with this text in the file; all of it can be shown, and `load` agrees."""
    for each in (*RULES, *OTHERS):
        (folder / each).write_bytes(FILES[each])
    for each in TESTS:
        (folder / each).unlink(missing_ok=True)
    (folder / path).write_bytes(text)
    found = check(folder / "hubherald.yaml", {})
    for problem in (*found.problems, *found.warnings):
        assert problem.head.isprintable()
        assert problem.render()
    if found.config is None:
        assert found.problems
        with pytest.raises(FilesError):
            load_config(folder / "hubherald.yaml", {})
    else:
        assert load_config(folder / "hubherald.yaml", {}) == found.config
    return found


def decide(rules: Rules, candidates: Candidates) -> None:
    """The engine takes the rules, and decides as the second opinion does."""
    with closing(Engine(rules)) as engine:
        decided = engine.evaluate([{}, *candidates])
        assert not any(isinstance(each, EngineAnomaly) for each in decided)
        assert engine.rebuilds == 0


@settings(max_examples=150)
@given(edit=edited(*RULES), candidates=CANDIDATES)
def test_rules_after_slips(folder: Path, edit: tuple[Path, bytes], candidates: Candidates) -> None:
    found = checked(folder, *edit)
    if found.config is not None:
        decide(found.config.rules, candidates)


@given(edit=edited(*TESTS))
def test_tests_of_rules_after_slips(folder: Path, edit: tuple[Path, bytes]) -> None:
    found = checked(folder, *edit)
    assert found.config is not None
    if not found.problems:
        report = run_tests(found.config.rules, [folder / edit[0]])
        assert not report.problems
        assert report.results


@given(edit=edited(*OTHERS))
def test_configuration_and_users_after_slips(folder: Path, edit: tuple[Path, bytes]) -> None:
    checked(folder, *edit)


@given(path=st.sampled_from([*RULES, *TESTS, *OTHERS]), text=documents() | st.binary(max_size=80))
def test_files_that_never_were_right(folder: Path, path: Path, text: bytes) -> None:
    checked(folder, path, text)
