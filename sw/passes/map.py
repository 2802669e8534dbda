"""Integer levels onto tiles and registers: the hardware's parameters and the programmed chip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from spikeloom.hw.interfaces.programming_port import MAX_TARGETS
from spikeloom.hw.interfaces.registers import MAX_LAYERS
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters, Readout, Reset
from spikeloom.hw.params.plan import CrossbarStage, Plan, Pooling, PoolStage
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.passes.check_ranges import check_layer
from spikeloom.sw.passes.quantise import Levels

__all__ = ["map_to_chip", "replicas_of"]

_MAX_MEMBRANE_BITS = 48
_MAX_REGISTER = 2**31 - 1


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
    layers : of the network, one a crossbar stage; a layer with replicas becomes as many of the chip
    gains : gain shift of every layer's ADC; 0 if not given
    adc_bits : instead of the configuration's (calibration looks through wide ADCs)
    plan : what every layer reads, without replicas; a chain of dense layers if not given

    Raises
    ------
    ConfigError : a layer is larger than its load addresses or its programmer's buffer, membranes would be wider than 48
        bits, k is out of reach, more than the first layer reads analog inputs, or replicas do not fit
    """
    gains = list(gains) if gains is not None else [0] * len(layers)
    if plan is None:
        plan = Plan.dense((layers[0].positive.shape[0], *(layer.positive.shape[1] for layer in layers)))
    plan = _started(plan, config)
    _check_analog(plan, layers, config)
    plan = plan.with_replicas(replicas_of(plan, layers, config))
    shapes = []
    for index, (layer, gain, (_, stage)) in enumerate(zip(layers, gains, plan.crossbar_stages, strict=True)):
        positions = plan.placements[stage.layer].positions  # of the first replica, which has most
        inputs, outputs = layer.positive.shape
        check_layer(layer.name, outputs, positions, config)
        shapes.append(
            LayerParameters(
                inputs=inputs,
                outputs=outputs,
                positions=positions,
                row_bits=CODINGS[config.coding.input].row_bits if index == 0 else 1,
                tile_rows=config.crossbar.tile_rows,
                tile_columns=config.crossbar.tile_columns,
                lanes=min(config.hardware.lanes, outputs),
                adc_bits=config.crossbar.adc_bits if adc_bits is None else adc_bits,
                max_gain_shift=_all_ones(gain),
                max_theta=_all_ones(layer.theta),
                max_bias=min(_all_ones(int(np.abs(layer.bias).max(initial=0))), _MAX_REGISTER),  # larger: see below
                phases=config.coding.phases,
                max_steps=config.decision.t_max,
            )
        )
        pairs = shapes[-1].lanes * shapes[-1].row_tiles
        if pairs > MAX_TARGETS:
            raise ConfigError(
                config.name,
                [
                    f"layer '{layer.name}' has {shapes[-1].row_tiles} row tiles of {shapes[-1].lanes} lanes, {pairs} "
                    f"cell pairs a column group, and its programmer holds at most {MAX_TARGETS}; raise [crossbar] "
                    "tile_rows or lower [hardware] lanes"
                ],
            )
        if shapes[-1].membrane_bits > _MAX_MEMBRANE_BITS:
            raise ConfigError(
                config.name,
                [
                    f"membranes of layer '{layer.name}' would need {shapes[-1].membrane_bits} bits, and at most "
                    f"{_MAX_MEMBRANE_BITS} are supported; reduce [decision] t_max or [coding] phases"
                ],
            )
        largest = max(int(np.abs(layer.bias).max(initial=0)), _clip(config, layer, shapes[-1]))
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
    parts = [  # of every layer of the unit: the network's layer that it is a replica of
        (number, replace(shapes[number], positions=placement.positions), placement.replica)
        for number, (_, stage) in enumerate(plan.crossbar_stages)
        for placement in plan.placements[stage.layer : stage.layer + stage.replicas]
    ]
    parameters = NpuParameters(
        layers=tuple(shape for _, shape, _ in parts),
        plan=plan,
        phases=config.coding.phases,
        max_steps=config.decision.t_max,
        encoder_lanes=min(config.hardware.encoder_lanes, plan.input.size),
        pulse_cycles=config.hardware.pulse_cycles,
    )
    programmed = [
        _programmed(layers[number], shape, config, gains[number], number == len(layers) - 1, replica)
        for number, shape, replica in parts
    ]
    return ProgrammedChip(
        name=config.name,
        layers=tuple(programmed),
        parameters=parameters,
        coding=CODINGS[config.coding.input],
        even_start=config.coding.even_start,
        rule=DECISION_RULES[config.decision.rule],
        k=_margin(config, layers[-1].theta, parameters),
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
    )


def _started(plan: Plan, config: Config) -> Plan:
    """The plan with average pooling that starts where neurons do: at `neuron.v0` of its threshold, the window."""
    stages: list[CrossbarStage | PoolStage] = []
    for stage in plan.stages:
        if isinstance(stage, PoolStage) and stage.kind == Pooling.AVERAGE:
            size = stage.window.kernel[0] * stage.window.kernel[1]
            stage = replace(stage, start=min(size - 1, round(config.neuron.v0 * size)))
        stages.append(stage)
    return replace(plan, stages=tuple(stages))


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
                    f"[crossbar] replicas must be 1 for this network, whose layers have one position each, not "
                    f"{wanted}; leave replicas out"
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
        windows = (stage.window,) if isinstance(stage, PoolStage) else stage.windows
        sources = {window.source for window in windows}
        layer = None if isinstance(stage, PoolStage) else stage.layer
        if 0 in sources and (layer != 0 or sources != {0}):
            what = "pooling" if layer is None else f"layer '{layers[layer].name}'"
            raise ConfigError(
                config.name,
                [
                    f"[coding] input must not be {config.coding.input!r} for this network, in which the image is read "
                    f"by more than the first layer: {what} too; set input 'even', 'phase' or 'rate'"
                ],
            )


def _programmed(
    layer: Levels, shape: LayerParameters, config: Config, gain: int, last: bool, replica: int
) -> ProgrammedLayer:
    neuron = config.neuron
    return ProgrammedLayer(
        name=layer.name if replica == 0 else f"{layer.name} replica {replica}",
        positive=layer.positive,
        negative=layer.negative,
        bias=layer.bias.astype(np.int32),
        theta=layer.theta,
        v0=round(neuron.v0 * layer.theta),
        clip=_clip(config, layer, shape),
        leak=neuron.leak,
        reset=Reset[(neuron.output_reset if last else neuron.reset).upper()],
        gain_shift=gain,
        scale=layer.scale,
    )


def _clip(config: Config, layer: Levels, shape: LayerParameters) -> int:
    """The register value of clip: thresholds of the first phase; a limit that no membrane reaches is that of the
    width.
    """
    return min(round(config.neuron.clip * layer.theta) << (config.coding.phases - 1), shape.max_membrane)


def _margin(config: Config, theta: int, parameters: NpuParameters) -> int:
    """The register value of k."""
    if config.decision.strategy == "learned":
        return 1  # until it is learnt
    membrane = config.decision.readout == "membrane"
    k = max(1, round(config.decision.k * (theta if membrane else 1)))
    largest = min((1 << (parameters.margin_bits - 1)) - 1, _MAX_REGISTER)
    if k <= largest:
        return k
    if "decision.k" not in DECISION_RULES[config.decision.rule].fields:
        return 1
    limit = largest / theta if membrane else largest
    raise ConfigError(
        config.name, [f"[decision] k must be at most {limit:g} for this network, not {config.decision.k!r}; lower k"]
    )


def _all_ones(value: int) -> int:
    """Smallest 2^n - 1 that is not below value."""
    return (1 << int(value).bit_length()) - 1
