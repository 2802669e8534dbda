"""Changed modules without changed files: an import hook that compiles modules of `hw` from another tree."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from tests.mutation.blocks import BLOCKS, module_of, source_of
from tests.mutation.places import Mutant, text_of

__all__ = ["install", "install_mutant", "install_watch"]

HIT = "__line_reached__"


class _Loader(SourceFileLoader):
    """Loads a module from code that is given; its source stays that of the file, and nothing is written."""

    def __init__(self, name: str, path: str, code: CodeType, names: Mapping[str, Any]) -> None:
        super().__init__(name, path)
        self._code, self._names = code, names

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(self._names)
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def __init__(self, modules: Mapping[str, tuple[str, CodeType]], names: Mapping[str, Any]) -> None:
        self._modules, self._names = modules, names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._modules:
            return None
        file, code = self._modules[fullname]
        return spec_from_file_location(fullname, file, loader=_Loader(fullname, file, code, self._names))


def install(trees: Mapping[str, ast.Module], names: Mapping[str, Any] | None = None) -> None:
    """From now on a block's module is imported from its tree in `trees`, with `names` among its globals.

    Raises
    ------
    RuntimeError : a module of `hw` is imported already, perhaps by others that took its names
    """
    if loaded := sorted(name for name in sys.modules if name.startswith("spikeloom.hw.")):
        raise RuntimeError(f"Mutants must be installed before any module of hw is imported, not after {loaded[0]}")
    modules = {}
    for block, tree in trees.items():
        path = str(source_of(block))
        modules[module_of(block)] = (path, compile(tree, path, "exec", dont_inherit=True))
    sys.meta_path.insert(0, _Finder(modules, names or {}))


def install_mutant(mutant: Mutant) -> None:
    """Import this process's `hw` with the mutant's change; who reads the module's file here sees it there, too."""
    file = source_of(mutant.block)
    text = text_of(mutant, file.read_text(encoding="utf-8"))
    install({mutant.block: ast.parse(text)})
    read = Path.read_text

    def read_text(path: Path, *arguments: Any, **options: Any) -> str:
        return text if path == file else read(path, *arguments, **options)

    Path.read_text = read_text  # type: ignore[method-assign, assignment]


class _Watched(ast.NodeTransformer):
    """Calls the hook before every statement of every function."""

    def __init__(self, block: str) -> None:
        self.block = block

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = self._watched(node.body)
        return node

    def _watched(self, body: list[ast.stmt]) -> list[ast.stmt]:
        new: list[ast.stmt] = []
        for statement in body:
            for field in ("body", "orelse"):
                if inner := getattr(statement, field, None):
                    setattr(statement, field, self._watched(inner))
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if not docstring:
                arguments: list[ast.expr] = [ast.Constant(self.block), ast.Constant(statement.lineno)]
                call = ast.Expr(ast.Call(ast.Name(HIT, ast.Load()), arguments, []))
                new.append(ast.copy_location(call, statement))
            new.append(statement)
        return new


def install_watch(reached: Callable[[str, int], None]) -> None:
    """Import this process's `hw` so that `reached(block, line)` is called before each statement of a function."""
    trees = {}
    for block in BLOCKS:
        tree = _Watched(block).visit(ast.parse(source_of(block).read_text(encoding="utf-8")))
        trees[block] = ast.fix_missing_locations(tree)
    install(trees, {HIT: reached})
