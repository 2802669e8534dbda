"""Data sets from their original files, by name: scikit-learn's digits, MNIST, Fashion-MNIST, SVHN, CIFAR-10 and
CIFAR-100, and those that are registered from outside of the source tree.

Digits come with scikit-learn. The others are looked for in the given folder (`--data`, or the environment's
SPIKELOOM_DATA), in the subfolders of their names, and are else downloaded, with a checksum, into the user's cache.
"""

from __future__ import annotations

import os
from pathlib import Path

from spikeloom.sw.common.errors import DataError
from spikeloom.sw.common.files import as_path
from spikeloom.sw.datasets.cifar import Cifar10, Cifar100
from spikeloom.sw.datasets.dataset import Dataset
from spikeloom.sw.datasets.digits import Digits
from spikeloom.sw.datasets.idx import FashionMnist, Mnist
from spikeloom.sw.datasets.kinds import ENVIRONMENT, DataSetKind, DataSetKinds
from spikeloom.sw.datasets.svhn import Svhn

__all__ = ["DATA_SETS", "ENVIRONMENT", "Dataset", "load_data", "register_data_set"]

DATA_SETS = DataSetKinds(Digits(), Mnist(), FashionMnist(), Svhn(), Cifar10(), Cifar100())
"""All data sets."""


def load_data(name: str, folder: str | os.PathLike[str] | None = None) -> Dataset:
    """A data set by name; `folder` (else $SPIKELOOM_DATA) holds its files in a subfolder of that name, such as mnist/.

    Raises `DataError` if the files are neither there nor to be had from the network, or are damaged.
    """
    kind = DATA_SETS[name]
    if kind.origin:
        return kind.load(None)
    named = as_path(folder, "data folder") if folder is not None else os.environ.get(ENVIRONMENT)
    if named is not None and not Path(named).is_dir():
        raise DataError(
            f"The data folder '{named}' (--data or {ENVIRONMENT}) is not there; name an existing folder, or omit it "
            f"to download the data sets"
        )
    return kind.load(None if named is None else Path(named))


def register_data_set(kind: DataSetKind) -> None:
    """Add a data set from outside of the source tree. A package that is to register it wherever it is installed names a
    function that does so in an entry point of group `spikeloom.data_sets`.

    Raises ValueError for a name that there is already.
    """
    DATA_SETS.register(kind)
