"""Options: what operators write, and what they are told when it is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from router.conformance.declared import Need
from router.conformance.harness import Harness
from router.conformance.scenario import in_loop, scenario
from router.conformance.situations import Ability, Situation
from router.conformance.trial import entered, options_of
from router.entrypoints import ADAPTERS
from router.files.model_keys import secret_keys
from router.files.problems import Problem
from router.files.values import read_model
from router.files.yamlfile import read
from router.ports import Options, Unfit
from router.ports.loading import described
from router.ports.loading import options_of as model_of


class _AtHand(EntryPoint):
    """An entry point for a class that need not be one of a module."""

    def load(self) -> Any:
        return _CLASSES[self.name]


_CLASSES: dict[str, type] = {}


def _model(harness: Harness) -> tuple[EntryPoint, type[Options]]:
    """Its options as the router has them, which refuses those that can be none."""
    kind = harness.adapter
    _CLASSES[kind.__name__] = kind
    point = _AtHand(kind.__name__, f"{kind.__module__}:{kind.__name__}", ADAPTERS)
    return point, model_of(point)


def _told(
    harness: Harness, folder: Path, options: Mapping[str, object]
) -> tuple[Options | None, list[Problem]]:
    """What the router says of a file with these options, each in a line of its own."""
    file = folder / "service_users.yaml"
    lines = [f"  {name}: {json.dumps(value, default=str)}" for name, value in options.items()]
    file.write_text("\n".join(["channel:", *lines, ""]), encoding="utf-8")
    document = read(file, guarded=True)
    found = read_model(document, harness.adapter.Config, document.value["channel"], "channel")
    return found, document.problems


def _line(options: Mapping[str, object], name: str) -> int:
    """In which line of that file an option stands."""
    return 2 + [*options].index(name)


def _quoted(value: object) -> bool:
    return isinstance(value, str) and len(value) >= 8


class OptionTests:
    """Of the suite: options."""

    @scenario()
    async def test_what_the_harness_cannot_is_so(self, harness: Harness) -> None:
        """Declarations have reasons, and don't contradict what is seen of the adapter."""
        for need, reason in harness.cannot.items():
            known = isinstance(need, Situation | Ability) and need is not Situation.TAKES
            assert known, f"`cannot` has {need!r}, not a Situation or an Ability"
            assert reason.strip(), f"`cannot` gives no reason for {need!r}"
        secrets = secret_keys(harness.adapter.Config)
        _not_declared(harness, Ability.SECRETS, secrets, "options that are secrets")
        async with harness.peer() as peer:
            if secrets and Ability.SECRETS not in harness.cannot:
                given = secrets & peer.options.keys()
                assert given, f"the peer's options give none of {sorted(secrets)}"
            if Ability.SECRETS not in harness.cannot:
                assert peer.secrets, "the peer names no `secrets`: name them, or declare SECRETS"
            async with entered(harness, peer) as trial:
                several = trial.adapter is not None and trial.adapter.batch > 1
                _not_declared(harness, Ability.BATCHES, several, "a `batch` of more than one")
                assert several or Ability.BATCHES in harness.cannot, (
                    "`batch` is 1: give the options that raise it, or declare Ability.BATCHES"
                )

    @scenario()
    async def test_its_options_are_fit_for_a_channel(self, harness: Harness) -> None:
        """A model made from `Options`, with no name that the router keeps for itself."""
        _, model = _model(harness)
        assert model is harness.adapter.Config

    @scenario()
    async def test_each_option_says_what_it_is(self, harness: Harness) -> None:
        """`hubherald adapters` and editors show the description."""
        point = _AtHand("x", f"{harness.adapter.__module__}:x", ADAPTERS)
        schema = described(point, harness.adapter.Config)
        bare = [
            name
            for name, option in schema.get("properties", {}).items()
            if not str(option.get("description", "")).strip()
        ]
        assert not bare, f"without a description: {bare}; add Field(description=...)"

    def test_an_unknown_option_is_told_where_it_stands(
        self, harness: Harness, tmp_path: Path
    ) -> None:
        """As a misspelt one must not be taken for one that is left out."""
        options = {**_options(harness), "no_such_option": 1}
        _, problems = _told(harness, tmp_path, options)
        lines = [each.location.line for each in problems]
        assert lines == [_line(options, "no_such_option")], (
            "an unknown option is no mistake; leave `extra` of model_config as Options has it"
        )

    def test_a_wrong_option_is_told_where_it_stands(self, harness: Harness, tmp_path: Path) -> None:
        """By a ValueError of a validator, without the value: it may be a secret."""
        if harness.adapter.Config.model_fields:
            assert harness.wrong, "the harness needs `wrong`: a wrong value for one option or more"
        for name, value in harness.wrong.items():
            options = {**_options(harness), name: value}
            _, problems = _told(harness, tmp_path, options)
            told = [each for each in problems if each.location.line == _line(options, name)]
            assert told, f"{name}: {value!r} is taken, or told elsewhere: {problems}"
            secret = name in secret_keys(harness.adapter.Config) and _quoted(value)
            assert not secret or str(value) not in str(told), f"{name}: what is told repeats it"

    @scenario()
    async def test_what_passes_is_enough(self, harness: Harness) -> None:
        """An option that can't be missed is required, so that `check` finds it missing."""
        async with harness.peer() as peer:
            given = dict(peer.options)
            for name in given:
                rest = {key: value for key, value in given.items() if key != name}
                try:
                    options = harness.adapter.Config.model_validate(rest)
                except ValueError:
                    continue  # it is told
                try:
                    harness.adapter(options)
                except Exception as error:
                    raise AssertionError(
                        f"{name} may be left out, and then it can't be made: {error!r}"
                    ) from error

    @scenario()
    async def test_equal_options_are_equal(self, harness: Harness) -> None:
        """Else each reload would make a new adapter, with new connections."""
        async with harness.peer() as peer:
            assert options_of(harness, peer) == options_of(harness, peer), (
                "the same options are not equal; a reload would enter a new adapter each time"
            )

    @scenario()
    async def test_good_files_are_fit(self, harness: Harness) -> None:
        """`unfit` answers a list or tuple of Unfit, and finds nothing wrong where nothing is."""
        async with harness.peer() as peer:
            options = options_of(harness, peer)
            found = options.unfit()
            assert isinstance(found, list | tuple), "`unfit` gave no list or tuple"
            assert all(isinstance(each, Unfit) for each in found), "`unfit` gave others than Unfit"
            errors = [each.message for each in found if not each.warning]
            assert not errors, f"`unfit` finds these options wrong: {errors}"


def _options(harness: Harness) -> Mapping[str, object]:
    """Those of a peer that is gone again."""
    found: dict[str, object] = {}

    async def ask() -> None:
        async with harness.peer() as peer:
            found.update(peer.options)

    in_loop(ask(), harness.patience)
    return found


def _not_declared(harness: Harness, need: Need, there: object, what: str) -> None:
    assert not (there and need in harness.cannot), f"`cannot` has {need!r}, but there are {what}"
