"""The weight image, a .loom file: a programmed chip with its hardware parameters, checked, versioned, without pickle.

A .loom file is a safetensors file. Tensors are, for layer l, `layers.l.positive` and `layers.l.negative` (uint8
[inputs, outputs]) and `layers.l.bias` (int32 [outputs]). The header's metadata has `format` ("spikeloom weight image"),
`version`, `sha256` and `chip`, a JSON text with all the rest: hardware, configuration, where the chip comes from, what
`compile` chose and found. The checksum covers version, JSON text and tensors.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import DECISION_RULES, built_rules
from spikeloom.hw.params.neuron_features import ALL_FEATURES
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL
from spikeloom.hw.params.parameters import LayerParameters, NpuParameters
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.sim.chip.programmed_chip import ProgrammedChip, ProgrammedLayer
from spikeloom.sw.common.errors import ArgumentTypeError, ConfigError, FileError, SpikeLoomError, WeightImageError
from spikeloom.sw.common.files import as_path, readable_error, write_atomic
from spikeloom.sw.common.findings import Diagnosis
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.config.config import CONFIG_GROUPS, Config
from spikeloom.sw.weight_image.content import ARRAYS, rebuilt, renew_energy, renew_features
from spikeloom.sw.weight_image.fields import disagreement, number_or_name
from spikeloom.sw.weight_image.old_names import renew_names
from spikeloom.sw.weight_image.plan_json import plan_difference, plan_to_json
from spikeloom.sw.weight_image.registered_parts import missing_parts, registered_parts

__all__ = [
    "FORMAT",
    "VERSION",
    "check_agreement",
    "chip_digest",
    "feature_remedy",
    "first_difference",
    "load",
    "pack",
    "safetensors_bytes",
    "save",
    "unpack",
]

FORMAT = "spikeloom weight image"
VERSION = 11
"""Version that is written. Older ones are read too, and get defaults for what they lack: version 1 `programming` and
`program_cycles`, version 2 the plan of maps and the layers' positions, version 3 replicas of crossbars, version 4 where
the chip comes from, version 5 what `compile` chose and found. Up to version 5 a
read pulse had a length of its own, `t_pulse_s`, which is no longer used. Up to version 6 energy coefficients were
single numbers, other ones: what was not a default then is kept, if it is there still. Up to version 7 some names were
other ones (`sw.weight_image.old_names`). Up to version 8 neurons had all features, and there were
two encoders, of all codings. Up to version 9 there were programmers and
activity counters. Up to version 10 there was no decision rule but those that every unit has.
"""
_REMEDY = "take a complete copy, or compile the chip again"


def pack(
    programmed: ProgrammedChip,
    config: Config,
    provenance: Provenance | None = None,
    findings: Diagnosis | None = None,
    notes: tuple[str, ...] = (),
) -> bytes:
    """The content of a .loom file; the same bytes for the same chip. Without `provenance` its origin is unknown."""
    tensors, chip = _content(programmed)
    origin = Provenance() if provenance is None else provenance
    chip |= {
        "config": config.model_dump(mode="json"),
        "provenance": origin.to_json(),
        "findings": None if findings is None else findings.to_json(),
        "notes": list(notes),
    }
    parts = registered_parts(programmed)
    if parts:
        chip["registered"] = parts
    text = json.dumps(chip, sort_keys=True)
    metadata = {"format": FORMAT, "version": str(VERSION), "chip": text}
    metadata["sha256"] = _checksum(metadata["version"], text, tensors)
    return safetensors_bytes(tensors, metadata)


def save(chip: Compiled, path: Path) -> Path:
    """Write the weight image, whole or not at all; see `Chip.save`."""
    check_agreement(chip.programmed, chip.config)
    write_atomic(path, pack(chip.programmed, chip.config, chip.provenance, chip.findings, chip.notes))
    return path


def check_agreement(programmed: ProgrammedChip, config: Config) -> None:
    """Raise `ConfigError` for a configuration that is not the chip's, so that `load` would refuse the file."""
    difference = disagreement(programmed, config)
    if difference is not None:
        raise ConfigError(config.name, [f"{difference}; save a chip with the configuration that it was compiled with"])


def chip_digest(programmed: ProgrammedChip) -> str:
    """SHA-256 of all that a chip is, hexadecimal; its name is not part of it."""
    tensors, chip = _content(programmed)
    return _checksum("chip", json.dumps({**chip, "name": None}, sort_keys=True), tensors)


def _content(programmed: ProgrammedChip) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Tensors, and the rest as plain values."""
    tensors: dict[str, NDArray[Any]] = {
        f"layers.{index}.{name}": np.ascontiguousarray(getattr(layer, name), dtype=dtype)
        for index, layer in enumerate(programmed.layers)
        for name, dtype in ARRAYS.items()
    }
    scalars = [field.name for field in dataclasses.fields(ProgrammedLayer) if field.name not in ARRAYS]
    chip = {field.name: getattr(programmed, field.name) for field in dataclasses.fields(ProgrammedChip)}
    chip |= {
        "coding": number_or_name(programmed.coding),
        "rule": number_or_name(programmed.rule),
        "layers": [{name: getattr(layer, name) for name in scalars} for layer in programmed.layers],
        "parameters": _parameters_to_json(programmed.parameters),
        "device": programmed.device.model_dump(mode="json"),
        "energy": programmed.energy.model_dump(mode="json"),
        "programming": programmed.programming.model_dump(mode="json"),
    }
    return tensors, chip


def _parameters_to_json(parameters: NpuParameters) -> dict[str, Any]:
    values = {field.name: getattr(parameters, field.name) for field in dataclasses.fields(parameters)}
    plan = None if parameters.plan.is_dense_chain else plan_to_json(parameters.plan)
    layers = [dataclasses.asdict(layer) for layer in parameters.layers]
    kinds = {name: [kind.name for kind in getattr(parameters, name)] for name in ("codings", "rules")}
    return {**values, "layers": layers, "plan": plan, **kinds}


def safetensors_bytes(tensors: dict[str, NDArray[Any]], metadata: dict[str, str]) -> bytes:
    """A safetensors file with its header in a fixed order (the library's own order of metadata changes from run to
    run).
    """
    header: dict[str, Any] = {"__metadata__": metadata}
    parts: list[bytes] = []
    end = 0
    for name, array in sorted(tensors.items(), key=lambda item: (-item[1].itemsize, item[0])):
        start, end = end, end + array.nbytes
        kind = {"uint8": "U8", "int32": "I32"}[array.dtype.name]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
        parts.append(array.astype(array.dtype.newbyteorder("<")).tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(parts)


def load(path: str | os.PathLike[str], expected_parameters: NpuParameters | None = None) -> Compiled:
    """The chip in a .loom file; `spikeloom.load` makes a `Chip` of it."""
    if expected_parameters is not None and not isinstance(expected_parameters, NpuParameters):
        raise ArgumentTypeError(f"expected_parameters must be NpuParameters, not {type(expected_parameters).__name__}")
    place = as_path(path, "weight image")
    try:
        if place.exists() and not (place.is_file() or place.is_dir()):
            raise FileError(f"Cannot read '{place}': it is not a file")
        content = place.read_bytes()
    except FileNotFoundError:
        raise FileError(f"There is no weight image '{place}'") from None
    except OSError as error:
        raise FileError(readable_error(path, error, "read")) from error
    found = unpack(content, os.fspath(path))
    difference = disagreement(found.programmed, found.config)
    if difference is not None:
        raise WeightImageError(
            f"The weight image '{os.fspath(path)}' contradicts itself: {difference}; compile the chip again"
        )
    if expected_parameters is not None:
        _check_parameters(found.programmed.parameters, expected_parameters, os.fspath(path))
    return found


def unpack(content: bytes, source: str) -> Compiled:
    """What is in the content of a .loom file.

    Raises `WeightImageError`, naming `source`, for content that is foreign, newer or damaged, and for a chip of an
    earlier version with settings that are refused now.
    """
    metadata = _metadata(content, source)
    if metadata.get("format") != FORMAT:
        raise WeightImageError(f"'{source}' is not a SpikeLoom weight image")
    damaged = f"The weight image '{source}' is damaged"
    version = metadata.get("version", "")
    number = int(version) if re.fullmatch(r"[0-9]{1,9}", version) else 0
    if number > VERSION:
        raise WeightImageError(
            f"'{source}' is a weight image of version {version}, but this program reads versions up to {VERSION}; "
            "update SpikeLoom"
        )
    if number < 1:
        raise WeightImageError(f"{damaged}: its version must be 1 .. {VERSION}, not {version!r:.60}; {_REMEDY}")
    from safetensors import SafetensorError
    from safetensors.numpy import load as load_tensors

    load_plugins(*CONFIG_GROUPS)  # a package that cannot be loaded is no damage of the file
    try:
        tensors = load_tensors(content)
        if _checksum(version, metadata["chip"], tensors) != metadata["sha256"]:
            raise WeightImageError(f"{damaged}: its content does not fit its checksum; {_REMEDY}")
        chip = json.loads(metadata["chip"])
        if not isinstance(chip, dict):
            raise SpikeLoomError(f"its chip must be a table, not {chip!r:.60}")
        if number < 7:
            renew_energy(chip)
        if number < 8:
            renew_names(chip)
        if number < 9:
            renew_features(chip)
        missing = missing_parts(chip)
        if missing:
            one = len(missing) == 1
            raise WeightImageError(
                f"'{source}' has {' and '.join(missing)}, which {'is' if one else 'are'} not registered; import the "
                f"module, or install the package, that registers {'it' if one else 'them'}"
            )
        return rebuilt(chip, tensors)
    except WeightImageError:
        raise
    except ConfigError as error:
        problems = "; ".join(error.problems)
        if number == VERSION:
            raise WeightImageError(f"{damaged}: in its configuration {problems}; {_REMEDY}") from error
        raise WeightImageError(
            f"The chip in '{source}' was made by an earlier version, with settings that are no longer allowed; "
            f"compile it "
            f"again: {problems}"
        ) from error
    except (SafetensorError, json.JSONDecodeError) as error:
        raise WeightImageError(f"{damaged}: its arrays or its text cannot be read; {_REMEDY}") from error
    except SpikeLoomError as error:
        raise WeightImageError(f"{damaged}: {' '.join(str(error).split())}; {_REMEDY}") from error
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:  # Python's
        raise WeightImageError(f"{damaged}: a part of it is missing, or of another form; {_REMEDY}") from error


def _metadata(content: bytes, source: str) -> dict[str, str]:
    """Metadata of a safetensors header: 8 bytes of length, little-endian, then JSON."""
    size = int.from_bytes(content[:8], "little")
    try:
        if len(content) < 8 or size > len(content) - 8:
            raise ValueError("too short")
        metadata = json.loads(content[8 : 8 + size])["__metadata__"]
        return {str(key): str(value) for key, value in metadata.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        if FORMAT.encode() in content[:65536]:
            raise WeightImageError(f"The weight image '{source}' is damaged: it is truncated; {_REMEDY}") from None
        raise WeightImageError(f"'{source}' is not a SpikeLoom weight image") from None


def _checksum(version: str, text: str, tensors: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(f"{FORMAT}\n{version}\n{text}\n".encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _check_parameters(found: NpuParameters, expected: NpuParameters, source: str) -> None:
    """Raise, naming the first difference, if the chip was made for other hardware."""
    difference = first_difference(found, expected)
    if difference is not None:
        what, a, b = difference
        raise WeightImageError(
            f"The weight image '{source}' was made for other hardware: {what} is {a}, but the design has {b}"
            f"{feature_remedy(found, expected)}"
        )


def feature_remedy(parameters: NpuParameters, expected: NpuParameters) -> str:
    """What helps where two chips differ in nothing but features of neurons, codings, decision rules, encoders and
    optional parts, or have different codings, a clause; "" for other differences.
    """

    def whole(chip: NpuParameters) -> NpuParameters:
        layers = (dataclasses.replace(layer, **(ALL_FEATURES | ALL_OPTIONAL)) for layer in chip.layers)
        return dataclasses.replace(chip, layers=tuple(layers), codings=CODINGS.unit, rules=built_rules(), encoders=1)

    if first_difference(whole(parameters), whole(expected)) is not None:
        if parameters.codings == expected.codings:
            return ""
        return (
            "; generate the hardware from this network with `spikeloom verilog`, or compile the network with the "
            "[coding] of the hardware"
        )
    has_all = {}  # whether the hardware has all, of what differs
    if parameters.codings != expected.codings:
        has_all["input_codings"] = expected.codings == CODINGS.unit
    if any(getattr(a, name) != getattr(b, name) for name in ALL_FEATURES for a, b in _layers(parameters, expected)):
        has_all["neuron_features"] = all(
            layer == dataclasses.replace(layer, **ALL_FEATURES) for layer in expected.layers
        )
    if parameters.rules != expected.rules:
        has_all["decision_rules"] = expected.rules == DECISION_RULES.unit
    settings = [f'{name} = "all"' for name in has_all]
    if parameters.encoders != expected.encoders:
        settings.append(f"encoders = {expected.encoders}")
    for name in ALL_OPTIONAL:
        there = getattr(expected.layers[0], name)
        if there != getattr(parameters.layers[0], name):
            settings.append(f"{name} = {str(there).lower()}")
    setting = "[hardware] " + " and ".join(settings)
    if all(has_all.values()):
        return f"; compile the network with {setting}"
    return f"; generate the hardware with {setting}, and compile the network with it, too"


def _layers(parameters: NpuParameters, expected: NpuParameters) -> Iterator[tuple[LayerParameters, LayerParameters]]:
    return zip(parameters.layers, expected.layers, strict=True)


def first_difference(parameters: NpuParameters, expected: NpuParameters) -> tuple[str, Any, Any] | None:
    """The first parameter in which two chips differ: what it is, and its two values; None for equal ones."""
    for field in dataclasses.fields(NpuParameters):
        a, b = getattr(parameters, field.name), getattr(expected, field.name)
        if field.name not in ("layers", "plan") and a != b:
            return field.name, _shown(a), _shown(b)
    if not (parameters.plan.is_dense_chain and expected.plan.is_dense_chain):
        difference = plan_difference(parameters.plan, expected.plan)
        if difference is not None:
            return difference
    if len(parameters.layers) != len(expected.layers):
        return "number of layers", len(parameters.layers), len(expected.layers)
    for index, (layer, other) in enumerate(zip(parameters.layers, expected.layers, strict=True)):
        for field in dataclasses.fields(LayerParameters):
            a, b = getattr(layer, field.name), getattr(other, field.name)
            if a != b:
                return f"{field.name} of layer {index}", _shown(a), _shown(b)
    return None


def _shown(value: Any) -> Any:
    """A parameter as text: kinds of reset, and codings, by their names."""
    return " and ".join(kind.name for kind in value) if isinstance(value, tuple) else value
