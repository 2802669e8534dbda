"""What is mutated: the modules of `hw/` that make hardware, the functions of them that do, and the tests that count."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["BLOCKS", "FUNCTIONS", "ROOT", "is_block_function", "module_of", "source_of", "test_files"]

ROOT = Path(__file__).resolve().parents[2]

FUNCTIONS: dict[str, tuple[str, ...]] = {
    "adder_tree": ("adder_tree",),
    "constant_division": ("reciprocal", "divided"),
    "random_source": ("advance", "random_lanes"),
    "spike_encoder": (
        "active_rows",
        "encode_word",
        "goes",
        "held",
        "phase_register",
        "read_ahead",
        "row_registers",
        "without_padding",
    ),
    "stages": ("_add", "join_maps", "_add_windows", "_join_cores", "_add_pool", "_write_map", "_share"),
    "write_guard": ("block_hits",),
}
"""Functions outside of a component that make hardware. The others of these modules are for software, or models."""

_NOT_OF_THE_CIRCUIT = (
    "export/*",
    "params/test_plan.py",
    "host/test_plan_words.py",
    "host/test_register_map.py",
    "boards/test_[!b]*.py",
    "boards/test_board_kinds.py",
)
"""Test files about texts, figures and tools: a difference that they see is not a wrong answer of the circuit."""

_SOURCES = {path.stem: path for path in sorted((ROOT / "hw").rglob("*.py")) if path.stem != "__init__"}
"""Block -> its module; names of modules are unique in `hw/`."""


def source_of(block: str) -> Path:
    return _SOURCES[block]


def module_of(block: str) -> str:
    """The block's module, dotted."""
    return ".".join(("spikeloom", *source_of(block).relative_to(ROOT).with_suffix("").parts))


def test_files() -> list[str]:
    """Test files that may kill a mutant, from the root, sorted."""
    folder = ROOT / "tests" / "hw"
    others = {path for pattern in _NOT_OF_THE_CIRCUIT for path in folder.glob(pattern)}
    return [str(path.relative_to(ROOT)) for path in sorted(folder.rglob("test_*.py")) if path not in others]


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


BLOCKS = tuple(block for block in sorted(_SOURCES) if _has_hardware(block))
"""Modules of `hw/` that have such functions."""
