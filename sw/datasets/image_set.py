"""The images that a figure was measured on: in words for tables, as plain values in every group of `summary.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["UNNAMED", "ImageSet", "images_in_words"]


@dataclass(frozen=True)
class ImageSet:
    """A set of images.

    Parameters
    ----------
    name : what they are, in words: "test images of 'digits'"
    total : how many there are; None where that is as many as were used
    """

    name: str
    total: int | None = None

    @classmethod
    def tests(cls, data_set: str, total: int | None = None) -> ImageSet:
        """The test images of a data set."""
        return cls(f"test images of '{data_set}'", total)

    @classmethod
    def file(cls, path: str, total: int) -> ImageSet:
        """The images of a file."""
        return cls(f"images of '{path}'", total)

    def facts(self, count: int | None) -> dict[str, Any] | None:
        """{"set", "count", "of"} for so many of them; None for none."""
        if not count:
            return None
        return {"set": self.name, "count": count, "of": count if self.total is None else self.total}


UNNAMED = ImageSet("images given to the report")
"""Images that a caller hands over without a name."""


def images_in_words(facts: Mapping[str, Any] | None) -> str:
    """{"set", "count", "of"} as "4 of 500 test images of 'digits'"; "no images" for None."""
    if facts is None:
        return "no images"
    count, total = facts["count"], facts["of"]
    return f"{count:,} {facts['set']}" if count == total else f"{count:,} of {total:,} {facts['set']}"
