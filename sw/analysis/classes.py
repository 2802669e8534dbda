"""The confusion matrix, and accuracy by class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["class_summary", "confusion_matrix"]


def confusion_matrix(decided: NDArray[np.integer], labels: NDArray[np.integer], classes: int) -> NDArray[np.int64]:
    """Images by label and decision, int64 [classes, classes]: entry [i, j] is of class i and was recognised as j."""
    pairs = np.asarray(labels, np.int64) * classes + np.asarray(decided, np.int64)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_summary(decided: NDArray[np.integer], labels: NDArray[np.integer], classes: int) -> dict[str, Any]:
    """Plain values for `summary.json`: `matrix`, of `confusion_matrix`, and `classes`, one row each.

    A row has `class`, `images`, `right`, `accuracy` (0 .. 1, None without images), and `taken_for`, the wrong class
    that most of its images were taken for (the lowest of equals), with `taken_for_images`; None and 0 where all are
    right.
    """
    matrix = confusion_matrix(decided, labels, classes)
    rows = []
    for number, counts in enumerate(matrix):
        images, right = int(counts.sum()), int(counts[number])
        wrong = np.where(np.arange(classes) == number, 0, counts)
        most = int(np.argmax(wrong))
        rows.append(
            {
                "class": number,
                "images": images,
                "right": right,
                "accuracy": right / images if images else None,
                "taken_for": most if wrong[most] else None,
                "taken_for_images": int(wrong[most]),
            }
        )
    return {"matrix": matrix.tolist(), "classes": rows}
