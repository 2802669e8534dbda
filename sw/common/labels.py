"""Names as shown in titles and tables."""

from __future__ import annotations

import re

__all__ = ["layer_label"]


def layer_label(name: str) -> str:
    """A layer's name for titles and tables: that of its module, whose number alone (in a Sequential) says nothing."""
    own = re.split(" (?:replica|copy) ", name)[0]  # "copy" in chips of earlier versions
    return f"module {name}" if own.replace(".", "").isdigit() else name
