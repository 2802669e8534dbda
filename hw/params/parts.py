"""What every kind of stage has on one floor besides its class, such as a hardware unit or a reference.

A floor has one `Parts`, which holds its part by the class of the kind. A part that is missing raises at once, naming
the kind and where to add it; the tests walk over all kinds and all parts.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.stage_kinds import STAGE_KIND, STAGES, Stage

__all__ = ["ALL_PARTS", "Parts"]

P = TypeVar("P")


class Parts(Generic[P]):
    """The parts of one floor.

    Parameters
    ----------
    what : such a part in words, singular
    where : the name that holds them, "module.NAME", for the error and the tests
    """

    def __init__(self, what: str, where: str) -> None:
        self.what, self.where = what, where
        self._parts: dict[type[Stage], P] = {}
        ALL_PARTS.append(self)

    def add(self, kind: type[Stage], part: P) -> None:
        """The part of a kind, which must be registered; a later one takes its place."""
        STAGE_KIND.check(kind)
        if STAGES[kind.name] is not kind:
            raise SpikeLoomError(f"{kind.__name__} is not a stage kind that is registered; register it first")
        self._parts[kind] = part

    def remove(self, kind: type[Stage]) -> None:
        """Take the part of a kind away."""
        del self._parts[kind]

    def __getitem__(self, kind: type[Stage]) -> P:
        """The part of a kind. Raises `ValueError` if it has none."""
        if kind not in self._parts:
            raise SpikeLoomError(
                f"The stage kind '{kind.name}' ({kind.__name__}) has no {self.what}; add one by {self.where}.add, or "
                "use a network without such stages"
            )
        return self._parts[kind]

    def missing(self) -> list[str]:
        """Names of the kinds that have none."""
        return STAGES.where(lambda kind: kind not in self._parts)


ALL_PARTS: list[Parts[Any]] = []
"""Those of all modules that are imported."""
