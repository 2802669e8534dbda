"""docs/extending.md, "How many files": files that name a kind are those of its list, no more than it may have."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fixtures.guide import GUIDE

ROOT = Path(__file__).parents[1]


class Followed(NamedTuple):
    """What tells that a file names a kind.

    Parameters
    ----------
    names : names in the code, a regular expression
    words : texts that are the kind's word as a whole
    besides : files that name it for what it is used for, as the page says
    """

    names: str
    words: tuple[str, ...] = ()
    besides: tuple[str, ...] = ()


TRAINED = ("sw/config/train_section.py", "sw/training/")
CHOSEN = ("sw/decision/allowed_loss.py", "sw/decision/recorded.py")
KINDS = {
    "input coding `phase`": Followed(r"Phase|PHASE"),
    "decision rule `winner_k`, with its `k`": Followed(
        r"WinnerK|WINNER_K", ("winner_k",), ("sw/config/rules.py", "sw/decision/learn_rule.py", *CHOSEN)
    ),
    "decision rule `stable`, with its `theta`": Followed(r"Stable\w*|STABLE\w*|stable_\w+", besides=CHOSEN),
    "device effect `device_sigma`": Followed(r"DeviceVariation|device_sigma", ("device_sigma",)),
    "cell kind `tantalum`, and its folder": Followed(
        r"Tantalum\w*|tantalum\w*", ("tantalum",), ("sim/devices/tantalum/",)
    ),
    "layer without an operation, dropout": Followed(r"Dropout\w*|dropout\w*|Dropped", besides=TRAINED),
    "layer that folds away, batch norm": Followed(r"Affine|BatchNorm\w*|batch_norm", besides=TRAINED),
    "stage kind, maximum pooling, with its layer": Followed(
        r"MaxPool\w*|Max(Values|Pooling)|max_pool\w*|pool_max|_max_step|Pooling|PoolStage|Pool"
    ),
    "data set `cifar-10`": Followed(r"Cifar\w*|cifar\w*|_cifar\w*", ("cifar-10",), ("sw/config/named_networks.py",)),
}


class Row(NamedTuple):
    """A row of the page."""

    now: int
    most: int
    files: set[str]


def rows() -> dict[str, Row]:
    section = GUIDE.read_text(encoding="utf-8").split("\n## How many files\n")[1]
    found = re.findall(r"^\| (.+?) \| (?:\d+|-) \| (\d+) \| (\d+) \| (`.*`) \|$", section, re.M)
    return {kind: Row(int(now), int(most), set(re.findall(r"`([^`]+)`", files))) for kind, now, most, files in found}


def naming(kind: Followed, root: Path = ROOT) -> set[str]:
    """Files whose code names a kind, without experiments."""
    found = set()
    for path in (path for tree in ("hw", "sim", "sw") for path in (root / tree).rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name.startswith(("sw/experiments/", *kind.besides)):
            continue
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            is_name = token.type == tokenize.NAME and re.fullmatch(kind.names, token.string)
            if is_name or (token.type == tokenize.STRING and token.string.strip("\"'") in kind.words):
                found.add(name)
    return found


def test_the_page_has_every_kind_that_is_followed() -> None:
    assert list(rows()) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_list_of_a_kind(kind: str) -> None:
    row = rows()[kind]
    assert all((ROOT / file).is_file() for file in row.files)
    assert naming(KINDS[kind]) <= row.files, "these files name the kind, and are not in the list"
    assert len(row.files) == row.now <= row.most


def test_a_file_that_names_a_kind_is_found(tmp_path: Path) -> None:
    """In code, and not in what is said about it."""
    kind = KINDS["data set `cifar-10`"]
    for tree in ("hw", "sim", "sw"):
        (tmp_path / tree).mkdir()
    file = tmp_path / "sw" / "new.py"
    for text, names in (
        ('"""As Cifar10 has it."""\n# cifar-10\nNUMBER = 10\n', False),
        ('SET = "cifar-10"\n', True),
        ("from somewhere import Cifar10\n", True),
    ):
        file.write_text(text, encoding="utf-8")
        assert naming(kind, tmp_path) == ({"sw/new.py"} if names else set())
