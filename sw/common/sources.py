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

import contextlib
import functools
import hashlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeloom.sim.common.cache import cache_folder
from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.source_modules import (
    PURE,
    Module,
    Reference,
    SourceError,
    Statement,
    is_module,
    is_own,
    module_of,
    module_spec,
)
from spikeloom.sw.common.source_uses import DATA, used_by

__all__ = ["DATA", "PURE", "Closure", "SourceError", "closure", "source_of", "sources_digest"]


_SETTLED_ns = 100_000_000
"""A file that was written so lately may be written again without another time."""


@dataclass(frozen=True)
class Closure:
    """What is used.

    Parameters
    ----------
    definitions : (module, name) of every definition that is used, and (module, "") of statements that define nothing
    files : files that are no Python
    digest : checksum of all of it, hexadecimal
    looked_at : modules and other files that were read for it, and the folders that they lie in
    """

    definitions: frozenset[tuple[str, str]]
    files: frozenset[Path]
    digest: str
    looked_at: frozenset[Path]

    @property
    def modules(self) -> frozenset[str]:
        """The modules that anything is used of."""
        return frozenset(module for module, _ in self.definitions)


def source_of(function: Callable[..., Any]) -> str:
    """A function as an entry of `closure`."""
    return f"{function.__module__}:{function.__qualname__}"


@functools.cache
def sources_digest(entries: tuple[str, ...]) -> str:
    """Checksum of what the entries depend on, see `closure`.

    It is kept in the cache, and holds as long as nothing that was looked at has changed its size or times.
    """
    key = json.dumps([str(Path(__file__).parent), sys.version, *entries])
    path = cache_folder("sources") / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"
    with contextlib.suppress(OSError, ValueError, TypeError, LookupError):
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["stamps"] and all(_stamp(Path(name)) == stamp for name, stamp in known["stamps"].items()):
            return str(known["digest"])
    found = closure(entries)
    with contextlib.suppress(OSError, SpikeLoomError):
        stamps = {str(place): _stamp(place) for place in sorted(found.looked_at)}
        if max(map(max, stamps.values()), default=0) < time.time_ns() - _SETTLED_ns:
            write_atomic(path, json.dumps({"digest": found.digest, "stamps": stamps}))
    return found.digest


def _stamp(path: Path) -> list[int]:
    """What an edit of a file changes, or a file more or less in a folder."""
    state = path.stat()
    return [state.st_mtime_ns] if path.is_dir() else [state.st_size, state.st_mtime_ns, state.st_ctime_ns]


@functools.cache
def closure(entries: tuple[str, ...]) -> Closure:
    """What is used by functions or classes, "package.module:name", or by whole modules, "package.module".

    Raises `SourceError` for an entry, an import or a data folder that does not exist.
    """
    search = _Search()
    for entry in entries:
        module, _, name = entry.partition(":")
        if not is_own(module) or module_spec(module) is None:
            raise SourceError(f"A step names the source '{entry}', but there is no module '{module}'")
        search.wanted.append((module, name or None))
    return search.run()


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
        read = {module_of(name).path for name in self._reached} | set(self._files)
        looked_at = frozenset(read | {path.parent for path in read}) - {Path()}
        return Closure(frozenset(self._definitions), frozenset(self._files), self._digest(), looked_at)

    def _visit(self, name: str, wanted: str | None) -> None:
        module = module_of(name)
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
        elif is_module(f"{name}.{wanted}"):
            self.wanted.append((f"{name}.{wanted}", None))
        elif "__getattr__" in module.bound:
            self.wanted.append((name, "__getattr__"))
        else:
            raise SourceError(f"There is no '{wanted}' in the module '{name}', though a source names it")

    def _reach(self, module: Module) -> None:
        """The module is imported, with the packages that it lies in."""
        if module.name in self._reached:
            return
        self._reached.add(module.name)
        package = module.name.rpartition(".")[0]
        if is_own(package):
            self._reach(module_of(package))
        for effect in module.effects:
            if isinstance(effect, Statement):
                self._take(module, effect)
            else:
                self.wanted.append(effect)

    def _follow(self, module: Module, alias: str) -> None:
        target, name = module.imports[alias]
        self._links.add((module.name, alias, f"{target}:{name or ''}"))
        self.wanted.append((target, name))

    def _take(self, module: Module, statement: Statement) -> None:
        taken = self._taken.setdefault(module.name, set())
        if statement.node.lineno in taken:
            return
        taken.add(statement.node.lineno)
        self._definitions |= {(module.name, name) for name in statement.names or ("",)}
        for found in used_by(module, statement)[0]:
            if isinstance(found, Path):
                self._read(module, found)
            elif found[0] == module.name and found[1] in module.imports:
                self._follow(module, str(found[1]))
            else:
                self.wanted.append(found)

    def _read(self, module: Module, place: Path) -> None:
        inside = (path for path in place.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        paths = sorted(inside) if place.is_dir() else [place]
        if not paths or not all(path.is_file() for path in paths):
            raise SourceError(f"The module '{module.name}' reads '{place}', which is not there")
        self._files |= {path: path.relative_to(place.parent).as_posix() for path in paths}

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name in sorted(self._taken):
            module = module_of(name)
            for statement in module.statements:
                if statement.node.lineno in self._taken[name]:
                    digest.update(f"{name}\0{used_by(module, statement)[1]}\0".encode())
        for link in sorted(self._links):
            digest.update(f"{link}\0".encode())
        for path, shown in sorted(self._files.items(), key=lambda item: (item[1], item[0])):
            digest.update(f"{shown}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()
