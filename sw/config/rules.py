"""All rules that concern more than one field of a configuration, in one list.

`sw.config.config.Config` checks the list, `sw.config.manual_page` writes it on docs/configuration.md, and the tests
walk it: a field that is not at its default changes what a run gives, or breaks one of these rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.sim.chip.cell_kinds import CELLS
from spikeloom.sim.common.choices import listed
from spikeloom.sim.devices.effects import EFFECTS
from spikeloom.sw.config.board_section import NEEDS as BOARD_NEEDS
from spikeloom.sw.config.board_section import board_problems
from spikeloom.sw.config.decision_section import choosable
from spikeloom.sw.config.device_rules import (
    DIRECT,
    PULSES_NEED_PROGRAMMERS,
    VERIFY,
    WHOLE_EIGHTHS,
    drifting_cells,
    registered_rules,
    unused_effects,
    unused_with,
)
from spikeloom.sw.config.field_rules import ANY_TEXT, Choice, Needs, Rule, Unused, default_of, value_of
from spikeloom.sw.config.kind_fields import KindNeeds, unused_by_others
from spikeloom.sw.config.nir_section import UNUSED as NOT_NORMALISED
from spikeloom.sw.config.tables import Tables
from spikeloom.sw.config.train_rules import TRAIN_RULES

__all__ = ["ONE_LAYER_RULES", "RULES", "all_rules", "broken_rules", "unused_fields"]

_GIVEN_K = Choice("decision.strategy", ("given",))
_UNLEARNED = Choice("decision.strategy", ("given", "allowed_loss"))
_ALLOWED = Choice("decision.strategy", ("allowed_loss",))
_UNTUNED = Choice("convert.tune", (False,))
_NIR = Choice("nir.file", (ANY_TEXT,))
_SPIKES = CODINGS.where(lambda coding: coding.row_bits == 1)
_ANALOG = CODINGS.where(lambda coding: coding.row_bits > 1)


def all_rules() -> tuple[Rule, ...]:
    """`RULES`, and those of what is registered from outside of the source tree."""
    return (*RULES, *registered_rules())


def broken_rules(config: Tables) -> list[str]:
    """A sentence for everything in which a configuration breaks the rules."""
    return [sentence for rule in all_rules() for sentence in rule.problems(config)]


def unused_fields(config: Tables) -> set[str]:
    """Fields that do nothing in this configuration, such as "decision.k"."""
    rules = [rule for rule in all_rules() if isinstance(rule, Unused) and rule.holds(config)]
    return {name for rule in rules for name in rule.names(type(config))}


def _output_layer_runs(config: Tables) -> Iterator[str]:
    d, phases = config.decision, config.coding.phases
    if d.skip * phases >= d.t_max:
        yield (
            f"[decision] t_max must be above skip * phases ({d.skip} * {phases} = {d.skip * phases}), or the output "
            f"layer never runs, not {d.t_max}; raise t_max or lower skip"
        )


def _membrane_readout(config: Tables) -> Iterator[str]:
    if config.decision.readout == "membrane" and config.neuron.output_reset != "none":
        yield (
            "[neuron] output_reset must be 'none' with [decision] readout 'membrane', since a reset takes the compared "
            f"sum away, not {config.neuron.output_reset!r}; or set [decision] readout 'spikes'"
        )


def _clip(config: Tables) -> Iterator[str]:
    if 0.0 < config.neuron.clip < 1.0:
        yield f"[neuron] clip must be 0 (off) or at least 1 threshold, or no neuron fires, not {config.neuron.clip!r}"


def _traced(config: Tables) -> Iterator[str]:
    images, traced = config.cosim.images, config.cosim.trace_images
    if traced != "auto" and 0 < images < traced:
        yield (
            f"[cosim] trace_images must be at most images ({images}), not {traced}; lower trace_images, leave it out, "
            "or raise images"
        )


def _analog_drift(config: Tables) -> Iterator[str]:
    if config.device.drifts and config.coding.input in _ANALOG:
        yield (
            f"[coding] input must not be {config.coding.input!r} with [device] cell {config.device.cell!r}: there is "
            f"no drift model of analog rows; set input {listed(_SPIKES)}, or [device] cell {CELLS.steady()}"
        )


def _learning(config: Tables) -> Iterator[str]:
    decision, learning = config.decision, config.learning
    if decision.strategy != "learned":
        return
    if decision.rule != "winner_k":
        yield (
            f"[decision] rule must be 'winner_k' with strategy 'learned', which learns its k, not {decision.rule!r}; "
            "or set strategy 'given'"
        )
    if not learning.reward_correct > learning.reward_wrong:
        yield (
            f"[learning] reward_correct must be above reward_wrong ({learning.reward_wrong!r}), not "
            f"{learning.reward_correct!r}"
        )
    if learning.epsilon_min > learning.epsilon:
        yield f"[learning] epsilon_min must be at most epsilon ({learning.epsilon!r}), not {learning.epsilon_min!r}"
    factor = default_of(config, "learning.epsilon_factor")
    if learning.epsilon_min == learning.epsilon and learning.epsilon_factor != factor:
        yield (
            f"[learning] epsilon_factor must be {factor!r} with epsilon equal to epsilon_min, which never falls, not "
            f"{learning.epsilon_factor!r}; leave epsilon_factor out or lower epsilon_min"
        )
    smallest = default_of(config, "learning.epsilon_min")
    if learning.epsilon_factor == 1.0 and learning.epsilon_min not in (smallest, learning.epsilon):
        yield (
            f"[learning] epsilon_min must be {smallest!r} with epsilon_factor 1.0, with which epsilon never falls, not "
            f"{learning.epsilon_min!r}; leave epsilon_min out or lower epsilon_factor"
        )


def _calibrated(config: Tables) -> Iterator[str]:
    if config.energy.calibration is None:
        return
    for name in ("adder_J_per_bit", "flip_flop_J_per_cycle"):
        if value_of(config, f"energy.{name}") != default_of(config, f"energy.{name}"):
            yield (
                f"[energy] {name} does nothing with calibration, whose joules take its place; leave {name} or "
                "calibration out"
            )


def _read_pulse(config: Tables) -> Iterator[str]:
    hardware = config.hardware
    shortest, settle = hardware.pulse_cycles, hardware.settle_cycles
    if shortest < settle and shortest != default_of(config, "hardware.pulse_cycles"):
        yield (
            f"[hardware] pulse_cycles {shortest} does nothing below settle_cycles {settle}, which rows are driven for "
            f"then; leave pulse_cycles out, or set it to {settle} or more"
        )
    if settle < shortest and settle != default_of(config, "hardware.settle_cycles") and DIRECT.holds(config):
        yield (
            f"[hardware] settle_cycles {settle} does nothing below pulse_cycles {shortest}, which rows are driven for "
            f"anyhow; leave settle_cycles out, or set it to {shortest} or more"
        )


def _lifetime(config: Tables) -> Iterator[str]:
    if config.lifetime.measure and not config.device.drifts:
        yield (
            f"[lifetime] measure must be false with [device] cell '{config.device.cell}', which does not drift, not "
            f"true; or set [device] cell {CELLS.drifting()}"
        )


RULES: tuple[Rule, ...] = (
    # decision
    Needs(
        _output_layer_runs,
        "`decision.t_max` is above `decision.skip` * `coding.phases`: otherwise the output layer never runs",
    ),
    KindNeeds("decision.rule"),
    *unused_by_others("decision.rule"),
    Unused(("decision.k",), (Choice("decision.strategy", ("learned", "allowed_loss")),), "which finds k itself"),
    Unused(("decision.theta", "decision.skip"), (_ALLOWED,), "which finds it itself"),
    Unused(("decision.allowed_loss",), (Choice("decision.strategy", ("given", "learned")),), "which allows none"),
    Needs(
        choosable,
        '`decision.strategy = "allowed_loss"` needs a rule with a threshold, `winner_k` or `stable`, and validation '
        "images, as learning does",
    ),
    Needs(
        _membrane_readout,
        '`decision.readout = "membrane"` needs `neuron.output_reset = "none"`: a reset would take the compared sum '
        "away",
    ),
    Needs(_clip, "`neuron.clip` is 0 (off) or at least 1: below its threshold no neuron fires"),
    # learning and tuning
    Needs(
        _learning,
        '`decision.strategy = "learned"` needs `decision.rule = "winner_k"`, and images to learn from: '
        "`data.validation_images` above 0, or the argument `validation` of `spikeloom.compile`. So does "
        "`convert.tune = true`. `learning.reward_correct` is above `learning.reward_wrong`, and "
        "`learning.epsilon_min` at most `learning.epsilon`; where epsilon cannot fall, `epsilon_factor` and "
        "`epsilon_min` keep their defaults",
    ),
    Unused(("learning.*", "tuning.relearn"), (_UNLEARNED,), "which learns nothing"),
    Unused(("tuning.*",), (_UNTUNED,), "which tunes nothing"),
    Unused(("tuning.alpha",), (Choice("tuning.reductions", (1,)),), "which leaves beta as it is"),
    # coding
    *unused_by_others("coding.input"),
    KindNeeds("coding.input"),
    Unused(("energy.dac8_J_per_pulse",), (Choice("coding.input", _SPIKES),), "whose rows have 1-bit drivers"),
    # energy
    Needs(
        _calibrated,
        "`energy.adder_J_per_bit` and `flip_flop_J_per_cycle` keep their defaults with `energy.calibration`, whose "
        "joules take their place",
    ),
    *TRAIN_RULES,
    # conversion
    Unused(
        ("convert.percentile",),
        (Choice("convert.normalisation", ("auto", "max")),),
        "which does not use it",
        remedy="set normalisation = 'percentile'",
    ),
    # NIR
    Unused(("train.*",), (_NIR,), "whose network is not trained here"),
    Unused(tuple(f"convert.{name}" for name in NOT_NORMALISED), (_NIR,), "whose network is not normalised"),
    Unused(("data.validation_images",), (_NIR, _GIVEN_K, _UNTUNED), "for which nothing is trained, learned or tuned"),
    Unused(("nir.*",), (Choice("nir.file", ("",)),), "from which the network would come"),
    # devices and programming
    WHOLE_EIGHTHS,
    Unused(
        (
            "device.pulse_up",
            "device.pulse_down",
            "device.soft_bounds",
            "device.v_program_V",
            "programming.tolerance",
            "programming.tries",
            "programming.amplitude_min",
            "programming.amplitude_max",
            "hardware.program_cycles",
        ),
        (DIRECT,),
        "which gives no pulses",
    ),
    Unused(("programming.fault_aware",), (DIRECT,), "which finds no failed cells"),
    *unused_effects(EFFECTS.built_in),
    Unused(("device.refresh_every",), (VERIFY,), "whose pulses are not given again within a run"),
    *unused_with(CELLS.built_in()),
    Needs(_analog_drift, lambda: f'{drifting_cells()} needs 1-bit rows (`coding.input` not `"analog"`)'),
    # hardware
    PULSES_NEED_PROGRAMMERS,
    Needs(
        _read_pulse,
        "`hardware.pulse_cycles` keeps its default below `hardware.settle_cycles`, and `settle_cycles` below "
        '`pulse_cycles` with `programming.method = "direct"`: rows are driven for the longer of the two',
    ),
    # runs
    Needs(_traced, "`cosim.trace_images` is at most `cosim.images`, unless that is 0 (all)"),
    Needs(board_problems, BOARD_NEEDS),
    Needs(_lifetime, lambda: f"`lifetime.measure = true` needs {drifting_cells()}"),
    Unused(
        ("lifetime.*",), (Choice("lifetime.measure", (False,)),), "since nothing is measured", ("lifetime.measure",)
    ),
    Unused(
        ("lifetime.programmings",),
        (Choice("device.program_sigma", (0.0,)), Choice("lifetime.measure", (True,))),
        "where all programmings are the same",
        remedy="leave programmings out, or set [device] program_sigma above 0 (and [programming] method 'direct')",
    ),
)

ONE_LAYER_RULES: tuple[Unused, ...] = (
    Unused(("neuron.reset",), (), "for a network of one layer, which has no hidden neurons"),
    Unused(
        ("energy.dac_J_per_pulse",),
        (Choice("coding.input", _ANALOG),),
        "for a network of one layer, which has no 1-bit rows then",
    ),
    Unused(
        ("convert.tune",),
        (Choice("decision.rule", DECISION_RULES.where(lambda rule: not rule.ends_early)),),
        "for a network of one layer, into which the same spikes come whatever its threshold",
    ),
)
"""Rules for networks of one layer, checked when the network is known."""
