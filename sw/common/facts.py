"""Dictionaries that print as a table, for `json.dumps` and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from spikeloom.sim.common.plain_table import html_table, text_table

__all__ = ["Facts"]


class Facts(dict[str, Any]):
    """A dictionary whose `repr` is a table of what matters in it, as text and in notebooks.

    The table is that of the values as they were when it was made; a copy is an ordinary dictionary.

    Parameters
    ----------
    values : plain values, nested
    title, rows, note : of the table, see `sim.common.plain_table`
    """

    def __init__(self, values: Mapping[str, Any], title: str, rows: Sequence[tuple[str, str]], note: str = "") -> None:
        super().__init__(values)
        self._table = title, tuple(rows), note

    def __repr__(self) -> str:
        return text_table(*self._table)

    def _repr_html_(self) -> str:
        return html_table(*self._table)
