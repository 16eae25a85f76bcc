"""The installed sources and adapters, and the options that files give for them.

What is not installed is a mistake in the file. What is installed and broken is not: it costs its
own channels, and everybody else is served.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from router.config.unready import BrokenOptions, UnreadyOptions
from router.entrypoints import installed
from router.files.codes import Code
from router.files.document import Document, Place
from router.files.problems import Problem
from router.files.suggestions import closest
from router.files.values import read_model
from router.ports import Introduced, Options, Unfit
from router.ports.discretion import redactor
from router.ports.inquiry import Inquiry
from router.ports.loading import LOAD_S, TheirError, caught, described, load, options_of
from router.ports.origins import AdapterError, origin_of

SILENT = "the file does not answer; is what it is mounted from away?"
T = TypeVar("T")


class InstalledKinds:
    """The installed sources or adapters; one is imported when a file names it."""

    def __init__(self, group: str, inquiry: Inquiry | None = None) -> None:
        """`inquiry`: looks at the files that options name."""
        self._installed = installed(group)
        self._models: dict[str, type[Options] | AdapterError] = {}
        self._inquiry = inquiry or Inquiry()

    def introduced(self, kind: str) -> type[Introduced] | None:
        """The adapter's class when it wants to know the parties; None for all others."""
        if kind not in self._installed or isinstance(self._model(kind), AdapterError):
            return None  # which `options` reports
        found = load(self._installed[kind])
        return found if issubclass(found, Introduced) else None

    def asked(self, kind: str, function: Callable[[], Sequence[Unfit]], key: str) -> list[Unfit]:
        """What such an adapter finds wrong with a party; that it can't say so is told at `key`."""
        try:
            return checked(self._inquiry.ask(key, caught(function)))
        except TimeoutError:
            return [Unfit(key, SILENT)]
        except TheirError as raised:
            what = origin_of(self._installed[kind]).blamed("failed at `unfit_...`", raised.error)
            return [Unfit(key, what, code=Code.UNKNOWN_ADAPTER)]

    def options(
        self, document: Document, value: Mapping[str, Any], *within: str | int, own: frozenset[str]
    ) -> Options | None:
        """The options that `value` has for its `adapter`; None when problems were added.

        UnreadyOptions when nothing but a file of secrets is of no use, and BrokenOptions when the
        adapter's own code is: both are put into the papers. `own` are the keys of `value` that the
        router reads itself.
        """
        kind = value.get("adapter")
        if not isinstance(kind, str):
            return None  # which the router's own keys have reported
        if kind not in self._installed:
            said = f"{document.named(kind, 'this adapter')} is not installed; {self._hint(kind)}"
            document.add(document.at(*within, "adapter"), said, Code.UNKNOWN_ADAPTER)
            return None
        try:
            model = self._usable(kind)
            return self._read(model, document, value, within, own=own)
        except AdapterError as error:
            problem = Problem(document.at(*within, "adapter"), str(error), Code.UNKNOWN_ADAPTER)
            document.papers.add(problem, warning=False)
            return BrokenOptions(why=str(error))

    def _read(
        self,
        model: type[Options],
        document: Document,
        value: Mapping[str, Any],
        within: Place,
        *,
        own: frozenset[str],
    ) -> Options | None:
        kind = value["adapter"]
        rest = {key: inner for key, inner in value.items() if key not in own}
        before, unfit_files = len(document.problems), dict[Place, str]()
        read = partial(read_model, also=own, unfit=unfit_files, ask=self._inquiry.ask)
        found = self._theirs(kind, "its options", lambda: read(document, model, rest, *within))
        if unfit_files:
            for place, why in unfit_files.items():
                problem = Problem(document.at(*place), why, Code.KEY_FILE)
                document.papers.add(problem, warning=False)
            mistaken = len(document.problems) > before
            return None if mistaken else UnreadyOptions(why="; ".join(unfit_files.values()))
        for unfit in self._unfit(kind, found) if found is not None else ():
            where = document.at(*within, unfit.key)
            said = redactor(found)(f"{unfit.key}: {unfit.message}")
            document.papers.add(Problem(where, said, unfit.code), warning=unfit.warning)
        return found

    def _unfit(self, kind: str, options: Options) -> Sequence[Unfit]:
        """What it finds wrong, in a thread: it may look at files on a mount that is away."""
        folders = {each.parent for _, each in options if isinstance(each, Path)}
        try:
            return checked(self._inquiry.ask(frozenset(folders), caught(options.unfit)))
        except TimeoutError:
            why = "a file or folder named here does not answer; is what it is mounted from away?"
            return [Unfit("adapter", why, code=Code.FILE)]
        except TheirError as raised:
            raise self._blamed(kind, "`unfit` of its options", raised.error, options) from None

    def _theirs(self, kind: str, what: str, function: Callable[[], T]) -> T:
        try:
            return self._inquiry.run(caught(function), LOAD_S)
        except (TheirError, TimeoutError) as error:
            raised = error.error if isinstance(error, TheirError) else error
            raise self._blamed(kind, what, raised) from None

    def _blamed(self, kind: str, what: str, error: BaseException, *known: Options) -> AdapterError:
        said = origin_of(self._installed[kind]).blamed(f"failed at {what}", error)
        return AdapterError(redactor(*known)(said))

    def models(self) -> dict[str, type[Options]]:
        """The options of all that are installed and can be loaded, by kind."""
        found = {kind: self._model(kind) for kind in sorted(self._installed)}
        return {kind: each for kind, each in found.items() if not isinstance(each, AdapterError)}

    def schemas(self) -> dict[str, dict[str, Any] | AdapterError]:
        """Of all that are installed, by kind: the JSON Schema of the options, or why none is."""
        found: dict[str, dict[str, Any] | AdapterError] = {}
        for kind in sorted(self._installed):
            try:
                found[kind] = described(self._installed[kind], self._usable(kind))
            except AdapterError as error:
                found[kind] = error
        return found

    def _usable(self, kind: str) -> type[Options]:
        model = self._model(kind)
        if isinstance(model, AdapterError):
            raise model
        return model

    def _model(self, kind: str) -> type[Options] | AdapterError:
        if kind not in self._models:
            try:
                self._models[kind] = options_of(self._installed[kind])
            except AdapterError as error:
                self._models[kind] = error
        return self._models[kind]

    def _hint(self, kind: str) -> str:
        names = ", ".join(sorted(self._installed)) or "none"
        meant = closest(kind, self._installed)
        return f"{f'did you mean {meant!r}? ' if meant else ''}(installed: {names})"


def checked(found: object) -> list[Unfit]:
    """What somebody else's `unfit` gave. TheirError when that is anything but what it must be."""
    if not isinstance(found, list | tuple) or not all(_is_unfit(each) for each in found):
        raise TheirError(TypeError(f"gave {type(found).__name__}, not a list of Unfit"))
    return [*found]


def _is_unfit(each: object) -> bool:
    return (
        isinstance(each, Unfit)
        and isinstance(each.key, str)
        and isinstance(each.message, str)
        and isinstance(each.code, Code)
    )
