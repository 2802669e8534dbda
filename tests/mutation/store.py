"""Verdicts on disk, in `build/mutate/verdicts.json`: a run that was stopped resumes there."""

from __future__ import annotations

import json
from dataclasses import asdict

from tests.mutation.baseline import FOLDER, write_json
from tests.mutation.places import Mutant
from tests.mutation.trial import Verdict, still_holds

__all__ = ["Store"]


class Store:
    """Verdicts by the mutants' names, but for those that do not hold any more because a source or a test changed."""

    def __init__(self) -> None:
        self._path = FOLDER / "verdicts.json"
        known = json.loads(self._path.read_text(encoding="utf-8")) if self._path.exists() else []
        self._verdicts = {tuple(entry["name"]): Verdict(**entry["verdict"]) for entry in known}

    def get(self, mutant: Mutant, budget: float) -> Verdict | None:
        verdict = self._verdicts.get(mutant.name)
        return verdict if verdict is not None and still_holds(verdict, budget) else None

    def put(self, mutant: Mutant, verdict: Verdict) -> None:
        """Keep a verdict, and write the file whole."""
        self._verdicts[mutant.name] = verdict
        write_json(self._path, [{"name": list(n), "verdict": asdict(v)} for n, v in self._verdicts.items()])
