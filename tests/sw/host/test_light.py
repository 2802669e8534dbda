"""A driver of a board needs no simulator, no model of devices, no compiler and no training library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from torch import nn

import spikeloom
from spikeloom.hw.emulator.cell_words import emulator_words
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.sim.crossbar.array import build_arrays
from spikeloom.sw.host.emulated_cells import BoardCells
from tests.mutation.blocks import ROOT

HEAVY = ("numba", "torch", "cocotb", "cocotb_tools", "scipy", "matplotlib", "sklearn")

_DRIVER = """
import json, sys
from importlib.abc import MetaPathFinder

heavy, way, weights, cells, folder, images, answers = json.loads(sys.argv[1])

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in heavy:
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Absent())
from pathlib import Path
import numpy as np
from spikeloom.hw.emulator.shape import EmulatorShape
from spikeloom.sw.host import Host
from spikeloom.sw.weight_image.file import load
from tests.fixtures.fake_chip import FakeChip
from tests.fixtures.memory_transport import MemoryTransport
from tests.fixtures.serial_board import SerialBoard

parameters = load(weights).programmed.parameters
chip = FakeChip(parameters, {tag: (first, more) for tag, (first, more) in enumerate(answers)})
shapes = [EmulatorShape(parameters=layer) for layer in parameters.layers] if way == "emulated" else []
board = None if way == "memory" else SerialBoard(chip, Path(folder) / "tty", shapes=shapes)
with Host.connect(MemoryTransport(chip)) if board is None else Host.connect(board.port, cells=cells) as host:
    assert host.parameters == parameters
    report = host.load(weights)
    result = host.infer(np.array(images, np.uint8))
print(json.dumps({
    "codes": [layer.final.codes.tolist() for layer in report.layers],
    "failed": sum(layer.failed_cells for layer in report.layers),
    "words": [words.tolist() for words in board.cells] if board else [],
    "pixels": [frame[1].hex() for frame in chip.frames],
    "classes": result.classes.tolist(), "steps": result.steps.tolist(), "margins": result.margins.tolist(),
    "reasons": result.reasons.tolist(), "counters": result.counters.tolist(),
    "loaded": sorted({name.split(".")[0] for name in sys.modules} & set(heavy)),
}))
"""


@pytest.mark.parametrize("way", ["memory", "serial", "emulated"])
def test_a_driver_needs_no_simulation(tmp_path: Path, way: str) -> None:
    """A weight image is loaded, and images are run, in a process that has none of `HEAVY`: pulse by pulse into a chip
    in memory, or behind a serial port; and into a board's emulators from a file of cells.
    """
    rng = np.random.default_rng(3)
    model = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4))
    images = rng.integers(0, 256, (20, 12), np.uint8)
    emulated = way == "emulated"
    settings = {"hardware": {"programmer": False}} if emulated else {"programming": {"method": "write-verify"}}
    chip = spikeloom.compile(model, images, settings)
    cells = str(BoardCells.programmed(chip.programmed).save(tmp_path / "cells")) if emulated else None
    expected = chip.predict(images)
    answers = []
    for row in range(len(expected)):
        winner, steps, reason, margin = (
            int(field[row]) for field in (expected.classes, expected.steps, expected.reasons, expected.margins)
        )
        halves = [(100, 1)]  # cycles and gap, then a layer's counters and a half that is not used
        for layer in expected.counters[row].tolist():
            halves += list(zip([*layer, 0][::2], [*layer, 0][1::2], strict=True))
        words = [low | high << 32 for low, high in halves]
        answers.append((winner | steps << 16 | reason << 31 | (margin & 0xFFFFFFFF) << 32, words))
    weights = str(chip.save(tmp_path / "chip.loom"))
    arguments = json.dumps([HEAVY, way, weights, cells, str(tmp_path), images.tolist(), answers])
    run = subprocess.run(
        [sys.executable, "-c", _DRIVER, arguments], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert len(found["codes"]) == (0 if emulated else 2)
    for codes, layer in zip(found["codes"], chip.programmed.layers, strict=not emulated):
        np.testing.assert_array_equal(codes, 8 * np.stack([layer.positive, layer.negative]).astype(int))
    assert found["failed"] == 0 and found["loaded"] == []
    if emulated:
        for words, array in zip(found["words"], build_arrays(chip.programmed), strict=True):
            assert words == emulator_words(EmulatorShape(parameters=array.parameters), array.current_grid).tolist()
    for sent, image in zip(found["pixels"], images, strict=True):
        assert bytes.fromhex(sent)[:12] == image.tobytes()
    for name in ("classes", "steps", "margins", "reasons", "counters"):
        np.testing.assert_array_equal(found[name], getattr(expected, name))
