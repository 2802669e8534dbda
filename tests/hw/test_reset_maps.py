"""A unit with maps, pooling, replicas and a residual addition, reset in the middle of images: from random values, and
from X."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import spikeloom.hw.feature_maps.stages
from spikeloom.hw.export.axi_verilog import export_axi
from spikeloom.hw.feature_maps.pool_unit import PoolUnit
from spikeloom.sim.cosim.simulator import Simulator
from tests.benches.proof_bench import mutant
from tests.benches.reset_maps_tb import UNIT, network
from tests.benches.start_values import paths_of, without_reset
from tests.conftest import icarus
from tests.hw.export.test_verilog import level_lines
from tests.hw.test_npu_axi_cosim import bench_of, run_bench


@functools.cache
def exported() -> dict[str, str]:
    return export_axi(UNIT)


def play(
    folder: Path,
    simulator: str = "verilator",
    resets: int = 8,
    export: Mapping[str, str] | None = None,
    seed: int = 1,
    scramble: bool = True,
    extra: tuple[str, ...] = (),
    quick: bool = True,
) -> None:
    """Run the bench of the unit, or of another `export` of it; not `scramble`d it starts from X, or 0 in Verilator."""
    registers = paths_of(exported())
    texts = bench_of(export or exported(), registers, seed if scramble else None)
    built = Simulator.of_texts(texts, simulator, quick=quick)
    (folder / "registers.json").write_text(json.dumps(list(registers)))
    for index, layer in enumerate(network()):
        for side, sign in (("p", 1), ("n", -1)):
            (folder / f"layer_{index}_{side}.hex").write_text(level_lines(layer, sign))
    run_bench(built, folder, [f"+resets={resets}", f"+seed={seed}", *extra], "tests.benches.reset_maps_tb")


@pytest.mark.parametrize(
    ("simulator", "resets"), [("verilator", 8), pytest.param("icarus", 4, marks=[icarus, pytest.mark.slow])]
)
def test_images_after_resets_in_images(simulator: str, resets: int, tmp_path: Path) -> None:
    # Verilator's registers and memories start from random values, those of Icarus from X.
    play(tmp_path, simulator, resets, scramble=simulator == "verilator")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_many_resets(seed: int, tmp_path: Path) -> None:
    play(tmp_path, resets=200, seed=seed, quick=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Mux(now.first, 0, now.before)", "now.before"),
        ("Mux(now.first, self._stage.start, now.before)", "now.before"),
    ],
    ids=["sums of maximum pooling", "sums of average pooling"],
)
def test_mutants_that_keep_sums_fail(old: str, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spikeloom.hw.feature_maps.stages, "PoolUnit", mutant(PoolUnit, old, new))
    with pytest.raises(AssertionError, match=r"the answer of image|counters of layer"):
        play(tmp_path, export=export_axi(UNIT))


@pytest.mark.slow
@pytest.mark.parametrize(("compare", "found"), [(1, r"leaves npu_axi\.npu\.loader\.state"), (0, "<failure")])
def test_mutants_that_keep_a_register_fail(compare: int, found: str, tmp_path: Path) -> None:
    """By its value, and without that by the images after a reset in an image: it starts as if it had been reset."""
    broken = without_reset(exported(), "npu_axi_npu_loader.sv", "state")
    with pytest.raises(AssertionError, match=found):
        play(tmp_path, export=broken, scramble=False, extra=(f"+compare={compare}",))
