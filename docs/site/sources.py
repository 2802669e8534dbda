"""Pages for code that the documentation links to: a file as it is, a folder as a list of its modules."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["source_page"]

_LANGUAGES = {".py": "python", ".toml": "toml", ".c": "c", ".h": "c", ".sv": "systemverilog", ".v": "verilog"}
_HIDDEN = "---\nsearch:\n  exclude: true\n---\n"


def source_page(path: Path, name: str) -> str:
    """Markdown of a file or folder that the repository calls `name`; search does not look into it."""
    title = f"# `{name}`\n\n"
    if path.is_dir():
        rows = [f"| `{file.relative_to(path).as_posix()}` | {_purpose(file)} |" for file in sorted(path.rglob("*.py"))]
        return f"{_HIDDEN}{title}| module | what |\n|---|---|\n" + "\n".join(rows) + "\n"
    return f"{_HIDDEN}{title}````{_LANGUAGES.get(path.suffix, 'text')}\n{path.read_text(encoding='utf-8')}\n````\n"


def _purpose(file: Path) -> str:
    """The first line of a module's docstring, safe in a table."""
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0].replace("|", "\\|").replace("<", "&lt;")
