"""Files of rules in one layout: nothing is lost, and nothing means anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.estate import ROOT

from router.errors import FilesError
from router.workbench.formatting import condition, formatted

MESSY = b"""# head

rules:
- name: a   # why
  # before the description
  description: >-
      A folded
      text
  when:
  - activation.outcome=='success'  # must
  # between
  -   'hub.model   not   in ["a","b" , ''c#d'']'
  - any:
     - hub.groups    has 'x'
     # inner
     - not:
           - hub.model exists
  -    "hub.model != \\"it's\\""

  alert:   N64

# before b
- {name: b, when: [activation.outcome == "failure"], suppress: "because: of"}   # flow
- name: c
  when:
      - hub.model != 'say "x"'
  suppress: |
      literal

      # no comment
# last
"""
TIDY = b"""# head

rules:
  - name: a # why
    # before the description
    description: >-
      A folded
      text
    when:
      - activation.outcome == "success" # must
      # between
      - 'hub.model not in ["a", "b", "c#d"]'
      - any:
          - hub.groups has "x"
          # inner
          - not:
              - hub.model exists
      - "hub.model != \\"it's\\""

    alert: N64

  # before b
  - {name: b, when: [activation.outcome == "failure"], suppress: "because: of"} # flow
  - name: c
    when:
      - hub.model != 'say "x"'
    suppress: |
      literal

      # no comment
# last
"""


def test_the_layout() -> None:
    assert formatted(MESSY, Path("a.yaml")).decode() == TIDY.decode()


def test_once_is_enough() -> None:
    assert formatted(TIDY, Path("a.yaml")) == TIDY
    windows = b"\xef\xbb\xbf" + TIDY.replace(b"\n", b"\r\n")
    assert formatted(windows, Path("a.yaml")) == TIDY


@pytest.mark.parametrize("file", sorted((ROOT / "rules").rglob("*.yaml")), ids=str)
def test_what_is_shipped_is_laid_out_so(file: Path) -> None:
    raw = file.read_bytes()
    assert formatted(raw, file) == raw


@pytest.mark.parametrize("line", ["hub.model = 'a'", "hub.model ==", "", "a b c"])
def test_a_condition_that_does_not_read_stays(line: str) -> None:
    assert condition(line) in {line, line.strip()}


def test_a_file_with_mistakes_is_told() -> None:
    for raw in (b"rules: [", b"rules: &a\n  - *a\n", b"a: 1\na: 2\n"):
        with pytest.raises(FilesError):
            formatted(raw, Path("a.yaml"))


@pytest.mark.parametrize("raw", [b"", b"\n", b"# nothing yet\n  # but this\n"])
def test_a_file_without_rules_stays_as_it_is(raw: bytes) -> None:
    assert formatted(raw, Path("a.yaml")) == raw
