"""Result of `compile_model` and content of a weight image: a programmed chip, and information about its compilation.

Plain data: `sw.chip.Chip` adds what a user does with it, and analysis, diagnosis, export and report read it without
knowing `Chip`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from spikeloom.sim.chip.chip_facts import chip_line, chip_rows
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.common.plain_table import html_table
from spikeloom.sim.common.short_repr import short_repr
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.config.config import Config

if TYPE_CHECKING:
    from torch import nn

    from spikeloom.sw.common.findings import Diagnosis
    from spikeloom.sw.decision.allowed_loss import ChosenRule
    from spikeloom.sw.decision.learn_rule import LearntRule
    from spikeloom.sw.ir.network import Network
    from spikeloom.sw.passes.tune import Tuned

__all__ = ["Compiled", "PassResults"]


@dataclass(frozen=True, eq=False)
class PassResults:
    """What the passes made of a model before it became integers, for the waterfall: after folding, after normalising;
    and the chip before its thresholds were tuned, if they were.

    The model takes images of shape `folded.input_shape`.
    """

    model: nn.Module
    folded: Network
    normalised: Network
    untuned: ProgrammedChip | None = None

    __repr__ = short_repr


@dataclass(eq=False)
class Compiled:
    """A compiled network.

    Parameters
    ----------
    programmed : everything the hardware is and holds
    config : the run's configuration
    passes : the network before quantisation, for the waterfall; None for a chip that was loaded from a file
    learnt_rule : how k was learned; None if it was given, and for a chip that was loaded
    chosen_rule : how rule and skipped periods were chosen for an allowed loss; None if they were not, and for a chip
        that was loaded
    tuned : how the thresholds were tuned; None if they were not, and for a chip that was loaded
    provenance : where the chip comes from; unknown if not given
    network : the network in units of its thresholds, before quantisation, which is that of `passes` if these are given;
        None for a chip that was loaded
    findings : what `spikeloom.compile` found on the calibration images, see `Chip.diagnose`; None where they are not
        known
    notes : what `spikeloom.compile` chose or changed, in sentences
    """

    programmed: ProgrammedChip
    config: Config
    passes: PassResults | None = None
    learnt_rule: LearntRule | None = None
    tuned: Tuned | None = None
    provenance: Provenance = field(default_factory=Provenance)
    network: Network | None = None
    findings: Diagnosis | None = None
    notes: tuple[str, ...] = ()
    chosen_rule: ChosenRule | None = None

    def __post_init__(self) -> None:
        if self.passes is not None:
            self.network = self.passes.normalised

    def __repr__(self) -> str:
        return f"{type(self).__name__}({chip_line(self.programmed)})"

    def _repr_html_(self) -> str:
        return html_table(f"Chip {self.programmed.name}", chip_rows(self.programmed), self.provenance.in_words())
