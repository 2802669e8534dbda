"""All errors and warnings of SpikeLoom: `spikeloom.errors.FileError`.

Errors are `SpikeLoomError`, and with it `ValueError`, in one sentence; what concerns the type of an argument is a
`TypeError`, too. Warnings are `SpikeLoomWarning`: legal, but almost certainly a mistake. Any other exception is a fault
of SpikeLoom.
"""

from __future__ import annotations

from spikeloom.hw.boards.steps import BitstreamError
from spikeloom.hw.boards.toolchain import TimingError
from spikeloom.hw.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.hw.export.yosys import SynthesisError
from spikeloom.hw.standard_cells.liberty import LibraryError
from spikeloom.sim.chip.result import Mismatch
from spikeloom.sim.common.lock import Busy
from spikeloom.sim.common.plain_paths import PathError
from spikeloom.sim.common.slips import SpikeLoomWarning
from spikeloom.sim.cosim.tools import SimulationError, ToolError
from spikeloom.sw.common.errors import (
    ArrayWarning,
    CalibrationError,
    ConfigError,
    DataError,
    DiagnosticWarning,
    FileError,
    UnsupportedError,
    WeightError,
    WeightImageError,
)
from spikeloom.sw.host.errors import (
    BuildError,
    BusError,
    ChecksumError,
    ForeignChipError,
    HostError,
    ImageCountError,
    PortError,
    RefusedError,
    TransportClosed,
)

__all__ = [
    "ArgumentTypeError",
    "ArrayWarning",
    "BitstreamError",
    "BuildError",
    "BusError",
    "Busy",
    "CalibrationError",
    "ChecksumError",
    "ConfigError",
    "DataError",
    "DiagnosticWarning",
    "FileError",
    "ForeignChipError",
    "HostError",
    "ImageCountError",
    "LibraryError",
    "Mismatch",
    "PathError",
    "PortError",
    "RefusedError",
    "SimulationError",
    "SpikeLoomError",
    "SpikeLoomWarning",
    "SynthesisError",
    "TimingError",
    "ToolError",
    "TransportClosed",
    "UnsupportedError",
    "WeightError",
    "WeightImageError",
]
