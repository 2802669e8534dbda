"""Energy of programming: pulses, verify reads, and the converters used by the reads.

With L the sum of (V / V_program)^2 G / dG * 1024 over the pulses, L' that of G / dG * 1024 over the verify
reads (`sim.programming.cells`). A linear cell's pulse has V = V_program and the conductance before it, at any
amplitude; a tantalum cell's has the voltage that the driver gave it, and the mean conductance, at that voltage, of the
way that it went:

    pulses    V_program^2 * program_cycles / clock_Hz * dG * 2^-10 * L
    reads     V_read^2 * t_verify * dG * 2^-10 * L'
    adc       verify reads * adc_J_per_conversion * 2^(10 - 8)            verify codes have 10 bits
"""

from __future__ import annotations

from spikeloom.hw.interfaces.crossbar_port import CELL_CODE_BITS
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.units import CURRENT_BITS
from spikeloom.sim.common.energy_sums import ENDS

__all__ = ["programming_energy"]


def programming_energy(
    chip: ProgrammedChip, load: int, read_load: int, verify_reads: int
) -> dict[str, dict[str, float]]:
    """Joules of programming: `pulses`, `reads` (cells), `adc` (converters of the verify reads), each with its `ENDS`.

    Pulses and reads follow from conductances alone, so theirs are equal.

    load, read_load : sums over pulses and over verify reads, see `sim.programming.cells.CellState`
    """
    device = chip.device
    cell_S = device.step_S * 2.0**-CURRENT_BITS
    pulses_J = device.v_program_V**2 * chip.pulse_s * cell_S * load
    reads_J = device.v_read_V**2 * chip.verify_s * cell_S * read_load
    adc_J = [verify_reads * each * 2.0 ** (CELL_CODE_BITS - 8) for each in chip.energy.adc_J_per_conversion]
    return {
        "pulses": dict.fromkeys(ENDS, pulses_J),
        "reads": dict.fromkeys(ENDS, reads_J),
        "adc": dict(zip(ENDS, adc_J, strict=True)),
    }
