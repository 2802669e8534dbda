"""What a reader of `summary.json` does: events times coefficients, and cycles over the clock."""

from __future__ import annotations

import math
from typing import Any

import pytest

from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.estimates.energy_parts import COMPONENTS, PARTS
from tests.checks.energy_structure import expected_events


def check_energy(summary: dict[str, Any], parameters: NpuParameters) -> None:
    """Energy and latency of a summary follow from its activity, to the last digit, and are of the same images; events
    that are no activity follow from it and from the widths of the hardware, but for the rounding of means.

    parameters : of the chip, which has dense layers only
    """
    expected = expected_events(summary["layers"], parameters, summary["cycles"]["mean"], summary["chip"]["rule"])
    found, layers = summary["energy_J"], summary["layers"]
    clock = summary["cycles"]["mean"] is not None
    for row in found["events"]:
        if row["activity"] is not None:
            for place in row["places"]:
                assert place["events"] == layers[place["layer"]][row["activity"]]
        else:
            found_here = [place["events"] for place in row["places"]]
            if row["places"][0]["layer"] is None:
                wanted = expected[row["part"]]
            else:  # places whose events cost differently are in rows of their own
                wanted = [expected[row["part"]][place["layer"]] for place in row["places"]]
            assert found_here == pytest.approx(wanted, rel=1e-12, abs=1.0 if "wires" in row["part"] else 0.0), row
        assert row["events"] == math.fsum(place["events"] for place in row["places"])
        assert row["energy_J"] == {end: row["events"] * cost for end, cost in row["J_per_event"].items()}
        assert row["energy_J"]["low"] <= row["energy_J"]["typical"] <= row["energy_J"]["high"]
    known = COMPONENTS if clock else COMPONENTS[:-1]
    assert {row["component"] for row in found["events"]} == set(known)
    assert {row["part"] for row in found["events"]} <= {part.name for part in PARTS}
    for name in known:
        rows = [row["energy_J"] for row in found["events"] if row["component"] == name]
        assert found[name] == {end: math.fsum(joules[end] for joules in rows) for end in ("low", "typical", "high")}
    for kind in ("conductance", "conversions", "row_pulses"):
        rows = [row for row in found["events"] if row["activity"] == kind]
        counted = [place["layer"] for row in rows for place in row["places"]]
        assert sorted(counted) == list(range(len(layers))), kind
    efficiency, analog = summary["efficiency"], ("crossbar", "wires", "sampling", "adc", "dac")
    assert efficiency["analog_J"] == {
        end: math.fsum(found[name][end] for name in analog) for end in ("low", "typical", "high")
    }
    for end, cost in (("low", "high"), ("typical", "typical"), ("high", "low")):
        rate = efficiency["operations"]["steps"] / efficiency["analog_J"][cost] * 1e-12
        assert efficiency["TOPS_per_W"]["analog"][end] == rate
    assert found["measured_on"] == summary["layers_measured_on"] == summary["efficiency"]["measured_on"]
    if not clock:
        assert found["control"] is None and found["total"] is None
        return
    for end, total in found["total"].items():
        assert total == math.fsum(found[name][end] for name in COMPONENTS)
    for name, operations in summary["efficiency"]["operations"].items():
        ends = summary["efficiency"]["TOPS_per_W"][name]
        for end, cost in (("low", "high"), ("typical", "typical"), ("high", "low")):
            assert ends[end] == operations / found["total"][cost] * 1e-12
    for name in ("mean", "max"):
        assert summary["latency_s"][name] == summary["cycles"][name] / summary["latency_s"]["clock_Hz"]
    assert summary["latency_s"]["measured_on"] == summary["cycles"]["measured_on"] == found["measured_on"]
