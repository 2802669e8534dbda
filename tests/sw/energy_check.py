"""What a reader of `summary.json` does: activity times coefficients, and cycles over the clock."""

from __future__ import annotations

import math
from typing import Any


def check_energy(summary: dict[str, Any]) -> None:
    """Energy and latency of a summary follow from its activity, to the last digit, and are of the same images."""
    found, layers = summary["energy_J"], summary["layers"]
    parts: dict[str, list[float]] = {}
    for row in found["events"]:
        if row["layers"] is None:
            assert row["events"] == summary["cycles"]["mean"]
        else:
            assert row["events"] == math.fsum(layers[index][row["activity"]] for index in row["layers"])
        assert row["energy_J"] == row["events"] * row["J_an_event"]
        parts.setdefault(row["component"], []).append(row["energy_J"])
    assert set(parts) == {"crossbar", "adc", "dac", "digital"}
    for kind in {row["activity"] for row in found["events"]} - {"cycles"}:
        counted = [index for row in found["events"] if row["activity"] == kind for index in row["layers"]]
        assert sorted(counted) == list(range(len(layers))), kind
    assert found["measured_on"] == summary["layers_measured_on"]
    energies = {name: math.fsum(values) for name, values in parts.items()}
    clock = summary["cycles"]["mean"] is not None
    assert [found[name] for name in ("crossbar", "adc", "dac")] == [energies[n] for n in ("crossbar", "adc", "dac")]
    assert found["digital"] == (energies["digital"] if clock else None)
    assert found["total"] == (math.fsum(energies.values()) if clock else None)
    if clock:
        for name in ("mean", "max"):
            assert summary["latency_s"][name] == summary["cycles"][name] / summary["latency_s"]["clock_Hz"]
        assert summary["latency_s"]["measured_on"] == summary["cycles"]["measured_on"] == found["measured_on"]
