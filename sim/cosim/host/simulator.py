"""The simulator of a chip with buses, driven by a host."""

from __future__ import annotations

import functools

from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.cosim.host.bench import host_bench_text, visible_text
from spikeloom.sim.cosim.simulator import SOURCES, Simulator
from spikeloom.sim.cosim.waves import wave_file

__all__ = ["build_host_simulator"]


@functools.lru_cache(maxsize=4)
def _texts(
    parameters: NpuParameters, settle_cycles: int, adc_cycles: int, program_cycles: int, waves: str | None
) -> dict[str, str]:
    """Everything that is simulated: file name -> text."""
    texts = {name: text for name, text in export_axi(parameters).items() if name.endswith(".sv")}
    texts["crossbar_macro.sv"] = (SOURCES / "crossbar_macro_python.sv").read_text()
    macro = {"SETTLE_CYCLES": settle_cycles, "ADC_CYCLES": adc_cycles, "PROGRAM_CYCLES": program_cycles}
    texts["bench.sv"] = host_bench_text(parameters, macro, waves=waves)
    texts["bench.vlt"] = visible_text()
    return texts


def build_host_simulator(
    chip: ProgrammedChip, simulator: str = "verilator", *, waves: bool = False, quick: bool = False
) -> Simulator:
    """Build the simulator of a chip's hardware, or take the existing build.

    The arguments and errors are those of `Simulator.build`; registers and weights are not part of the build.
    """
    waves_to = wave_file(simulator) if waves else None
    texts = _texts(chip.parameters, chip.settle_cycles, chip.adc_cycles, chip.program_cycles, waves_to)
    return Simulator.of_texts(texts, simulator, waves=waves, quick=quick)
