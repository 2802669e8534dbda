"""The kinds of findings, registered in one place, and which of them are consequences of others."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spikeloom.sw.common.findings import Finding, Severity

if TYPE_CHECKING:
    from spikeloom.sw.diagnostics.measure import Measures

__all__ = ["KINDS", "Kind", "Sign", "find", "kind"]


@dataclass(frozen=True)
class Sign:
    """What a kind's check saw: as `sw.diagnostics.Finding`, with the layer's number (None: the whole chip)."""

    cause: str
    size: Mapping[str, float | int | str]
    remedy: str
    layer: int | None = None
    neurons: tuple[int, ...] = ()


Check = Callable[["Measures"], Iterable[Sign]]


@dataclass(frozen=True)
class Kind:
    """A kind of finding.

    Parameters
    ----------
    name, severity : of its findings
    meaning : what it means
    measured : how it is measured, with its limits
    remedy : what to do
    check : gives the signs of it
    group : kinds of one group do not explain each other
    """

    name: str
    severity: Severity
    meaning: str
    measured: str
    remedy: str
    check: Check
    group: str


KINDS: dict[str, Kind] = {}
"""Every kind by its name, causes before what they cause."""


def kind(
    name: str, severity: Severity, *, meaning: str, measured: str, remedy: str, group: str = ""
) -> Callable[[Check], Check]:
    """Register the decorated function as the check of a kind; without a group it is one of its own."""

    def register(check: Check) -> Check:
        if name in KINDS:
            raise ValueError(f"There are two kinds of findings of the name '{name}'")
        KINDS[name] = Kind(name, severity, meaning, measured, remedy, check, group or name)
        return check

    return register


def find(measures: Measures) -> tuple[Finding, ...]:
    """The findings of all kinds, without those that an earlier one explains.

    A finding of a layer explains what is seen by later groups of kinds in this layer and those behind it, and of the
    whole chip; one of the whole chip explains all that later groups see.
    """
    findings: list[Finding] = []
    first: int | None = None  # layer from which on everything is explained
    for _, group in itertools.groupby(KINDS.values(), key=lambda entry: entry.group):
        new = first
        for entry in group:
            for sign in entry.check(measures):
                if first is not None and (sign.layer is None or sign.layer >= first):
                    continue
                name = None if sign.layer is None else measures.layers[sign.layer].name
                findings.append(
                    Finding(entry.name, entry.severity, sign.cause, _plain(sign.size), sign.remedy, name, sign.neurons)
                )
                position = -1 if sign.layer is None else sign.layer
                new = position if new is None else min(new, position)
        first = new
    return tuple(findings)


def _plain(size: Mapping[str, Any]) -> dict[str, float | int | str]:
    """Numbers of Python, rounded to six digits."""
    return {
        name: float(f"{value:.6g}") if isinstance(value, float) else value if isinstance(value, str) else int(value)
        for name, value in size.items()
    }
