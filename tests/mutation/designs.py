"""Units with many kinds of parameters, as RTLIL: a mutant that changes none of these texts changes no circuit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

__all__ = ["digests", "units"]


def units() -> Iterator[tuple[str, Callable[[], Any]]]:
    """Components by name. Imports are inside: a mutant must be installed before."""
    from spikeloom.hw.npu import Npu
    from spikeloom.hw.npu_axi import NpuAxi
    from spikeloom.hw.params.codings import CODINGS
    from spikeloom.hw.params.decision_rules import DECISION_RULES
    from spikeloom.hw.params.parameters import Reset
    from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
    from tests.hw import test_npu
    from tests.hw.feature_maps import test_stages as test_npu_maps

    def dense(**how: Any) -> Callable[[], Any]:
        return lambda: Npu(parameters=test_npu.unit(**how))

    def maps(plan: Callable[[], Any], **how: Any) -> Callable[[], Any]:
        return lambda: Npu(parameters=test_npu_maps.unit_of(plan(), **how))

    yield "dense", dense()
    yield "dense, subtracts only", dense(leak=False, clip=False, resets=(Reset.SUBTRACT,))
    yield "dense, zero or none", dense(leak=False, clip=False, resets=(Reset.ZERO, Reset.NONE))
    yield "dense, no programmers", dense(programmer=False)
    yield "dense, no counters", dense(activity_counters=False)
    yield "dense, one encoder", lambda: Npu(parameters=replace(test_npu.unit(phases=3), encoders=1))
    yield "dense, all rules", lambda: Npu(parameters=replace(test_npu.unit(), rules=DECISION_RULES.unit))
    for coding in CODINGS.unit:
        only = replace(test_npu.unit(row_bits=coding.row_bits), codings=(coding,))
        yield f"dense, {coding.name} coding", lambda only=only: Npu(parameters=only)
    yield "dense, one layer", dense(sizes=(4, 1), lanes=1)
    yield "dense, K = 3", dense(sizes=(16, 12, 9, 4), phases=3, lanes=4)
    yield "dense, analog", dense(sizes=(5, 8), row_bits=8, phases=2)
    yield "convolution", maps(test_npu_maps.convolution, row_bits=8)
    yield "pooled, average", maps(lambda: test_npu_maps.pooled(AveragePoolStage), phases=3)
    yield "pooled, maximum", maps(lambda: test_npu_maps.pooled(MaxPoolStage), lanes=2)
    yield "residual", maps(test_npu_maps.residual)
    for name in ("two", "three"):
        yield f"{name} replicas", maps(lambda name=name: test_npu_maps.REPLICAS[name])
    yield "buses", lambda: NpuAxi(parameters=test_npu.unit())
    yield "buses, no programmers", lambda: NpuAxi(parameters=test_npu.unit(programmer=False))
    yield "buses, no counters", lambda: NpuAxi(parameters=test_npu.unit(activity_counters=False))
    yield "buses, maps", lambda: NpuAxi(parameters=test_npu_maps.unit_of(test_npu_maps.residual()))


def digests() -> Iterator[tuple[str, str]]:
    """Name of each unit and digest of its RTLIL, without places in the source; small units first."""
    from amaranth.back import rtlil

    for name, make in units():
        text = rtlil.convert(make(), emit_src=False)
        yield name, hashlib.sha256(text.encode()).hexdigest()[:16]
