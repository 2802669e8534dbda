"""Energy of every image: crossbar from real conductances, periphery from counted events times coefficients.

Crossbar, with R = sum over columns of (Gp + Gn) of a row in units of dG / 1024, and S = 255 for 8-bit row codes, or 1:

    E = V_read^2 * t_read * dG * 2^-10 / S^2 * sum over row pulses of x^2 * R

that is V^2 * G * t of every cell of a driven row, with t_read the time that the hardware drives rows,
`ChipImage.read_s`. With IR drop the conductances are the effective ones, so E is V_read times the charge that reaches
the ADCs; what flows off into silent rows is left out.

Periphery (coefficients in `sim.config.Energy`, joules an event). They are figures of the literature for other designs
in other processes, right to an order of magnitude, and meant to be replaced by those of your own circuits:

- adc_J_per_conversion, 2 pJ at 8 bits: ISAAC [A. Shafiee et al., ISCA 2016] has an 8-bit SAR ADC of 1.28 GS/s at 2 mW,
  1.6 pJ a conversion, scaled from L. Kull et al., JSSC 48(12), 2013. The factor 2^(adc_bits - 8) is the usual figure of
  merit, energy proportional to 2^bits [B. Murmann, "ADC performance survey"]; it understates ADCs above some 10 bits,
  whose noise asks for a factor of 4 a bit.
- dac_J_per_pulse, 25 fJ, and dac8_J_per_pulse, 400 fJ: an estimate, C V^2 of a row wire of about 0.6 pF at 0.2 V for a
  1-bit driver, and 16 times that for an 8-bit converter. ISAAC's 1-bit row drivers come to 390 fJ a 100 ns pulse
  (4 mW for 1,024), so the truth may be ten times higher.
- neuron_J_per_update, 0.1 pJ: one 32-bit addition at 45 nm [M. Horowitz, "Computing's energy problem", ISSCC 2014]. The
  membrane's memory is not in it: the same source has 10 pJ for 64 bits from an 8 KiB SRAM, so with membranes in SRAM
  some picojoules an update are nearer to the truth; in registers it is about right.
- pooling units and map memories are not counted: a pooled input is an addition and a comparison of a few bits, some
  tenths of a neuron's update.
- control_J_per_cycle, 1 pJ: an estimate, some 10^3 gates and clock loads of 1 fJ switching a cycle.

Programming, with L the sum of (V / V_program)^2 G / dG * 1024 over the pulses, L' that of G / dG * 1024 over the verify
reads (`sim.cells`). A linear cell's pulse has V = V_program and the conductance before it, at any amplitude; a tantalum
cell's has the voltage that the driver gave it, and the mean conductance, at that voltage, of the way that it went:

    pulses    V_program^2 * program_cycles / clock_Hz * dG * 2^-10 * L
    reads     V_read^2 * t_verify * dG * 2^-10 * L'
    adc       verify reads * adc_J_per_conversion * 2^(10 - 8)            verify codes have 10 bits
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.image import ChipImage
from sim.kernels import CURRENT_BITS
from sim.result import Result

__all__ = ["energy", "joules_an_event", "neuron_updates", "programming_energy"]

_VERIFY_BITS = 10
"""Bits of a verify read's code."""


def joules_an_event(image: ChipImage) -> dict[str, list[float]]:
    """Joules of one event in each layer: `conductance` (a unit of that activity), `adc_conversions`, `row_pulses`,
    `neuron_updates`.
    """
    device, coefficients = image.device, image.energy
    shapes = image.parameters.layers
    load_J = device.v_read_V**2 * image.read_s * device.step_S * 2.0**-CURRENT_BITS
    return {
        "conductance": [load_J * (1.0 / 255.0**2 if shape.row_bits == 8 else 1.0) for shape in shapes],
        "adc_conversions": [coefficients.adc_J_per_conversion * 2.0 ** (shape.adc_bits - 8) for shape in shapes],
        "row_pulses": [
            coefficients.dac8_J_per_pulse if shape.row_bits == 8 else coefficients.dac_J_per_pulse for shape in shapes
        ],
        "neuron_updates": [coefficients.neuron_J_per_update] * len(shapes),
    }


def neuron_updates(image: ChipImage, result: Result) -> NDArray[np.int64]:
    """Updates of neurons, int64 [images, layers]: outputs of a layer at all its positions, in each step it ran."""
    shapes = image.parameters.layers
    runs = np.repeat(result.steps.astype(np.int64)[:, None], len(shapes), axis=1)
    runs[:, -1] -= image.skip * image.parameters.phases
    return runs * np.array([shape.neurons for shape in shapes])


def energy(image: ChipImage, result: Result) -> dict[str, NDArray[np.float64]]:
    """Joules an image, float64 [images] each: `crossbar`, `adc`, `dac`, `digital`.

    `digital` is neuron updates (outputs of a layer at all its positions, in each step that the layer ran) times
    neuron_J_per_update, plus clock cycles times control_J_per_cycle where the result counts cycles (that of the Verilog
    does, the reference's does not: its `digital` is the neurons' part only).
    """
    if result.spikes.shape[1] != len(image.layers):
        raise ValueError(f"The result has {result.spikes.shape[1]} layers, but the chip image has {len(image.layers)}")
    joules = {name: np.array(values) for name, values in joules_an_event(image).items()}
    digital = neuron_updates(image, result) @ joules["neuron_updates"]
    if result.cycles is not None:
        digital = digital + result.cycles * image.energy.control_J_per_cycle
    return {
        "crossbar": result.activity["conductance"] @ joules["conductance"],
        "adc": result.activity["adc_conversions"] @ joules["adc_conversions"],
        "dac": result.activity["row_pulses"] @ joules["row_pulses"],
        "digital": digital,
    }


def programming_energy(image: ChipImage, load: int, read_load: int, verify_reads: int) -> dict[str, float]:
    """Joules of programming: `pulses`, `reads` (cells), `adc` (converters of the verify reads).

    load, read_load : sums over pulses and over verify reads, see `sim.cells.CellState`
    """
    device = image.device
    cell_S = device.step_S * 2.0**-CURRENT_BITS
    return {
        "pulses": device.v_program_V**2 * image.pulse_s * cell_S * load,
        "reads": device.v_read_V**2 * image.verify_s * cell_S * read_load,
        "adc": verify_reads * image.energy.adc_J_per_conversion * 2.0 ** (_VERIFY_BITS - 8),
    }
