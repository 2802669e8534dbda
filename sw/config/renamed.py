"""Names of earlier versions in configurations, and what they are called now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["KEYS", "VALUES", "key_sentence", "renew", "value_sentence"]

KEYS = {"crossbar.copies": "replicas", "programming.window": "tolerance"}
"""Keys, as table.key, and their names now."""

VALUES: dict[str, dict[str | bool, str]] = {
    "programming.method": {"verify": "write-verify"},
    "train.augment": {True: "affine", False: "none"},
}
"""Values of keys, and their names now."""


def key_sentence(where: Iterable[str]) -> str | None:
    """The sentence about a key that is unknown now; None for one that never was."""
    *tables, key = where
    new = KEYS.get(".".join((*tables, key)))
    return None if new is None else f"[{tables[0]}] {key} is called {new} now; rename it"


def value_sentence(where: Iterable[str], value: Any) -> str | None:
    """The sentence about a value that is unknown now; None for one that never was."""
    table, *keys = where
    new = VALUES.get(".".join((table, *keys)), {}).get(value) if isinstance(value, str | bool) else None
    given = f'"{value}"' if isinstance(value, str) else str(value).lower()
    return None if new is None else f'[{table}] {".".join(keys)} = {given} is called "{new}" now; rename it'


def renew(tables: Any) -> None:
    """Names of now in the tables of a file of an earlier version, in place; what else they hold is left alone."""
    for old, new in KEYS.items():
        table, key = old.split(".")
        values = tables.get(table) if isinstance(tables, dict) else None
        if isinstance(values, dict) and key in values:
            values.setdefault(new, values.pop(key))
    for name, renamed in VALUES.items():
        table, key = name.split(".")
        values = tables.get(table) if isinstance(tables, dict) else None
        if isinstance(values, dict) and isinstance(values.get(key), str | bool):
            values[key] = renamed.get(values[key], values[key])
