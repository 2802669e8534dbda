"""Builds of co-simulations with coverage: extra settings for cocotb's runner of Verilator, and what runs leave."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

__all__ = ["Counted"]

_FLAGS = ("--coverage-line", "--coverage-toggle")
_OUTSIDE = ("bench.sv", "crossbar_macro*.sv")
"""Verilog beside the chip: not counted."""


class Counted:
    """While its `with` block lasts, what this process builds with Verilator counts, and what it runs leaves its counts.

    An ordinary build knows nothing of this, nor does its key in the cache: the cache must be one of its own,
    $SPIKELOOM_CACHE, since a build would be taken for one without coverage.

    Parameters
    ----------
    folder : for the counts, one file per run
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: list[tuple[Path, Path]] = []
        self._numbers = itertools.count()

    @property
    def runs(self) -> list[tuple[Path, Path]]:
        """Of each run that came to its end: where it was built, which has its Verilog, and the file of its counts."""
        return [(built, counts) for built, counts in self._runs if counts.exists()]

    def __enter__(self) -> Counted:
        from cocotb_tools.runner import Verilator

        self._folder.mkdir(parents=True, exist_ok=True)
        self._before = Verilator.build, Verilator.test
        build, test = self._before

        def counting(runner: Verilator, **how: Any) -> None:
            control = Path(how["build_dir"]) / "coverage.vlt"
            lines = [f'coverage_off -file "*/{name}"' for name in _OUTSIDE]
            control.write_text("\n".join(["`verilator_config", *lines, ""]), encoding="utf-8")
            how["sources"] = [control, *how["sources"]]
            how["build_args"] = [*how.get("build_args", ()), *_FLAGS]
            build(runner, **how)

        def counted(runner: Verilator, **how: Any) -> Path:
            counts = self._folder / f"{os.getpid()}-{next(self._numbers)}.dat"
            self._runs.append((Path(how["build_dir"]), counts))
            how["plusargs"] = [*how.get("plusargs", ()), f"+verilator+coverage+file+{counts}"]
            return test(runner, **how)

        Verilator.build = counting  # type: ignore[method-assign]
        Verilator.test = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        from cocotb_tools.runner import Verilator

        Verilator.build, Verilator.test = self._before  # type: ignore[method-assign]
