"""`python -m tests.checks.circles`: modules of hw, sim and sw that import one another in a circle.

The contract of imports orders folders; this is about the modules within them too. Every import counts, those of a
function and under TYPE_CHECKING included.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import grimp

__all__ = ["circles", "imports", "problems"]


def imports(package: str) -> dict[str, set[str]]:
    """The modules that each module of a package imports, of the package alone."""
    graph = grimp.build_graph(package, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def circles(imported: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules of which each reaches every other: strongly connected components (Tarjan), sorted."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(imported[module]):
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            place = stack.index(module)
            group = stack[place:]
            del stack[place:]
            if len(group) > 1 or module in imported[module]:
                found.append(sorted(group))

    for module in sorted(imported):
        if module not in order:
            visit(module)
    return sorted(found)


def problems(package: str = "spikeloom") -> Iterator[str]:
    """A sentence for every circle in a package."""
    for group in circles(imports(package)):
        yield f"{', '.join(group)} import one another in a circle; move what they share into a module below them"


if __name__ == "__main__":
    lines = list(problems())
    print("\n".join(lines), file=sys.stderr, end="\n" * bool(lines))
    sys.exit(bool(lines))
