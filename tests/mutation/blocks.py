"""What is mutated: the modules of `hw/` that make hardware, the functions of them that do, and the tests that count."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["BLOCKS", "FUNCTIONS", "ROOT", "is_block_function", "source_of", "test_files"]

ROOT = Path(__file__).resolve().parents[2]

FUNCTIONS: dict[str, tuple[str, ...]] = {
    "adder_tree": ("adder_tree",),
    "constant_division": ("reciprocal", "divided"),
    "npu_maps": ("_add", "join_maps", "_join_cores", "_share"),
    "phase_shifter": ("advance", "random_lanes"),
    "write_guard": ("window_hits",),
}
"""Functions outside of a component that make hardware. The others of these modules are for software, or models."""

_NOT_OF_THE_CIRCUIT = (
    "test_export",
    "test_export_axi",
    "test_export_maps",
    "test_geometry",
    "test_host_registers",
    "test_manual_figures",
    "test_plan_words",
    "test_processes",
    "test_readable_verilog",
    "test_rtlil_modules",
    "test_structure",
    "test_synthesis",
    "test_wide_signals",
)
"""Test files about texts, figures and tools: a difference that they see is not a wrong answer of the circuit."""


def source_of(block: str) -> Path:
    return ROOT / "hw" / f"{block}.py"


def test_files() -> list[str]:
    """Test files that may kill a mutant, from the root, sorted."""
    files = sorted((ROOT / "tests" / "hw").glob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in files if path.stem not in _NOT_OF_THE_CIRCUIT]


test_files.__test__ = False  # type: ignore[attr-defined]


def is_block_function(block: str, owner: ast.ClassDef | None, function: ast.FunctionDef) -> bool:
    """Whether the function makes hardware: a method of a component but for its constructor and its properties."""
    if owner is None:
        return function.name in FUNCTIONS.get(block, ())
    methods = {node.name for node in owner.body if isinstance(node, ast.FunctionDef)}
    return "elaborate" in methods and not function.name.startswith("__") and not function.decorator_list


def _has_hardware(block: str) -> bool:
    tree = ast.parse(source_of(block).read_text(encoding="utf-8"))
    owners = [(None, tree.body), *((node, node.body) for node in tree.body if isinstance(node, ast.ClassDef))]
    return any(
        isinstance(node, ast.FunctionDef) and is_block_function(block, owner, node)
        for owner, body in owners
        for node in body
    )


BLOCKS = tuple(path.stem for path in sorted((ROOT / "hw").glob("*.py")) if _has_hardware(path.stem))
"""Modules of `hw/` that have such functions."""
