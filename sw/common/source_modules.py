"""The modules of the program as syntax trees: what each defines, imports, and does when it is imported.

Nothing is imported to read them.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TypeGuard

__all__ = [
    "PURE",
    "Module",
    "Reference",
    "SourceError",
    "Statement",
    "imported",
    "is_module",
    "is_own",
    "is_text",
    "module_of",
    "module_spec",
]

PURE = (("spikeloom.sim.common.kernels", "kernel"),)
"""Decorators of the program's own that put nothing anywhere."""
_OWN = ("spikeloom",)
"""The program's own package."""

Reference = tuple[str, str | None]
"""A module, and a name in it; None for all that is in it."""


class SourceError(LookupError):
    """A definition, a module or a folder that is named as a source does not exist."""


@dataclass(eq=False)
class Statement:
    """A statement at the top of a module: the names that it defines, none if it only does something."""

    node: ast.stmt
    names: tuple[str, ...]


@dataclass(eq=False)
class Module:
    """A module as it is written."""

    name: str
    path: Path
    lines: list[str]
    statements: list[Statement] = field(default_factory=list)
    bound: dict[str, list[Statement]] = field(default_factory=dict)
    imports: dict[str, Reference] = field(default_factory=dict)
    """Name -> what it stands for; a module for (module, None)."""
    foreign: set[str] = field(default_factory=set)
    """Names of other packages, which a module of the program may import from here."""
    effects: list[Statement | Reference] = field(default_factory=list)
    """What happens when the module is imported, and no name tells of."""


def is_own(module: str) -> bool:
    """Whether a module, by its name, is one of the program's."""
    return any(module == package or module.startswith(f"{package}.") for package in _OWN)


@functools.cache
def module_spec(name: str) -> ModuleSpec | None:
    """Where a module lies; nothing is imported to find it, not even the packages around it."""
    package = name.rpartition(".")[0]
    place = None
    if package:
        around = module_spec(package)
        if around is None or around.submodule_search_locations is None:
            return None
        place = list(around.submodule_search_locations)
    for finder in sys.meta_path:
        spec = finder.find_spec(name, place)
        if spec is not None:
            return spec
    return None


def is_module(name: str) -> bool:
    """Whether there is a module of the program of this name."""
    return is_own(name) and module_spec(name) is not None


@functools.cache
def module_of(name: str) -> Module:
    """A module of the program; raises `SourceError` where there is none."""
    spec = module_spec(name)
    if spec is None:
        raise SourceError(f"There is no module '{name}', though a source imports it")
    if spec.origin is None:  # a folder without an __init__.py
        return Module(name, Path(), [])
    path = Path(spec.origin)
    text = path.read_text(encoding="utf-8")
    module = Module(name, path, text.splitlines())
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    tree = ast.parse(text)
    for top in tree.body:
        if not is_text(top):
            _add(module, top, package)
    if "noqa" in text:  # else the linter refuses imports that nobody uses
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | set(_public(tree))
        for top in tree.body:
            if isinstance(top, ast.ImportFrom | ast.Import):
                module.effects += [target for alias, target in imported(top, package) if alias not in used]
    module.effects += [each for each in module.statements if not each.names or _registers(module, each.node)]
    return module


def _add(module: Module, node: ast.stmt, package: str) -> None:
    if isinstance(node, ast.ImportFrom | ast.Import):
        own = dict(imported(node, package))
        module.imports |= own
        module.foreign |= {alias.asname or alias.name for alias in node.names} - set(own)
        return
    if _only_for_types(node):
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom | ast.Import):
                module.imports |= dict(imported(inner, package))
        return
    names: tuple[str, ...]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        names = (node.name,)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        stored = [inner for target in targets for inner in ast.walk(target) if not isinstance(inner, ast.expr_context)]
        plain = all(isinstance(inner, ast.Name | ast.Tuple | ast.List | ast.Starred) for inner in stored)
        names = tuple(inner.id for inner in stored if isinstance(inner, ast.Name)) if plain else ()
    else:  # what happens at import, with names that it may define
        names = ()
        inside = [inner for inner in ast.walk(node) if isinstance(inner, ast.ImportFrom | ast.Import)]
        for inner in inside:
            module.imports |= dict(imported(inner, package))
    statement = Statement(node, names)
    module.statements.append(statement)
    stored_names = names or {
        inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }
    for name in stored_names:
        module.bound.setdefault(name, []).append(statement)


def imported(node: ast.ImportFrom | ast.Import, package: str) -> Iterator[tuple[str, Reference]]:
    """(name, what it stands for) of every name that an import of the program's own defines."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if is_own(alias.name):
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or top, (top, None)
        return
    source = node.module or ""
    if node.level:
        source = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], *filter(None, [source])])
    for alias in node.names:
        if alias.name == "*" and is_own(source):
            raise SourceError(f"'from {source} import *' cannot be followed: name what is imported")
        if is_own(source):
            yield alias.asname or alias.name, (source, alias.name)
        elif is_own(f"{source}.{alias.name}"):
            yield alias.asname or alias.name, (f"{source}.{alias.name}", None)


def _public(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            yield from (str(inner.value) for inner in ast.walk(node.value) if isinstance(inner, ast.Constant))


def _only_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether it is a docstring, of whatever."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _registers(module: Module, node: ast.stmt) -> bool:
    """Whether a decorator of the program's own may put the definition somewhere."""
    decorators = getattr(node, "decorator_list", [])
    names = {inner.id for each in decorators for inner in ast.walk(each) if isinstance(inner, ast.Name)}
    return any(module.imports.get(name) not in (None, *PURE) or name in module.bound for name in names)
