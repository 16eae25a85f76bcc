"""The rules of the house that a machine can hold us to."""

import ast
import importlib.util
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = ("router", "adapters", "dashboards", "deploy", "tests", "benchmarks")
SOURCES = sorted(file for folder in CODE for file in (ROOT / folder).rglob("*.py"))
TEXTS = sorted(
    file
    for folder in (*CODE, "rules", ".ci")
    for file in (ROOT / folder).rglob("*")
    if file.is_file() and "__pycache__" not in file.parts
) + [file for file in ROOT.iterdir() if file.is_file() and ".db" not in file.name]


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_the_installed_version_is_the_one_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert metadata.version("hubherald") == project["version"]


def test_the_changelog_knows_the_version() -> None:
    version = metadata.version("hubherald")
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text()


def test_a_module_says_why_it_exists() -> None:
    assert [named(file) for file in SOURCES if not ast.get_docstring(parsed(file))] == []


def test_a_file_is_one_noun() -> None:
    lengths = {named(file): len(file.read_text().splitlines()) for file in SOURCES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}


def test_a_name_says_something() -> None:
    empty = {"utils", "helpers", "manager", "base", "common"}
    assert [
        named(file) for file in SOURCES if empty & {*Path(named(file)).with_suffix("").parts}
    ] == []


def meaning(file: Path) -> Iterator[tuple[str, int]]:
    """The classes of a module and its public aliases of types, with their lines."""
    tree = parsed(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_"), node.lineno
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if re.fullmatch(r"[A-Z]\w*[a-z]\w*", name) and not isinstance(node.value, ast.Call):
                yield name, node.lineno


def test_one_word_means_one_thing() -> None:
    """No two classes or aliases of one name; migrations and tests have words of their own."""
    places = defaultdict(list)
    for file in SOURCES:
        if file.is_relative_to(ROOT / "router") or file.is_relative_to(ROOT / "adapters"):
            for name, line in meaning(file):
                places[name].append(f"{named(file)}:{line}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_one_place_shows_text_and_one_ends_commands() -> None:
    shows = re.compile(r"\bclick\.(?:echo|secho|style)\b|\bsys\.exit\b|(?<![\w.])print\(")
    places = [*(ROOT / "router" / "cli").glob("*.py")]
    assert {named(file) for file in places if shows.search(file.read_text())} == {
        "router/cli/__init__.py",
        "router/cli/printing.py",
    }


# --- documents ------------------------------------------------------------------------------

DOCUMENTS = [
    *ROOT.glob("*.md"),
    *(file for folder in CODE for file in (ROOT / folder).rglob("*.md")),
]
PACKAGES = sorted(file.parent for file in (ROOT / "router").glob("*/__init__.py"))


def test_every_package_is_named_once() -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text().partition("## The packages")[2]
    rows = re.findall(r"^\| `([a-z/]+)` \|", table.partition("\n## ")[0], re.MULTILINE)
    assert sorted(rows) == [named(package) for package in PACKAGES]


def test_the_architecture_is_read_in_ten_minutes() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 120


def test_what_a_document_names_is_there() -> None:
    """Files and folders by their path, modules beside the document by their name."""
    path = re.compile(
        rf"(?<![\w./<{{*-])(?:(?:{'|'.join(CODE)})/[\w./-]*\w|[\w/]+\.py)\b(?![*<{{])"
    )
    missing = [
        f"{named(file)}: {found}"
        for file in DOCUMENTS
        for found in path.findall(file.read_text())
        if not (ROOT / found).exists() and not (file.parent / found).exists()
    ]
    assert missing == []


FORMER = (
    "allowlist|asking|choosing|counting|crew|expectation|fitting|glance|intakeboard|inventoryfiles|"
    "laneboard|lanevalues|ledgerboard|leeway|pace|paths|pulse|reach|rulesfolder|ruletest|"
    "ruletestfile|scene|standing|telling|whenline|wording"
)
"""What modules were called before they had packages; those that are common words left out."""


def test_no_document_names_a_module_of_former_days() -> None:
    old = re.compile(rf"`(?:[\w/.]*[/.])?(?:{FORMER})(?:\.\w+)?`")
    assert [
        f"{named(file)}: {found}" for file in DOCUMENTS for found in old.findall(file.read_text())
    ] == []


def test_what_a_document_names_of_the_code_is_there() -> None:
    """`router.ports.Introduced` and the like: a module, or a name in one."""
    missing = []
    for file in DOCUMENTS:
        for found in re.findall(r"`((?:router|adapters)(?:\.\w+)+)(?<!\.py)\b", file.read_text()):
            module, _, name = found.rpartition(".")
            if importlib.util.find_spec(module) is None or not (
                hasattr(importlib.import_module(module), name) or importlib.util.find_spec(found)
            ):
                missing.append(f"{named(file)}: {found}")
    assert missing == []


def test_what_a_module_names_is_there() -> None:
    there = [named(file) for file in SOURCES]
    missing = [
        f"{named(file)}: {found}"
        for file in SOURCES
        for found in re.findall(r"[\w/]+\.py\b", ast.get_docstring(parsed(file)) or "")
        if not any(f"/{each}".endswith(f"/{found}") for each in there)
    ]
    assert missing == []


# --- tests ----------------------------------------------------------------------------------

WHOLES = {"journeys", "dashboards", "deploy", "benchmarks"}
"""Folders of tests on more than one package, or on what stands beside the code."""


def test_tests_mirror_the_packages() -> None:
    """A test is found where what it tests is found: tests/lanes for router/lanes."""
    astray = []
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        folder = file.parent.relative_to(ROOT / "tests")
        whole = folder.parts[:1] and folder.parts[0] in WHOLES
        package = ROOT / folder if folder.parts[:1] == ("adapters",) else ROOT / "router" / folder
        if not whole and not (package / "__init__.py").is_file():
            astray.append(named(file))
    assert astray == []


def test_every_package_has_tests() -> None:
    assert [
        named(package)
        for package in PACKAGES
        if not any((ROOT / "tests" / package.name).rglob("test_*.py"))
    ] == []


def test_every_test_runs() -> None:
    """A test that is skipped where something is missing proves nothing there."""
    skips = ("skip", "skipif", "xfail", "importorskip")
    assert [
        f"{named(file)}:{node.lineno}"
        for file in SOURCES
        if file.is_relative_to(ROOT / "tests")
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Attribute) and node.attr in skips
    ] == []


def test_a_clone_stands_alone() -> None:
    outside = "/".join(["..", "shared"])
    assert [named(file) for file in TEXTS if outside in file.read_text(errors="replace")] == []


def test_lock_files_name_no_registry() -> None:
    locks = sorted(ROOT.glob("requirements*.lock"))
    assert locks
    assert [named(file) for file in locks if "://" in file.read_text()] == []


def test_no_helper_hides_a_module_of_python() -> None:
    """A program that lies beside it would import it in its place."""
    beside = [*(ROOT / "tests" / "support").iterdir(), *(ROOT / "benchmarks").rglob("*.py")]
    assert [each.name for each in beside if each.stem in sys.stdlib_module_names] == []
