"""Models of a library's cells in Verilog, from the functions in its Liberty file, for a simulator without delays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from spikeloom.hw.export.yosys import run_yosys
from spikeloom.hw.standard_cells.liberty import Library, LibraryError

__all__ = ["cell_models"]

_SCRIPT = """\
{reads}
{delete}
proc
opt_clean
write_verilog -noattr cells.v
"""


def cell_models(libraries: Sequence[Library], names: Iterable[str]) -> str:
    """Verilog modules of the cells of some names, as Yosys reads their functions.

    Raises
    ------
    LibraryError : a cell has no function
    SynthesisError : Yosys does not read the library
    """
    wanted = sorted(set(names))
    known = {name: cell for library in reversed(libraries) for name, cell in library.cells.items()}
    empty = [name for name in wanted if not all(known[name].functions.values())]
    if empty:
        raise LibraryError(
            f"The cell {empty[0]} has no function in its library, so that it cannot be simulated: "
            "give a library whose cells have functions"
        )
    with tempfile.TemporaryDirectory(prefix="cell-models-") as name:
        folder = Path(name)
        for index, library in enumerate(libraries):
            (folder / f"cells_{index}.lib").write_text(library.text, encoding="latin-1")
        reads = "\n".join(f"read_liberty -ignore_miss_func cells_{i}.lib" for i in range(len(libraries)))
        keep = " ".join(f"{cell} %d" for cell in wanted)
        run_yosys(folder, _SCRIPT.format(reads=reads, delete=f"delete * {keep}"), "read the library")
        text = (folder / "cells.v").read_text(encoding="utf-8")
    return text[text.index("module ") :]
