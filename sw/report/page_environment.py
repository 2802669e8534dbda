"""What all pages are made with: templates of this room, and of the page's own folders."""

from __future__ import annotations

from pathlib import Path

import jinja2

from spikeloom.sw.common.readable import FILTERS

__all__ = ["page_environment"]


def page_environment(*folders: Path) -> jinja2.Environment:
    """Templates of `folders`, and those of the reports, with the filters of `sw.common.readable`. A name that a
    template asks for and does not get is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, Path(__file__).parent / "templates"]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(FILTERS)
    return environment
