"""Large files, right and broken: what they cost and how much is said of them is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.commandline import call
from support.estate import S1, SUPPLIER, Estate
from support.steps import counted

from router.config import usersfile
from router.deciding.trial import trial
from router.errors import EngineError, FilesError
from router.files.problems import LONGEST, MOST
from router.language import budget
from router.language.folder import MOST_TEXT, load, read
from router.service.reloading import _problems


def users(number: int, options: str) -> str:
    entries = "".join(
        f"  - {{id: 90-B3-D5-1F-30-01-{each // 256:02X}-{each % 256:02X}, name: User,"
        f" roles: [gas_supplier], channels: [{{adapter: webhook, url: 'https://a.example/',"
        f" {options}}}]}}\n"
        for each in range(number)
    )
    return f"service_users:\n{entries}"


@pytest.mark.parametrize(
    "options",
    ["secret: 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz'", "secret: short", "ca_file: none"],
)
def test_four_times_the_users_are_four_times_the_work(tmp_path: Path, options: str) -> None:
    file = tmp_path / "service_users.yaml"

    def work(number: int) -> int:
        file.write_text(users(number, options))
        return counted(lambda: usersfile.load(file, {}))

    work(1)
    few, many = work(60), work(240)
    assert many < 5 * few, (few, many)


def rules(number: int, *, groups: int = 6) -> str:
    """Rules of `any:` times `any:`: 2 to the power of `groups` alternatives each."""
    lines = ["rules:"]
    for each in range(number):
        lines.append(f"  - name: r{each}\n    alert: N64\n    when:")
        for group in range(groups):
            lines.append("      - any:")
            lines += [f'          - hub.groups has "{each}-{group}-{way}"' for way in (0, 1)]
    return "\n".join(lines) + "\n"


def test_rules_have_a_budget_and_a_refusal_that_says_what_costs_most(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(rules(30))
    found, problems = load(tmp_path)
    assert found is not None, problems
    file.write_text(rules(40) + rules(1, groups=1).partition("\n")[2].replace("r0", "small"))
    found, [problem] = load(tmp_path)
    assert found is None
    assert problem.head.startswith(f"{file}:2:5: too-large all rules together cost 25,610")
    assert "'r0' 640 (64)" in problem.message
    assert f"{budget.MOST:,}" in problem.message


def test_a_router_does_not_start_with_such_rules(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "rules.yaml").write_text(rules(300))
    estate.configure(Path("rules"))
    for words in (["run", "--until-idle"], ["check"]):
        result = call(*words, folder=tmp_path)
        assert result.exit_code == 1
        assert "too-large all rules together cost 192,000 comparisons" in result.stderr


def test_the_trial_has_a_budget_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(rules(400))
    found, _ = read(tmp_path)  # past the check of what they cost
    with pytest.raises(EngineError, match=r"can't be trusted.*not taken up|within 10 s"):
        trial(found)


def test_the_text_of_all_rules_is_bounded(tmp_path: Path) -> None:
    text = "# " + "x" * 990_000 + "\n" + rules(1, groups=1)
    for number in range(MOST_TEXT // 990_000 + 1):
        (tmp_path / f"{number}.yaml").write_text(text.replace("r0", f"r{number}"))
    _, problems = load(tmp_path)
    assert [each.message for each in problems] == [
        f"more than {MOST_TEXT:,} characters of rules below, all files together"
    ]


BROKEN = {
    "unknown keys": "rules:\n" + "  - {nam: a, whn: [], alrt: b}\n" * 4_000,
    "no conditions": "rules:\n" + "  - {name: 1, when: [[]], alert: 2}\n" * 4_000,
    "keys twice": "a: 1\n" * 20_000,
    "long values": "rules:\n" + f"  - {{name: a, when: ['{'x' * 1_900}'], alert: N}}\n" * 120,
    "one long line": "rules: [" + "{nam: a}," * 10_000 + "]\n",
    "a long key": f"{'k' * 200_000}: 1\n",
    "a long tag": f"a: !{'k' * 200_000} 1\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_of_a_large_broken_file_little_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "rules.yaml").write_text(text)
    _, problems = load(tmp_path)
    assert 1 <= len(problems) <= MOST + 1
    assert all(len(each.message) <= LONGEST + 3 for each in problems)
    error = FilesError(problems * 10)
    assert len(str(error)) < 400_000
    assert sum(map(len, _problems(error))) < 50_000


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    estate = Estate(tmp_path)
    estate.user(S1, SUPPLIER)
    (tmp_path / "rules").mkdir()
    for number in range(5):
        (tmp_path / "rules" / f"{number}.yaml").write_text(
            "rules:\n" + "  - {nam: a, whn: [], alrt: b}\n" * 200
        )
    estate.configure(Path("rules"))
    shown = call("check", folder=tmp_path).stderr
    assert f"more than {MOST} problems in this file; the others are not told" in shown
    assert "and 205 more problems, not told; mend these first\n505 problems\n" in shown
    told = call("check", "-o", "json", folder=tmp_path).stdout
    assert "and 205 more problems" in told


def test_an_argument_without_end_is_cut() -> None:
    assert len(call("rollout" + "x" * 100_000).stderr) < 10_000
