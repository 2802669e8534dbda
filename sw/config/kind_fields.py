"""Fields of the configuration whose values are the names of registered kinds (`hw.params.kinds`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.kinds import Kind, Kinds
from spikeloom.sim.common.choices import Choices
from spikeloom.sw.config.field_rules import Choice, Rule, Unused, value_of

__all__ = ["KIND_FIELDS", "KindNeeds", "KindOf", "unused_by_others"]

KIND_FIELDS: dict[str, Kinds[Any]] = {"coding.input": CODINGS, "decision.rule": DECISION_RULES}
"""Fields that name a kind, and its registry."""


class KindOf(Choices):
    """In the annotation of a field: its value is the name of one of the kinds, also of those added from outside."""

    def __init__(self, kinds: Kinds[Any]) -> None:
        super().__init__(lambda: kinds.where(lambda kind: True))


@dataclass(frozen=True)
class KindNeeds(Rule):
    """What the kind that a field names asks of the configuration."""

    field: str

    def problems(self, config: Any) -> Any:
        """What the kind says of the configuration."""
        kind: Kind = KIND_FIELDS[self.field][value_of(config, self.field)]
        return kind.problems(config)

    def text(self) -> str:
        """What all kinds of the unit need, for the manual."""
        return "; ".join(kind.needs for kind in KIND_FIELDS[self.field].unit if kind.needs)


def unused_by_others(field: str) -> list[Unused]:
    """The rules that settings of a kind keep their defaults where a kind is chosen that does not have them."""

    def without(name: str) -> Sequence[str]:
        return KIND_FIELDS[field].where(lambda kind: name not in kind.fields)

    own = {name: kind for kind in reversed(KIND_FIELDS[field].unit) for name in kind.fields}
    return [Unused((name,), (Choice(field, without(name)),), kind.without) for name, kind in own.items()]
