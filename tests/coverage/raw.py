"""What runs leave, as it is: Verilator's file of counts, the Verilog that it counts in, and the RTLIL of that Verilog.

All that is said about points is made from this, so that no simulation runs again when only the measure changes.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.coverage.captured import digest_of

__all__ = ["Build", "Raw", "kept_runs"]


@dataclass(frozen=True)
class Build:
    """What Verilator built.

    Parameters
    ----------
    texts : Verilog, file name -> text
    rtlil : RTLIL with places in the source, file name -> text; files that are not of `hw` have none
    """

    texts: dict[str, str]
    rtlil: dict[str, str]


@dataclass(frozen=True)
class Raw:
    """Builds, and of each run the build's number and Verilator's file of counts (see `counts`)."""

    builds: list[Build] = field(default_factory=list)
    runs: list[tuple[int, bytes]] = field(default_factory=list)

    def counts(self, run: int) -> str:
        return zlib.decompress(self.runs[run][1]).decode()


def kept_runs(runs: Iterable[tuple[Path, Path]], rtlil: Mapping[str, str]) -> Raw:
    """Read what runs left.

    Parameters
    ----------
    runs : of each the folder with its Verilog, and the file of its counts
    rtlil : as `Captured` has it
    """
    raw, numbers = Raw(), {}
    for folder, counts in runs:
        if folder not in numbers:
            numbers[folder] = len(raw.builds)
            texts = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.sv"))}
            digests = {name: digest_of(text) for name, text in texts.items()}
            raw.builds.append(Build(texts, {name: rtlil[d] for name, d in digests.items() if d in rtlil}))
        raw.runs.append((numbers[folder], zlib.compress(counts.read_bytes(), 1)))
    return raw
