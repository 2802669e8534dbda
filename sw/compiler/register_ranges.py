"""Fields of the chip's results that a configuration can exceed: the contents of result frames."""

from __future__ import annotations

from spikeloom.hw.interfaces.streams import RESULT_LAYOUT
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config

__all__ = ["check_result_fields"]


def check_result_fields(chip: ProgrammedChip, config: Config) -> None:
    """Raise `ConfigError` for a chip whose margin has more bits than a result frame has for it.

    Steps and class always fit: `[decision] t_max` ends at 32,767, and a layer at 32,768 neurons. The values of the
    registers are checked by `sim.chip.programmed_chip.ProgrammedChip`.
    """
    p = chip.parameters
    most = RESULT_LAYOUT["margin"].width
    if p.margin_bits <= most:
        return
    output = p.layers[-1]
    cause = (
        f"its membranes have {output.membrane_bits} bits"
        if output.membrane_bits == p.score_bits
        else f"its spike counts reach {p.max_count}"
    )
    raise ConfigError(
        config.name,
        [
            f"margins between classes of layer '{chip.layers[-1].name}' would need {p.margin_bits} bits, since "
            f"{cause}, and a result has {most} bits for them; reduce [decision] t_max ({p.max_steps}), [coding] phases "
            f"({p.phases}) or [crossbar] adc_bits ({output.adc_bits})"
        ],
    )
