"""The definitions of the program on which the result of a function depends, and their digest.

From named functions, classes or modules on, imports are followed through the syntax trees, without running anything:
the names that a definition uses lead to other definitions, in its module or in those it imports, at the top or inside
of functions. What is read that way cannot be forgotten in a list. Beside names there are

- parameters' annotations, since methods of what is passed are used (what a function returns, it makes itself),
- texts that are the name of a module, as of one that a simulator imports,
- files of the folders that come along with packages (`DATA`), where a definition reads them in one expression, such as
  `Path(__file__).parent / "templates"` or `resources.files("spikeloom.hw").joinpath("verilog", name)`,
- what a module does when it is imported: statements that define nothing, functions with a decorator of the program's
  (but `PURE` ones, which only make another function of them), and imports whose names nobody uses, which the linter
  lets pass with a `noqa` alone.

Docstrings, those of constants included, and comments between definitions do not count. A name that leads nowhere raises
`SourceError`; one that a module has from another package ends there.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any, TypeGuard

__all__ = ["DATA", "PURE", "Closure", "SourceError", "closure", "source_of", "sources_digest"]

DATA = ("presets", "templates", "verilog")
"""Folders inside of packages whose files are not Python."""
PURE = (("spikeloom.sim.common.kernels", "kernel"),)
"""Decorators of the program's own that put nothing anywhere."""
_OWN = ("spikeloom",)
"""The program's own package."""
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")

Reference = tuple[str, str | None]
"""A module, and a name in it; None for all that is in it."""


class SourceError(LookupError):
    """A definition, a module or a folder that is named as a source is not there."""


@dataclass(frozen=True)
class Closure:
    """What is used.

    Parameters
    ----------
    definitions : (module, name) of every definition that is used, and (module, "") of statements that define nothing
    files : files that are no Python
    digest : checksum of all of it, hexadecimal
    """

    definitions: frozenset[tuple[str, str]]
    files: frozenset[Path]
    digest: str

    @property
    def modules(self) -> frozenset[str]:
        """The modules that anything is used of."""
        return frozenset(module for module, _ in self.definitions)


def source_of(function: Callable[..., Any]) -> str:
    """A function as an entry of `closure`."""
    return f"{function.__module__}:{function.__qualname__}"


def sources_digest(entries: tuple[str, ...]) -> str:
    """Checksum of what the entries depend on, see `closure`."""
    return closure(entries).digest


@functools.cache
def closure(entries: tuple[str, ...]) -> Closure:
    """What is used by functions or classes, "package.module:name", or by whole modules, "package.module".

    Raises `SourceError` for an entry, an import or a data folder that is not there.
    """
    search = _Search()
    for entry in entries:
        module, _, name = entry.partition(":")
        if not _is_own(module) or _found(module) is None:
            raise SourceError(f"A step names the source '{entry}', but there is no module '{module}'")
        search.wanted.append((module, name or None))
    return search.run()


@dataclass(eq=False)
class _Statement:
    """A statement at the top of a module: the names that it defines, none if it only does something."""

    node: ast.stmt
    names: tuple[str, ...]


@dataclass(eq=False)
class _Module:
    name: str
    path: Path
    lines: list[str]
    statements: list[_Statement] = field(default_factory=list)
    bound: dict[str, list[_Statement]] = field(default_factory=dict)
    imports: dict[str, Reference] = field(default_factory=dict)
    """Name -> what it stands for; a module for (module, None)."""
    foreign: set[str] = field(default_factory=set)
    """Names of other packages, which a module of the program may import from here."""
    effects: list[_Statement | Reference] = field(default_factory=list)
    """What happens when the module is imported, and no name tells of."""


class _Search:
    """Goes from references to the references of what they lead to, until there are no new ones."""

    def __init__(self) -> None:
        self.wanted: list[Reference] = []
        self._seen: set[Reference] = set()
        self._reached: set[str] = set()
        self._taken: dict[str, set[int]] = {}
        self._definitions: set[tuple[str, str]] = set()
        self._links: set[tuple[str, str, str]] = set()
        self._files: dict[Path, str] = {}

    def run(self) -> Closure:
        while self.wanted:
            reference = self.wanted.pop()
            if reference not in self._seen:
                self._seen.add(reference)
                self._visit(*reference)
        return Closure(frozenset(self._definitions), frozenset(self._files), self._digest())

    def _visit(self, name: str, wanted: str | None) -> None:
        module = _module(name)
        self._reach(module)
        if wanted is None:
            for statement in module.statements:
                self._take(module, statement)
            for alias in module.imports:
                self._follow(module, alias)
        elif wanted in module.bound:
            for statement in module.bound[wanted]:
                self._take(module, statement)
        elif module.imports.get(wanted, (name, wanted)) != (name, wanted):  # not a package's import of its own module
            self._follow(module, wanted)
        elif wanted in module.foreign:
            pass
        elif _is_module(f"{name}.{wanted}"):
            self.wanted.append((f"{name}.{wanted}", None))
        elif "__getattr__" in module.bound:
            self.wanted.append((name, "__getattr__"))
        else:
            raise SourceError(f"There is no '{wanted}' in the module '{name}', though a source names it")

    def _reach(self, module: _Module) -> None:
        """The module is imported, with the packages that it lies in."""
        if module.name in self._reached:
            return
        self._reached.add(module.name)
        package = module.name.rpartition(".")[0]
        if _is_own(package):
            self._reach(_module(package))
        for effect in module.effects:
            if isinstance(effect, _Statement):
                self._take(module, effect)
            else:
                self.wanted.append(effect)

    def _follow(self, module: _Module, alias: str) -> None:
        target, name = module.imports[alias]
        self._links.add((module.name, alias, f"{target}:{name or ''}"))
        self.wanted.append((target, name))

    def _take(self, module: _Module, statement: _Statement) -> None:
        taken = self._taken.setdefault(module.name, set())
        if statement.node.lineno in taken:
            return
        taken.add(statement.node.lineno)
        self._definitions |= {(module.name, name) for name in statement.names or ("",)}
        for found in _used(module, statement)[0]:
            if isinstance(found, Path):
                self._read(module, found)
            elif found[0] == module.name and found[1] in module.imports:
                self._follow(module, str(found[1]))
            else:
                self.wanted.append(found)

    def _read(self, module: _Module, place: Path) -> None:
        inside = (path for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        paths = sorted(inside) if place.is_dir() else [place]
        if not paths or not all(path.is_file() for path in paths):
            raise SourceError(f"The module '{module.name}' reads '{place}', which is not there")
        self._files |= {path: path.relative_to(place.parent).as_posix() for path in paths}

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name in sorted(self._taken):
            module = _module(name)
            for statement in module.statements:
                if statement.node.lineno in self._taken[name]:
                    digest.update(f"{name}\0{_used(module, statement)[1]}\0".encode())
        for link in sorted(self._links):
            digest.update(f"{link}\0".encode())
        for path, shown in sorted(self._files.items(), key=lambda item: (item[1], item[0])):
            digest.update(f"{shown}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()


def _is_own(module: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in _OWN)


@functools.cache
def _found(name: str) -> ModuleSpec | None:
    """Where a module lies; nothing is imported to find it, not even the packages around it."""
    package = name.rpartition(".")[0]
    place = None
    if package:
        around = _found(package)
        if around is None or around.submodule_search_locations is None:
            return None
        place = list(around.submodule_search_locations)
    for finder in sys.meta_path:
        spec = finder.find_spec(name, place)
        if spec is not None:
            return spec
    return None


def _is_module(name: str) -> bool:
    return _is_own(name) and _found(name) is not None


@functools.cache
def _module(name: str) -> _Module:
    spec = _found(name)
    if spec is None:
        raise SourceError(f"There is no module '{name}', though a source imports it")
    if spec.origin is None:  # a folder without an __init__.py
        return _Module(name, Path(), [])
    path = Path(spec.origin)
    text = path.read_text(encoding="utf-8")
    module = _Module(name, path, text.splitlines())
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    tree = ast.parse(text)
    for top in tree.body:
        if not _is_text(top):
            _add(module, top, package)
    if "noqa" in text:  # else the linter refuses imports that nobody uses
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | set(_public(tree))
        for top in tree.body:
            if isinstance(top, ast.ImportFrom | ast.Import):
                module.effects += [target for alias, target in _imported(top, package) if alias not in used]
    module.effects += [each for each in module.statements if not each.names or _registers(module, each.node)]
    return module


def _add(module: _Module, node: ast.stmt, package: str) -> None:
    if isinstance(node, ast.ImportFrom | ast.Import):
        own = dict(_imported(node, package))
        module.imports |= own
        module.foreign |= {alias.asname or alias.name for alias in node.names} - set(own)
        return
    if _only_for_types(node):
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom | ast.Import):
                module.imports |= dict(_imported(inner, package))
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
            module.imports |= dict(_imported(inner, package))
    statement = _Statement(node, names)
    module.statements.append(statement)
    stored_names = names or {
        inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
    }
    for name in stored_names:
        module.bound.setdefault(name, []).append(statement)


def _imported(node: ast.ImportFrom | ast.Import, package: str) -> Iterator[tuple[str, Reference]]:
    """(name, what it stands for) of every name that an import of the program's own defines."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            if _is_own(alias.name):
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or top, (top, None)
        return
    source = node.module or ""
    if node.level:
        source = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], *filter(None, [source])])
    for alias in node.names:
        if alias.name == "*" and _is_own(source):
            raise SourceError(f"'from {source} import *' cannot be followed: name what is imported")
        if _is_own(source):
            yield alias.asname or alias.name, (source, alias.name)
        elif _is_own(f"{source}.{alias.name}"):
            yield alias.asname or alias.name, (f"{source}.{alias.name}", None)


def _public(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            yield from (str(inner.value) for inner in ast.walk(node.value) if isinstance(inner, ast.Constant))


def _only_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _is_text(node: ast.AST) -> TypeGuard[ast.Expr]:
    """Whether it is a docstring, of whatever."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _registers(module: _Module, node: ast.stmt) -> bool:
    """Whether a decorator of the program's own may put the definition somewhere."""
    decorators = getattr(node, "decorator_list", [])
    names = {inner.id for each in decorators for inner in ast.walk(each) if isinstance(inner, ast.Name)}
    return any(module.imports.get(name) not in (None, *PURE) or name in module.bound for name in names)


@functools.cache
def _used(module: _Module, statement: _Statement) -> tuple[frozenset[Reference | Path], str]:
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
                if isinstance(node.value, str) and _MODULE.fullmatch(node.value) and _is_module(node.value):
                    found.add((node.value, None))
                continue
            inside = _attribute(module, node) if isinstance(node, ast.Attribute) else None
            if inside is not None:
                found.add(inside)
                continue
        elif isinstance(node, ast.ImportFrom | ast.Import):
            found |= {target for _, target in _imported(node, package)}
            continue
        elif _is_text(node):
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


def _attribute(module: _Module, node: ast.Attribute) -> Reference | None:
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
        if not _is_module(f"{source}.{name}") or name in _module(source).bound or name in _module(source).imports:
            return None
        source = f"{source}.{name}"
    for part in parts:
        if part in _module(source).bound or not _is_module(f"{source}.{part}"):
            return source, part
        source = f"{source}.{part}"
    return source, None


def _place(module: _Module, node: ast.expr) -> tuple[Path, tuple[str, ...]] | None:
    """The path that an expression of fixed parts stands for, and its parts that are written out."""
    if isinstance(node, ast.Call):
        function = node.func
        named = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        first = node.args[0] if node.args else None
        if named == "Path" and isinstance(first, ast.Name) and first.id == "__file__":
            return module.path, ()
        if named == "files" and isinstance(first, ast.Constant) and isinstance(first.value, str):
            spec = _found(first.value) if _is_own(first.value) else None
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
