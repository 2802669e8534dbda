"""Findings of a diagnosis, each with cause, size and remedy, and the images they were measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

__all__ = ["PAGE", "Diagnosis", "Finding", "Severity"]

PAGE = "docs/poor-accuracy.md"
"""Where remedies are gone through one after the other."""

Severity = Literal["fault", "warning"]
"""fault: what the chip answers has lost its meaning; warning: accuracy, time or energy is lost."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a chip.

    Parameters
    ----------
    name : of its kind, a key of `sw.diagnostics.KINDS`
    severity : "fault" or "warning"
    cause : a clause: what is wrong, and where
    size : the numbers that say so, by name; shares are 0 .. 1
    remedy : a clause: what to do about it
    layer : name of the layer, None where it concerns the whole chip
    neurons : numbers of the layer's outputs that it concerns, first to last; empty if all, or none in particular
    """

    name: str
    severity: Severity
    cause: str
    size: Mapping[str, float | int | str]
    remedy: str
    layer: str | None = None
    neurons: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy} (see {PAGE})"

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `summary.json`."""
        return {
            "name": self.name,
            "severity": self.severity,
            "layer": self.layer,
            "neurons": list(self.neurons),
            "cause": self.cause,
            "size": dict(self.size),
            "remedy": self.remedy,
        }


@dataclass(frozen=True)
class Diagnosis(Sequence[Finding]):
    """A list of findings, the gravest cause first; empty for a healthy chip. `str` and `print` make it readable.

    Parameters
    ----------
    findings : what is wrong
    images : images that it was measured on
    source : what these images are, such as "calibration images"
    notes : sentences about what was not looked at
    stages : (stage, agreement with the first stage, accuracy or None) of every stage of the conversion that was run;
        where the last agrees with the first, those between are not run
    """

    findings: tuple[Finding, ...]
    images: int
    source: str
    notes: tuple[str, ...] = ()
    stages: tuple[tuple[str, float, float | None], ...] = field(default=())

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...

    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[index]

    def __str__(self) -> str:
        lines = []
        source = self.source.replace("images", "image", 1) if self.images == 1 else self.source
        if not self.findings:
            lines.append(f"No findings, measured on {self.images} {source}.")
        else:
            number = "1 finding" if len(self) == 1 else f"{len(self)} findings"
            lines.append(f"{number}, measured on {self.images} {source}:")
        for finding in self.findings:
            lines += [
                f"- {finding.severity}, {finding.name}: {finding.cause}",
                f"  remedy: {finding.remedy} (see {PAGE})",
            ]
        first, last = (self.stages[0], self.stages[-1]) if self.stages else (None, None)
        if first is not None and last is not None and first[2] is not None and last[2] is not None:
            lines.append(f"Accuracy: {first[2]:.2%} at stage '{first[0]}', {last[2]:.2%} at stage '{last[0]}'.")
        return "\n".join([*lines, *self.notes])

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `summary.json`; `from_json` reads them."""
        return {
            "images": self.images,
            "source": self.source,
            "notes": list(self.notes),
            "stages": [
                {"stage": stage, "agreement": agreement, "accuracy": accuracy}
                for stage, agreement, accuracy in self.stages
            ],
            "findings": [finding.to_json() for finding in self.findings],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Diagnosis:
        """The diagnosis that `to_json` gave."""
        return cls(
            tuple(Finding(**{**entry, "neurons": tuple(entry["neurons"])}) for entry in values["findings"]),
            values["images"],
            values["source"],
            tuple(values["notes"]),
            tuple((entry["stage"], entry["agreement"], entry["accuracy"]) for entry in values["stages"]),
        )
