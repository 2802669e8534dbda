"""Errors that a user can cause, and warnings about input that is valid but almost certainly a mistake.

Each message is one sentence that names what was given, what is allowed, where, and the remedy.
"""

from __future__ import annotations

from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.sim.common.slips import SpikeLoomWarning, warn

__all__ = [
    "ArgumentTypeError",
    "ArrayWarning",
    "CalibrationError",
    "ConfigError",
    "DataError",
    "DiagnosticWarning",
    "FileError",
    "SpikeLoomError",
    "SpikeLoomWarning",
    "UnsupportedError",
    "WeightError",
    "WeightImageError",
    "warn",
]


class ConfigError(SpikeLoomError):
    """The configuration is not valid. `problems` holds one sentence per problem."""

    def __init__(self, source: str, problems: list[str]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__(f"{source}: " + "; ".join(problems))


class UnsupportedError(SpikeLoomError):
    """The model holds an operation or an arrangement that the chip does not have."""


class WeightError(SpikeLoomError):
    """A parameter of the model is not a finite number."""


class CalibrationError(SpikeLoomError):
    """The calibration images cannot be used."""


class DataError(SpikeLoomError):
    """A data set is missing or damaged."""


class WeightImageError(SpikeLoomError):
    """A weight image is damaged, foreign, newer than this program, or made for other hardware."""


class FileError(SpikeLoomError):
    """A file or folder could not be written or read: no space, no permission, something in the way."""


class ArrayWarning(SpikeLoomWarning):
    """Arrays draw more than wires, drivers or half-selected cells bear; see `sim.crossbar.array_limits`."""


class DiagnosticWarning(SpikeLoomWarning):
    """A chip that was compiled does not do what the network does; see `sw.diagnostics`."""
