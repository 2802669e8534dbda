"""Which memories are modules of their own in a netlist for a run of gates."""

from __future__ import annotations

from spikeloom.hw.standard_cells.cell_mapping import _large
from spikeloom.hw.standard_cells.memories import Memory, models, stubs


def memory(name: str, words: int, bits: int, plain: str = "", apart: bool = False) -> Memory:
    return Memory("part", name, words, bits, 3, (True,), 1, bits, "old", plain, apart)


def test_lanes_of_a_memory_count_together() -> None:
    lanes = [memory(f"biases.lanes[{lane}]", 8, 4) for lane in range(3)]
    others = [memory("biases_2", 8, 4), memory("membranes", 8, 20), memory("odd", 8, 20, "it has no clock")]
    assert _large([*lanes, *others], 95, whole=True) == [*lanes, others[1]], "3 * 32 bits, and 160"
    assert _large([*lanes, *others], 96, whole=True) == [others[1]]
    assert _large([*lanes, *others], 95, whole=False) == [others[1]]


def test_a_module_of_flip_flops_has_another_name_than_a_black_box_of_its_shape() -> None:
    box, cells = memory("a", 8, 4), memory("b", 8, 4, apart=True)
    assert (box.black_box, cells.black_box) == ("memory_8x4_r1w_old", "memory_8x4_r1w_old_cells")
    assert "module memory_8x4_r1w_old (" in stubs([box]) and "module memory_8x4_r1w_old_cells (" in models([cells])
