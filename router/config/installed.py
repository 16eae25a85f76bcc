"""The installed sources and adapters, and the options that files give for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from router.config.unready import UnreadyOptions
from router.entrypoints import installed
from router.files.codes import Code
from router.files.document import Document, Place
from router.files.problems import Problem
from router.files.suggestions import closest
from router.files.values import read_model
from router.ports import Introduced, Options, Unfit
from router.ports.discretion import redactor
from router.ports.inquiry import Inquiry


class InstalledKinds:
    """The installed sources or adapters; one is imported when a file names it."""

    def __init__(self, group: str, inquiry: Inquiry | None = None) -> None:
        """`inquiry`: looks at the files that options name."""
        self._installed = installed(group)
        self._models: dict[str, type[Options] | str] = {}
        self._inquiry = inquiry or Inquiry()

    def introduced(self, kind: str) -> type[Introduced] | None:
        """The adapter's class when it wants to know the parties; None for all others."""
        if kind not in self._installed:
            return None
        try:
            found = self._installed[kind].load()
        except (ImportError, AttributeError):
            return None  # which `options` reports
        return found if isinstance(found, type) and issubclass(found, Introduced) else None

    def options(
        self, document: Document, value: Mapping[str, Any], *within: str | int, own: frozenset[str]
    ) -> Options | None:
        """The options that `value` has for its `adapter`; None when problems were added.

        UnreadyOptions when nothing but a file of secrets is of no use, which is put into the
        papers. `own` are the keys of `value` that the router reads itself.
        """
        kind = value.get("adapter")
        if not isinstance(kind, str):
            return None  # which the router's own keys have reported
        if kind not in self._models:
            self._models[kind] = self._load(kind)
        model = self._models[kind]
        if isinstance(model, str):
            said = model.format(kind=document.named(kind, "this adapter"))
            document.add(document.at(*within, "adapter"), said, Code.UNKNOWN_ADAPTER)
            return None
        rest = {key: inner for key, inner in value.items() if key not in own}
        before, unfit_files = len(document.problems), dict[Place, str]()
        ask = self._inquiry.ask
        found = read_model(document, model, rest, *within, also=own, unfit=unfit_files, ask=ask)
        if unfit_files:
            for place, why in unfit_files.items():
                problem = Problem(document.at(*place), why, Code.KEY_FILE)
                document.papers.add(problem, warning=False)
            mistaken = len(document.problems) > before
            return None if mistaken else UnreadyOptions(why="; ".join(unfit_files.values()))
        for unfit in self._unfit(found) if found is not None else ():
            where = document.at(*within, unfit.key)
            said = redactor(found)(f"{unfit.key}: {unfit.message}")
            document.papers.add(Problem(where, said, unfit.code), warning=unfit.warning)
        return found

    def _unfit(self, options: Options) -> Sequence[Unfit]:
        """What it finds wrong, in a thread: it may look at files on a mount that is away."""
        folders = {each.parent for _, each in options if isinstance(each, Path)}
        try:
            return self._inquiry.ask(frozenset(folders), options.unfit)
        except TimeoutError:
            why = "a file or folder named here does not answer; is what it is mounted from away?"
            return [Unfit("adapter", why, code=Code.FILE)]

    def models(self) -> dict[str, type[Options]]:
        """The options of all that are installed and can be loaded, by kind."""
        found = {kind: self._load(kind) for kind in sorted(self._installed)}
        return {kind: model for kind, model in found.items() if not isinstance(model, str)}

    def _load(self, kind: str) -> type[Options] | str:
        """The model of the options, or why there is none; `{kind}` stands for the kind."""
        if kind not in self._installed:
            names = ", ".join(sorted(self._installed)) or "none"
            meant = closest(kind, self._installed)
            hint = f"did you mean {meant!r}? " if meant else ""
            return f"{{kind}} is not installed; {hint}(installed: {names})"
        try:
            model = self._installed[kind].load().Config
        except (ImportError, AttributeError) as error:
            why = str(error).replace("{", "{{").replace("}", "}}")
            return f"{{kind}} is installed but cannot be loaded: {why}"
        if not (isinstance(model, type) and issubclass(model, Options)):
            return "{kind} is broken: its Config is not made from router.ports.Options"
        return model
