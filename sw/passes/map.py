"""Maps integer levels to tiles and registers: the hardware's parameters and the programmed chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from spikeloom.hw.interfaces.programming_port import MAX_TARGETS
from spikeloom.hw.interfaces.registers import MAX_LAYERS
from spikeloom.hw.params.codings import CODINGS, Coding, built_codings
from spikeloom.hw.params.decision_rules import DECISION_RULES, FRACTION_BITS, STABLE_THETA, DecisionRule, K, built_rules
from spikeloom.hw.params.neuron_features import ALL_FEATURES
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters, Readout, Reset
from spikeloom.hw.params.plan import Plan
from spikeloom.sim.chip.adc_noise import size_problem
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.passes.check_ranges import check_layer
from spikeloom.sw.passes.quantise import Levels

__all__ = ["decision_settings", "map_to_chip", "replicas_of"]

_MAX_MEMBRANE_BITS = 48
_MAX_REGISTER = 2**31 - 1
_FIELDS = {K.name: "k", STABLE_THETA.name: "theta"}
"""Fields of [decision] that registers of decision rules come from."""


def map_to_chip(
    layers: Sequence[Levels],
    config: Config,
    gains: Sequence[int] | None = None,
    adc_bits: int | None = None,
    plan: Plan | None = None,
) -> ProgrammedChip:
    """The programmed chip of quantised layers.

    Registers are made just wide enough: their maximum is the next 2^n - 1 of the largest value.

    Parameters
    ----------
    layers : of the network, one per crossbar stage; a layer with replicas becomes as many of the chip
    gains : gain shift of every layer's ADC; 0 if not given
    adc_bits : instead of the configuration's (calibration looks through wide ADCs)
    plan : what every layer reads, without replicas; a chain of dense layers if not given

    Raises
    ------
    ConfigError : a layer is larger than its load addresses or its programmer's buffer, membranes would be wider than 48
        bits, k or theta is out of reach, more than the first layer reads analog inputs, or replicas do not fit
    """
    gains = list(gains) if gains is not None else [0] * len(layers)
    if plan is None:
        plan = Plan.dense((layers[0].positive.shape[0], *(layer.positive.shape[1] for layer in layers)))
    plan = _started(plan, config)
    _check_analog(plan, layers, config)
    plan = plan.with_replicas(replicas_of(plan, layers, config))
    shapes, last = [], len(layers) - 1
    for index, (layer, gain, (_, stage)) in enumerate(zip(layers, gains, plan.crossbar_stages, strict=True)):
        positions = plan.placements[stage.layer].positions  # of the first replica, which has most
        check_layer(layer.name, layer.positive.shape[1], positions, config)
        row_bits = CODINGS[config.coding.input].row_bits if index == 0 else 1
        shape = _shape(layer, config, gain, positions, row_bits, adc_bits)
        shapes.append(replace(shape, **_features(config, index == last)))
        _check_shape(layer, shapes[-1], config)
    replicas = _replicas(plan, shapes)
    parameters = NpuParameters(
        layers=tuple(replica.shape for replica in replicas),
        plan=plan,
        phases=config.coding.phases,
        max_steps=config.decision.t_max,
        encoder_lanes=min(config.hardware.encoder_lanes, plan.input.size),
        pulse_cycles=config.hardware.pulse_cycles,
        encoders=config.hardware.encoders,
        codings=_codings(config),
        rules=_rules(config),
    )
    programmed = (_programmed(layers[c.layer], c, config, gains[c.layer], c.layer == last) for c in replicas)
    return _chip(tuple(programmed), parameters, config)


class _Replica(NamedTuple):
    """A layer of the unit: the network's layer that it is a replica of, the number of the replica, its hardware."""

    layer: int
    number: int
    shape: LayerParameters


def _replicas(plan: Plan, shapes: Sequence[LayerParameters]) -> list[_Replica]:
    """Every layer of the unit; shapes : of the network's layers."""
    return [
        _Replica(layer, placement.replica, replace(shapes[layer], positions=placement.positions))
        for layer, (_, stage) in enumerate(plan.crossbar_stages)
        for placement in plan.placements[stage.layer : stage.layer + stage.replicas]
    ]


def _shape(
    layer: Levels, config: Config, gain: int, positions: int, row_bits: int, adc_bits: int | None
) -> LayerParameters:
    """The hardware of a layer with so many positions; registers just as wide as its values need."""
    inputs, outputs = layer.positive.shape
    return LayerParameters(
        inputs=inputs,
        outputs=outputs,
        positions=positions,
        row_bits=row_bits,
        tile_rows=config.crossbar.tile_rows,
        tile_columns=config.crossbar.tile_columns,
        lanes=min(config.hardware.lanes, outputs),
        adc_bits=config.crossbar.adc_bits if adc_bits is None else adc_bits,
        max_gain_shift=_all_ones(gain),
        max_theta=_all_ones(layer.theta),
        max_bias=min(_all_ones(_largest_bias(layer)), _MAX_REGISTER),  # larger ones are refused
        phases=config.coding.phases,
        max_steps=config.decision.t_max,
        programmer=config.hardware.programmer,
        activity_counters=config.hardware.activity_counters,
    )


def _codings(config: Config) -> tuple[Coding, ...]:
    """What the encoder is built for."""
    return CODINGS.unit if config.hardware.input_codings == "all" else built_codings(CODINGS[config.coding.input])


def _rules(config: Config) -> tuple[DecisionRule, ...]:
    """What the terminator is built for."""
    if config.hardware.decision_rules == "all":
        return DECISION_RULES.unit
    return built_rules(DECISION_RULES[config.decision.rule])


def _features(config: Config, last: bool) -> dict[str, Any]:
    """What the neurons of a hidden layer, or of the last one, are built with: parameters of the layer."""
    if config.hardware.neuron_features == "all":
        return ALL_FEATURES
    neuron = config.neuron
    return {"leak": neuron.leak > 0, "clip": neuron.clip > 0.0, "resets": (_reset(config, last),)}


def _reset(config: Config, last: bool) -> Reset:
    """What follows a spike of a hidden layer, or of the last one."""
    return Reset[(config.neuron.output_reset if last else config.neuron.reset).upper()]


def _check_shape(layer: Levels, shape: LayerParameters, config: Config) -> None:
    """Raise `ConfigError` for a layer that its programmer, membranes, registers or addresses of noise do not hold."""
    if problem := size_problem(shape, config.device.adc_sigma):
        raise ConfigError(config.name, [f"layer '{layer.name}' {problem}"])
    pairs = shape.lanes * shape.row_tiles
    if shape.programmer and pairs > MAX_TARGETS:
        raise ConfigError(
            config.name,
            [
                f"layer '{layer.name}' has {shape.row_tiles} row tiles of {shape.lanes} lanes, {pairs} cell pairs per "
                f"column group, and its programmer holds at most {MAX_TARGETS}; raise [crossbar] tile_rows, lower "
                "[hardware] lanes, or set [hardware] programmer to false"
            ],
        )
    if shape.membrane_bits > _MAX_MEMBRANE_BITS:
        raise ConfigError(
            config.name,
            [
                f"membranes of layer '{layer.name}' would need {shape.membrane_bits} bits, and at most "
                f"{_MAX_MEMBRANE_BITS} are supported; reduce [decision] t_max or [coding] phases"
            ],
        )
    largest = max(_largest_bias(layer), _clip(config, layer, shape))
    if largest > _MAX_REGISTER:
        weight = layer.scale * max(layer.positive.max(initial=0), layer.negative.max(initial=0))
        raise ConfigError(
            config.name,
            [
                f"layer '{layer.name}' needs a bias or clip of {largest} conductance steps, and registers end at "
                f"{_MAX_REGISTER}; its biases are out of proportion to its weights, the largest of which is "
                f"{weight:.3g} thresholds, or [neuron] clip is too large; bring the model's weights and biases to "
                "one scale, or lower clip"
            ],
        )


def _chip(layers: tuple[ProgrammedLayer, ...], parameters: NpuParameters, config: Config) -> ProgrammedChip:
    """The chip of programmed layers, with all that the configuration says of the rest."""
    decision = _decision_registers(config, layers[-1].theta, parameters)
    return ProgrammedChip(
        name=config.name,
        layers=layers,
        parameters=parameters,
        coding=CODINGS[config.coding.input],
        even_start=config.coding.even_start,
        rule=DECISION_RULES[config.decision.rule],
        k=decision[K.name],
        t_max=config.decision.t_max,
        skip=config.decision.skip,
        readout=Readout[config.decision.readout.upper()],
        device=config.device,
        energy=config.energy,
        settle_cycles=config.hardware.settle_cycles,
        adc_cycles=config.hardware.adc_cycles,
        programming=config.programming,
        program_cycles=config.hardware.program_cycles,
        clock_Hz=config.hardware.clock_Hz,
        seed=config.seed,
        stable_theta=decision[STABLE_THETA.name],
    )


def _started(plan: Plan, config: Config) -> Plan:
    """The plan with stages that start where neurons do: at `neuron.v0` of their threshold."""
    return replace(plan, stages=tuple(stage.started(config.neuron.v0) for stage in plan.stages))


def replicas_of(plan: Plan, layers: Sequence[Levels], config: Config) -> list[int]:
    """Replicas of every crossbar stage, as [crossbar] replicas says; `ConfigError` where they do not fit the
    network."""
    wanted = config.crossbar.replicas
    positions = [plan.maps[number + 1].positions for number, _ in plan.crossbar_stages]
    if isinstance(wanted, int):
        if wanted > 1 and max(positions) == 1:
            raise ConfigError(
                config.name,
                [
                    f"[crossbar] replicas must be 1 for this network, whose layers have one position each, not {wanted}"
                    "; leave replicas out"
                ],
            )
        replicas = [min(wanted, count) for count in positions]
    else:
        if len(wanted) != len(positions):
            raise ConfigError(
                config.name,
                [
                    f"[crossbar] replicas must be one number, or {len(positions)} for the {len(positions)} layers of "
                    f"this network, not {len(wanted)}"
                ],
            )
        replicas = list(wanted)
        for layer, given, most in zip(layers, wanted, positions, strict=True):
            if given > most:
                raise ConfigError(
                    config.name,
                    [
                        f"[crossbar] replicas must be at most {most} for layer '{layer.name}', its number of "
                        f"positions, not {given}"
                    ],
                )
    if sum(replicas) > MAX_LAYERS:
        raise ConfigError(
            config.name,
            [
                f"the network has {sum(replicas)} crossbars with all their replicas, and at most {MAX_LAYERS} fit; "
                "lower [crossbar] replicas, or use fewer layers"
            ],
        )
    return replicas


def _check_analog(plan: Plan, layers: Sequence[Levels], config: Config) -> None:
    """Analog rows belong to the first layer, and to no others: pooling and residual additions know spikes."""
    if CODINGS[config.coding.input].row_bits == 1:
        return
    for stage in plan.stages:
        sources = {window.source for window in stage.windows}
        if 0 in sources and (0 not in stage.layers or sources != {0}):
            what = f"layer '{layers[stage.layers[0]].name}'" if stage.layers else stage.title
            raise ConfigError(
                config.name,
                [
                    f"[coding] input must not be {config.coding.input!r} for this network, in which the image is read "
                    f"by more than the first layer: {what} too; set input 'even', 'phase' or 'rate'"
                ],
            )


def _programmed(layer: Levels, replica: _Replica, config: Config, gain: int, last: bool) -> ProgrammedLayer:
    neuron = config.neuron
    return ProgrammedLayer(
        name=layer.name if replica.number == 0 else f"{layer.name} replica {replica.number}",
        positive=layer.positive,
        negative=layer.negative,
        bias=layer.bias.astype(np.int32),
        theta=layer.theta,
        v0=round(neuron.v0 * layer.theta),
        clip=_clip(config, layer, replica.shape),
        leak=neuron.leak,
        reset=_reset(config, last),
        gain_shift=gain,
        scale=layer.scale,
    )


def _largest_bias(layer: Levels) -> int:
    """The largest magnitude of a bias."""
    return int(np.abs(layer.bias).max(initial=0))


def _clip(config: Config, layer: Levels, shape: LayerParameters) -> int:
    """The register value of clip: thresholds of the first phase; a limit that no membrane reaches is that of the
    width.
    """
    return min(round(config.neuron.clip * layer.theta) << (config.coding.phases - 1), shape.max_membrane)


def decision_settings(config: Config, theta: float) -> dict[str, float]:
    """What [decision] says for the registers of decision rules, in their units and not rounded, for an output layer
    with this threshold.

    A lead of membranes is in conductance steps, weighted by phase: k is in thresholds of the last phase. Theta is in
    those of [WS], tau = 1: rate coding's own threshold, and with several phases, whose spikes weigh 2^-(1 + p) of tau,
    twice the one of the first phase.
    """
    decision, phases = config.decision, config.coding.phases
    membrane = decision.readout == "membrane"
    tau = theta * (1 << (phases if phases > 1 else 0))
    return {
        K.name: decision.k * (theta if membrane else 1.0),
        STABLE_THETA.name: decision.theta * (tau if membrane else 1.0) * (1 << FRACTION_BITS),
    }


def _decision_registers(config: Config, theta: int, parameters: NpuParameters) -> dict[str, int]:
    """The register values of decision rules; 1 for one that is not used and too large, or is found later, and for theta
    with other rules.
    """
    found, rule, learned = {}, DECISION_RULES[config.decision.rule], config.decision.strategy != "given"
    for name, given in decision_settings(config, theta).items():
        (register,) = (own for own in DECISION_RULES.registers if own.name == name)
        field = _FIELDS[name]
        used = f"decision.{field}" in rule.fields
        value = max(1, round(given)) if used or register is K else 1
        largest = min((1 << register.bits(parameters)) - 1, _MAX_REGISTER)
        if learned:
            value = 1
        if used and value > largest:
            said = getattr(config.decision, field)
            raise ConfigError(
                config.name,
                [
                    f"[decision] {field} must be at most {largest * said / given:g} for this network, not {said!r}; "
                    f"lower {field}"
                ],
            )
        found[name] = value if value <= largest else 1
    return found


def _all_ones(value: int) -> int:
    """Smallest 2^n - 1 that is not below value."""
    return (1 << int(value).bit_length()) - 1
