"""`python -m tests.checks.sizes`: files, functions and lists of arguments that have grown too long.

A file has at most 400 lines, and one of the tests at most 650. A function has at most 80 lines, without its signature
and docstring, but for those of tests. A compiled kernel has at most ten positional arguments.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["problems"]

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("hw", "sim", "sw", "src", "benchmarks", "examples", "docs", "tests")
FILE_LINES, TEST_FILE_LINES, FUNCTION_LINES, KERNEL_ARGUMENTS = 400, 650, 80, 10


def problems(root: Path = ROOT) -> Iterator[str]:
    """A sentence for everything that is too long in the folders of `root`."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
            most = TEST_FILE_LINES if folder == "tests" else FILE_LINES
            if text.count("\n") > most:
                yield f"{name} has {text.count(chr(10))} lines; at most {most} are allowed"
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _of_function(f"{name}:{node.lineno}: {node.name}", node, folder == "tests")


def _of_function(where: str, node: ast.FunctionDef | ast.AsyncFunctionDef, of_tests: bool) -> Iterator[str]:
    body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    lines = 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1
    if lines > FUNCTION_LINES and not of_tests:
        yield f"{where} has {lines} lines; at most {FUNCTION_LINES} are allowed"
    arguments = len(node.args.posonlyargs) + len(node.args.args)
    if arguments > KERNEL_ARGUMENTS and any(_compiles(each) for each in node.decorator_list):
        yield f"{where} is a kernel of {arguments} positional arguments; at most {KERNEL_ARGUMENTS} are allowed"


def _compiles(decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (named.attr if isinstance(named, ast.Attribute) else getattr(named, "id", "")) in ("kernel", "njit", "jit")


if __name__ == "__main__":
    found = list(problems())
    print("\n".join(found), file=sys.stderr, end="\n" * bool(found))
    sys.exit(bool(found))
