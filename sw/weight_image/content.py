"""Text and arrays of a weight image, of this or an earlier version, converted to the chip they describe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES
from spikeloom.hw.params.kinds import Kind, Kinds
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters, Reset
from spikeloom.sim.chip.device_config import Device, Energy, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sim.common.arguments import is_number
from spikeloom.sw.common.errors import SpikeLoomError, warn
from spikeloom.sw.common.findings import Diagnosis
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.config.config import Config
from spikeloom.sw.weight_image.fields import built, entry, table
from spikeloom.sw.weight_image.plan_json import plan_from_json

__all__ = ["ARRAYS", "rebuilt", "renew_energy", "renew_features"]

_ENERGY_BEFORE = {
    "adc_J_per_conversion": 2e-12,
    "dac_J_per_pulse": 2.5e-14,
    "dac8_J_per_pulse": 4e-13,
    "neuron_J_per_update": 1e-13,
    "control_J_per_cycle": 1e-12,
}
"""Energy coefficients up to version 6, with their defaults."""
_BESIDE = ("config", "provenance", "findings", "notes", "registered")
"""Entries of the file beside the chip."""
T = TypeVar("T")
ARRAYS: dict[str, Any] = {"positive": np.uint8, "negative": np.uint8, "bias": np.int32}


def renew_energy(chip: dict[str, Any]) -> None:
    """Energy coefficients of a file up to version 6, in place: defaults of then become those of now."""
    given = {name: value for name, value in _table(chip, "energy").items() if value != _ENERGY_BEFORE.get(name)}
    gone = sorted(name for name in given if name not in Energy.model_fields)
    if gone:
        warn(f"The chip '{chip['name']}' was made with {', '.join(gone)} of [energy], which no longer have an effect")
    for place in (chip, _table(chip, "config")):
        if "energy" in place:
            place["energy"] = {name: value for name, value in given.items() if name not in gone}


def renew_features(chip: dict[str, Any]) -> None:
    """The configuration of a file up to version 8, in place: its hardware has all features of neurons, and
    all input codings."""
    hardware = _table(_table(chip, "config"), "hardware")
    for name in ("neuron_features", "input_codings"):
        hardware.setdefault(name, "all")


def rebuilt(chip: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> Compiled:
    """The chip of a file's JSON text as plain values and its arrays.

    Raises `ValueError` for what is missing, unknown or of another kind, `ConfigError` for settings that are refused.
    """
    parameters = _parameters_from_json(_table(chip, "parameters"))
    layers = []
    for index, values in enumerate(entry(chip, "layers", list, "the chip")):
        arrays = {name: _array(tensors, f"layers.{index}.{name}", kind) for name, kind in ARRAYS.items()}
        layers.append(built(ProgrammedLayer, values, f"layer {index}", **arrays))
    settings = _table(chip, "config")
    pulse_s = _table(chip, "device").pop("t_pulse_s", None)  # of earlier versions, whatever the hardware did
    _table(settings, "device").pop("t_pulse_s", None)
    percentile: Any = _table(settings, "convert").get("percentile")
    if is_number(percentile) and percentile > 1.0:  # percent, in files of versions before it was a fraction
        settings["convert"]["percentile"] /= 100.0
    config = Config.recorded(settings, "its configuration")
    own = {name: value for name, value in chip.items() if name not in (*_BESIDE, "layers", "parameters")}
    programmed = built(
        ProgrammedChip,
        own,
        "the chip",
        layers=tuple(layers),
        parameters=parameters,
        device=table(Device, chip["device"], "device"),
        energy=table(Energy, _table(chip, "energy"), "energy"),
        programming=table(Programming, chip.get("programming", {}), "programming"),
    )
    known, diagnosis, notes = (chip.get(name) for name in ("provenance", "findings", "notes"))
    if pulse_s is not None and is_number(pulse_s) and abs(pulse_s / programmed.read_s - 1.0) > 1e-9:
        warn(
            f"The chip '{programmed.name}' was made with t_pulse_s {pulse_s:g}, but its hardware drives rows for "
            f"{programmed.read_s:g} s: energy and drift are those of {programmed.read_s:g} s now"
        )
    return Compiled(
        programmed,
        config,
        provenance=Provenance() if known is None else _part(Provenance.from_json, known, "where its chip comes from"),
        findings=None if diagnosis is None else _part(Diagnosis.from_json, diagnosis, "what `compile` found"),
        notes=tuple(str(note) for note in (entry(chip, "notes", list, "the file") if notes is not None else ())),
    )


def _part(build: Callable[[Any], T], values: Any, what: str) -> T:
    try:
        return build(values)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpikeLoomError(f"it does not say in the right form {what}") from error


def _table(values: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = entry(values, name, dict, "the file")
    return found


def _array(tensors: dict[str, NDArray[Any]], name: str, kind: Any) -> NDArray[Any]:
    if name not in tensors or tensors[name].dtype != kind:
        there = "is not there" if name not in tensors else f"is {tensors[name].dtype}"
        raise SpikeLoomError(f"the array '{name}' must be {np.dtype(kind)}, but {there}")
    return tensors[name]


def _layer_from_json(values: Any, where: str) -> LayerParameters:
    """A layer's parameters; all features of neurons where the file does not say which there are."""
    if not isinstance(values, dict) or "resets" not in values:
        return built(LayerParameters, values, where)
    numbers = entry(values, "resets", list, where)
    kinds = tuple(entry({"resets": number}, "resets", Reset, where) for number in numbers)
    return built(LayerParameters, values, where, resets=kinds)


def _parameters_from_json(values: dict[str, Any]) -> NpuParameters:
    plan = values.get("plan")
    layers = tuple(
        _layer_from_json(layer, f"layer {index} of the hardware")
        for index, layer in enumerate(entry(values, "layers", list, "the hardware"))
    )
    whole = None if plan is None else plan_from_json(plan)
    kinds = {
        name: _kinds_from_json(values, name, known)
        for name, known in (("codings", CODINGS), ("rules", DECISION_RULES))
        if name in values
    }
    return built(NpuParameters, values, "the hardware", layers=layers, plan=whole, **kinds)


def _kinds_from_json(values: dict[str, Any], name: str, known: Kinds[Any]) -> tuple[Kind, ...]:
    """The kinds that the hardware is built for, by their names."""
    names = entry(values, name, list, "the hardware")
    return tuple(known[entry({name: each}, name, str, "the hardware")] for each in names)
