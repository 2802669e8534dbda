"""What a statement uses: names, modules, and files of the folders that come along with packages."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

from spikeloom.sw.common.source_modules import (
    Module,
    Reference,
    SourceError,
    Statement,
    imported,
    is_module,
    is_own,
    is_text,
    module_of,
    module_spec,
)

__all__ = ["DATA", "used_by"]

DATA = ("networks", "presets", "templates", "verilog")
"""Folders inside of packages whose files are not Python."""
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@functools.cache
def used_by(module: Module, statement: Statement) -> tuple[frozenset[Reference | Path], str]:
    """What a statement uses, names in this module and others, and data folders or files; and its text without
    docstrings.
    """
    package = module.name if module.path.name == "__init__.py" else module.name.rpartition(".")[0]
    found: set[Reference | Path] = set()
    top = statement.node
    first = min([top.lineno, *(each.lineno for each in getattr(top, "decorator_list", []))])
    lines = dict(enumerate(module.lines[first - 1 : top.end_lineno], first))
    nodes: list[ast.AST] = [top]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.expr):
            place = _place(module, node)
            if place is not None and place[1]:
                if place[1][0] in DATA:
                    found.add(place[0])
                nodes += _joins(node)
                continue
            if isinstance(node, ast.Name):
                if node.id in module.bound or node.id in module.imports:
                    found.add((module.name, node.id))
                continue
            if isinstance(node, ast.Constant):
                if isinstance(node.value, str) and _MODULE.fullmatch(node.value) and is_module(node.value):
                    found.add((node.value, None))
                continue
            inside = _attribute(module, node) if isinstance(node, ast.Attribute) else None
            if inside is not None:
                found.add(inside)
                continue
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {target for _, target in imported(node, package)}
            continue
        elif is_text(node):
            if module.lines[node.lineno - 1].lstrip().startswith('"'):
                for number in range(node.lineno, (node.end_lineno or node.lineno) + 1):
                    lines.pop(number, None)
            continue
        for name in node._fields:
            value = None if name in ("ctx", "returns") else getattr(node, name, None)
            if isinstance(value, ast.AST):
                nodes.append(value)
            elif isinstance(value, list):
                nodes += [inner for inner in value if isinstance(inner, ast.AST)]
    return frozenset(found), "\n".join(lines.values())


def _attribute(module: Module, node: ast.Attribute) -> Reference | None:
    """What `a.b.c` stands for where `a` is a module: the first name in it that is none itself."""
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.insert(0, inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name) or inner.id not in module.imports or inner.id in module.bound:
        return None
    source, name = module.imports[inner.id]
    if name is not None:
        if not is_module(f"{source}.{name}") or name in module_of(source).bound or name in module_of(source).imports:
            return None
        source = f"{source}.{name}"
    for part in parts:
        if part in module_of(source).bound or not is_module(f"{source}.{part}"):
            return source, part
        source = f"{source}.{part}"
    return source, None


def _place(module: Module, node: ast.expr) -> tuple[Path, tuple[str, ...]] | None:
    """The path that an expression of fixed parts stands for, and its parts that are written out."""
    if isinstance(node, ast.Call):
        function = node.func
        named = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        first = node.args[0] if node.args else None
        if named == "Path" and isinstance(first, ast.Name) and first.id == "__file__":
            return module.path, ()
        if named == "files" and isinstance(first, ast.Constant) and isinstance(first.value, str):
            spec = module_spec(first.value) if is_own(first.value) else None
            if spec is None or spec.origin is None:
                raise SourceError(f"There is no package '{first.value}', though '{module.name}' reads files of it")
            return Path(spec.origin).parent, ()
        if isinstance(function, ast.Attribute) and named in ("resolve", "joinpath"):
            place = _place(module, function.value)
            for part in node.args if place is not None else ():
                if not isinstance(part, ast.Constant):
                    break
                place = _joined(place, part)
            return place
        return None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        place = _place(module, node.left)
        if isinstance(node.right, ast.Constant):
            return _joined(place, node.right)
        return place if place is not None and place[1] else None
    if isinstance(node, ast.Attribute) and node.attr == "parent":
        place = _place(module, node.value)
        return None if place is None else (place[0].parent, ())
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
        place, number = _place(module, node.value.value), node.slice
        if place is not None and isinstance(number, ast.Constant) and isinstance(number.value, int):
            return place[0].parents[number.value], ()
    return None


def _joins(node: ast.AST) -> list[ast.expr]:
    """What is joined to a path, in an expression that `_place` takes, from the last part to the first."""
    if isinstance(node, ast.BinOp):
        return [node.right, *_joins(node.left)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [*node.args, *_joins(node.func.value)]
    return []


def _joined(place: tuple[Path, tuple[str, ...]] | None, part: ast.Constant) -> tuple[Path, tuple[str, ...]] | None:
    return None if place is None else (place[0] / str(part.value), (*place[1], str(part.value)))
