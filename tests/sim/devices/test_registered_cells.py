"""docs/extending.md, "A cell kind", as it stands: a module outside of the tree, by call and by entry point."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import spikeloom
from spikeloom.sim.chip.cell_kinds import CELLS, CellKind, register_cell
from spikeloom.sim.chip.device_config import Device
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sim.crossbar.array_limits import half_selected_levels
from spikeloom.sim.devices.emulated import Emulated
from spikeloom.sim.devices.linear import Linear
from spikeloom.sim.devices.tantalum.kind import Tantalum
from spikeloom.sw.analysis.waterfall import waterfall
from spikeloom.sw.common.errors import ConfigError, WeightImageError
from spikeloom.sw.common.registered_sources import registered_sources
from spikeloom.sw.config.manual_page import configuration_page
from tests.fixtures.guide import guide_blocks, module_in
from tests.fixtures.models import make_images, make_model

MODEL, IMAGES = make_model(20, 12, 5), make_images(40, 20)
LABELS = np.arange(40) % 5
CODE, ENTRY_POINT = guide_blocks("A cell kind")


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The guide's module, which can be imported."""
    with module_in(tmp_path_factory.mktemp("outside"), "my_cells", CODE) as module:
        yield module


@pytest.fixture
def registered(cells: ModuleType) -> Iterator[ModuleType]:
    cells.register()
    try:
        yield cells
    finally:
        for kind in CELLS.registered():
            CELLS.unregister(kind.name)


def compiled(device: dict[str, Any], method: str = "direct") -> spikeloom.Chip:
    return spikeloom.compile(MODEL, IMAGES, {"preset": "tiny", "device": device, "programming": {"method": method}})


FADING = {"cell": "fading", "fading_reads": 40.0, "read_sigma": 0.02}


@pytest.mark.parametrize("method", ["direct", "write-verify"])
def test_cells_fade_in_the_reference(registered: ModuleType, method: str, tmp_path: Path) -> None:
    chip = compiled({**FADING, "device_sigma": 0.1}, method)
    result = chip.predict(IMAGES)
    assert result.drift is not None
    fresh = build_arrays(chip.programmed)
    for array, pulses, cells_S in zip(fresh, result.drift.row_pulses, result.drift.cells_S, strict=True):
        assert pulses.any()
        lost = pulses / (pulses + 40.0)
        expected = array.cells_S - (array.cells_S - chip.programmed.device.g_min_S) * lost[None, :, None]
        np.testing.assert_array_equal(cells_S, expected)
    steady = compiled({"read_sigma": 0.02, "device_sigma": 0.1}, method).predict(IMAGES)
    assert (steady.margins != result.margins).any()
    stages = waterfall(chip, IMAGES, LABELS)
    assert stages[-1] == ("drift", result.accuracy(LABELS))
    assert half_selected_levels(chip.programmed) is None
    chip.save(tmp_path / "chip.loom")
    again = spikeloom.load(tmp_path / "chip.loom")
    np.testing.assert_array_equal(again.predict(IMAGES).margins, result.margins)


def test_verilog_and_report_have_them(registered: ModuleType, tmp_path: Path) -> None:
    chip = compiled({**FADING, "drift_every": 3, "refresh_every": 7})
    reference, rtl = chip.predict(IMAGES[:10]), chip.cosim(IMAGES[:10])
    assert reference.compare(rtl) > 0
    assert reference.drift is not None and rtl.drift is not None and reference.drift.programmings == 2
    for ours, theirs in zip(reference.drift.cells_S, rtl.drift.cells_S, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    chip.report(tmp_path, IMAGES[:10], LABELS[:10], reference=reference, rtl=rtl)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Every read changes the conductances of the cells in the rows that it drives" in page
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["drift"] is not None and summary["drift"]["programmings"] == 2


def test_the_kind_is_one_like_any_other(registered: ModuleType) -> None:
    assert spikeloom.Config.load({"device": FADING}).device.drifts
    page = configuration_page()
    assert '`"linear"`, `"emulated"`, `"tantalum"`, `"fading"`' in page and "fading: cells that fade with reads" in page
    assert "| `fading_reads` | `1e+06` | number > 0 |" in page
    assert '`lifetime.measure = true` needs `device.cell = "tantalum"` or `"fading"`' in " ".join(page.split())
    for values, said in [
        (
            {"device": {"cell": "fadin"}},
            "'linear', 'emulated', 'tantalum' or 'fading', not 'fadin'; did you mean 'fading'?",
        ),
        ({"device": {"fading_reads": 3.0}}, "[device] fading_reads must be 1000000.0 with cell 'linear', whose cells"),
        (
            {"device": {**FADING, "stuck_on": 0.1}},
            "stuck_on must be 0.0 with cell 'fading', whose stuck cells would",
        ),
        ({"device": FADING, "coding": {"input": "analog"}}, "'analog' with [device] cell 'fading'"),
        ({"lifetime": {"measure": True}}, "or set [device] cell 'tantalum' or 'fading'"),
    ]:
        with pytest.raises(ConfigError, match=re.escape(said)):
            spikeloom.Config.load(values)


def test_without_the_kind_its_name_is_an_error(cells: ModuleType, tmp_path: Path) -> None:
    cells.register()
    compiled(FADING).save(tmp_path / "chip.loom")
    CELLS.unregister("fading")
    said = r"\[device\] cell must be 'linear', 'emulated' or 'tantalum', not 'fading'"
    with pytest.raises(ConfigError, match=said):
        spikeloom.Config.load({"device": {"cell": "fading"}})
    missing = (
        r"^'\S*chip.loom' has the cell kind 'fading' \(of module my_cells\) and the option of \[device\] "
        r"'fading_reads' \(of module my_cells\), which are not registered; import the module, or install the package, "
    )
    with pytest.raises(WeightImageError, match=missing):
        spikeloom.load(tmp_path / "chip.loom")
    with pytest.raises(ValueError, match=said):
        Device().model_copy(update={"cell": "fading"}).drifts  # noqa: B018


def test_cells_of_another_kind_that_do_not_drift_are_a_stage(cells: ModuleType) -> None:
    class Narrow(CellKind):
        name, meaning = "narrow", "cells that conduct 2 to 8 uS"

        def reachable_S(self, device: Device) -> tuple[float, float]:
            return 2e-6, 8e-6

    register_cell(Narrow())
    try:
        chip = compiled({"cell": "narrow"})
        stages = dict(waterfall(chip, IMAGES, LABELS))
        assert list(stages)[-1] == "cells" and stages["cells"] == chip.predict(IMAGES).accuracy(LABELS)
        g_S = build_arrays(chip.programmed)[0].cells_S
        assert g_S.min() == 2e-6 and g_S.max() == 8e-6
    finally:
        CELLS.unregister("narrow")


def test_what_cannot_be_registered(registered: ModuleType) -> None:
    registered.register()  # once more, as a call and an entry point may

    class Named(CellKind):
        name, meaning = "Named", ""

    class Again(CellKind):
        name, meaning = "linear", ""

    class Nowhere(CellKind):
        name, meaning, drifts = "nowhere", "", True

    class Options(CellKind):
        name, meaning, parameters = "options", "", registered.FadingOptions

    class Unused(CellKind):
        name, meaning, unused = "unused", "", ((("nofield",), "why"),)

    class Flat(CellKind):
        name, meaning, unused = "flat", "", ("pulse_up", "why")  # type: ignore[assignment]

    for kind, said in [
        (Unused(), "'unused' has 'nofield' among its unused options, and .device. has no such option"),
        (Flat(), "unused of the cell kind Flat must be a tuple of pairs"),
        (Named(), "name of the cell kind Named must be a text of small letters"),
        (Again(), "There is a cell kind 'linear' already"),
        (Nowhere(), "needs the methods drift and reachable_S"),
        (Options(), "'fading_reads' of FadingOptions is one of .device. already"),
    ]:
        with pytest.raises(ValueError, match=said):
            register_cell(kind)
    assert [kind.name for kind in CELLS] == ["linear", "emulated", "tantalum", "fading"]


def test_results_that_a_run_keeps_depend_on_the_kind(registered: ModuleType) -> None:
    assert list(registered_sources()) == ["my_cells"]
    before = registered_sources()["my_cells"]
    path = Path(str(registered.__file__))
    path.write_text(CODE.replace("lost[:, None]", "0.5 * lost[:, None]"), encoding="utf-8")
    assert registered_sources()["my_cells"] != before
    path.write_text(CODE, encoding="utf-8")
    CELLS.unregister("fading")
    assert registered_sources() == {}


def test_built_in_kinds_are_found_by_their_names() -> None:
    assert [type(kind) for kind in CELLS.built_in()] == [Linear, Emulated, Tantalum]
    assert all(CELLS[kind.name] is kind for kind in CELLS)
    unused = (pair for kind in CELLS for pair in (*kind.unused, *kind.unused_pulsed))
    assert {name for fields, _ in unused for name in fields} <= set(Device.model_fields)


def test_an_installed_package_registers_by_its_entry_point(tmp_path: Path) -> None:
    """The folder of an installed package, as an installer leaves it."""
    (tmp_path / "my_cells.py").write_text(CODE, encoding="utf-8")
    info = tmp_path / "my_cells-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-cells\nVersion: 1.0\n", encoding="utf-8")
    group, line = ENTRY_POINT.splitlines()
    group = group.removeprefix("[project.entry-points.").strip('"]')
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n", encoding="utf-8")
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import spikeloom
print(spikeloom.Config.load({"device": {"cell": "fading", "fading_reads": 5.0}}).device.kind.meaning)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "cells that fade with reads\n", done.stderr[-2000:]
