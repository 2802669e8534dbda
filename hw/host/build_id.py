"""The number that tells builds of the unit apart: weights of one do not load into another."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict

from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.decision_rules import built_rules
from spikeloom.hw.params.neuron_features import ALL_FEATURES
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL
from spikeloom.hw.params.parameters import NpuParameters

__all__ = ["build_id"]


def build_id(parameters: NpuParameters) -> int:
    """Number of a build: CRC-32 of its structural parameters as canonical JSON (sorted keys, no spaces).

    Dense layers in a row have no plan, and one position each: neither is in their text, nor are two encoders, an
    encoder of all codings, decision rules without an optional one, the features of neurons that have them all, and
    optional parts that are there. Names in the text are those of the first version of the map, or equal hardware would
    have another number.
    """
    values = asdict(parameters)
    if parameters.encoders == 2:
        del values["encoders"]
    del values["codings"]
    if parameters.codings != CODINGS.unit:
        values["codings"] = [int(coding) for coding in parameters.codings]
    del values["rules"]
    if parameters.rules != built_rules():
        values["rules"] = [int(rule) for rule in parameters.rules]
    for layer in values["layers"]:
        if all(layer[name] == value for name, value in ALL_FEATURES.items()):
            for name in ALL_FEATURES:
                del layer[name]
        for name, there in ALL_OPTIONAL.items():
            if layer[name] == there:
                del layer[name]
    if parameters.plan.is_dense_chain:
        del values["plan"]
        for layer in values["layers"]:
            del layer["positions"]
    else:
        values["plan"]["image"] = values["plan"].pop("input")
        for stage in values["plan"]["stages"]:
            if "replicas" in stage:
                stage["copies"] = stage.pop("replicas")
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return zlib.crc32(text.encode())
