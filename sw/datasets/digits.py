"""scikit-learn's digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.kinds import DataSetKind

__all__ = ["Digits"]


class Digits(DataSetKind):
    """1,797 digits of 8 x 8 pixels."""

    name = "digits"
    shape = (1, 8, 8)
    classes = 10
    origin = "is part of scikit-learn"
    shifts = False

    def read(self, folder: Path) -> Dataset:
        """1,297 to train, 500 to test, each class in proportion."""
        from sklearn.datasets import load_digits  # imported here because scikit-learn is slow to import

        bunch = load_digits()
        images = np.rint(bunch.data * (255 / 16)).astype(np.uint8)
        labels = bunch.target.astype(np.int64)
        order = np.random.default_rng(20210118).permutation(len(labels))
        order = order[np.argsort(labels[order], kind="stable")]
        counts = np.arange(len(labels) + 1) * 500 // len(labels)
        is_test = np.zeros(len(labels), bool)
        is_test[order[np.diff(counts) == 1]] = True
        return Dataset("digits", images[~is_test], labels[~is_test], images[is_test], labels[is_test], (8, 8), 10)
