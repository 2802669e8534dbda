"""Layer strings: the notation, the shapes, and what is refused."""

from __future__ import annotations

import re

import pytest

from spikeloom.sw.common.errors import ConfigError
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.layer_string import LayerToken, parse_layers, shapes_of


def test_the_notation_of_the_papers() -> None:
    tokens = parse_layers("12c5-2s-64c5-2s-10")
    assert shapes_of(tokens, (1, 28, 28)) == [(12, 24, 24), (12, 12, 12), (64, 8, 8), (64, 4, 4), (10, 1, 1)]
    assert [token.kind for token in tokens] == ["conv", "pool", "conv", "pool", "dense"]


def test_every_kind_of_layer() -> None:
    tokens = parse_layers("8c3p-12c3ps2-16c2s2-16r3-32r5s2-g-7-3")
    assert tokens[:5] == (
        LayerToken("8c3p", "conv", 8, 3, 1, 1),
        LayerToken("12c3ps2", "conv", 12, 3, 2, 1),
        LayerToken("16c2s2", "conv", 16, 2, 2, 0),
        LayerToken("16r3", "residual", 16, 3, 1, 1),
        LayerToken("32r5s2", "residual", 32, 5, 2, 2),
    )
    assert shapes_of(tokens, (3, 32, 32)) == [
        *((8, 32, 32), (12, 16, 16), (16, 8, 8), (16, 8, 8), (32, 4, 4), (32, 1, 1), (7, 1, 1), (3, 1, 1))
    ]


BAD = [
    ("12c5-2s-64x5-10", "'64x5' is not a layer; valid layers are for example 12c5"),
    ("12c5--10", "'' is not a layer"),
    ("12c5-2s", "it must end with a dense layer of one neuron per class, not with '2s'"),
    ("30-12c5-10", "'12c5' follows the dense layer '30', after which all must be dense"),
    ("0c5-10", "'0c5' has a size of 0"),
    ("8c3s0-10", "'8c3s0' has a size of 0"),
    ("8c4p-10", "'8c4p' has an even kernel"),
    ("8r2-10", "'8r2' has an even kernel"),
    ("8c3-2s-8c5-10", "'8c5' does not fit into a map of 3 x 3"),
    ("40000c3-10", "'40000c3' has 40000 channels or neurons, and at most 32768 fit"),
    ("8c3-32769-10", "'32769' has 32769 channels or neurons, and at most 32768 fit"),
    ("8c3-12", "it must end with the 10 classes of data set 'digits', not 12"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_what_is_no_network_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"[train] network '{text}': {sentence}")):
        Config.load("tiny").updated({"train": {"network": text, "hidden": (128, 64)}})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"pooling": "average"},
            "[train] pooling must be 'max' with network 'mlp', which has no convolutions",
        ),
        (
            {"batch_norm": True},
            "[train] batch_norm must be false with network 'mlp', which has no convolutions",
        ),
        (
            {"network": "8c3-10", "hidden": (128, 64), "pooling": "average"},
            "[train] pooling must be 'max' with network '8c3-10', which has no pooling such as 2s, not 'average'",
        ),
        (
            {"network": "2s-10", "hidden": (128, 64), "batch_norm": True},
            "[train] batch_norm must be false with network '2s-10', which has no convolutions or hidden dense layers, ",
        ),
        (
            {"network": "8c3-10", "hidden": (20,)},
            "[train] hidden must be [128, 64] with network '8c3-10', which has the sizes of all layers, not [20]",
        ),
    ],
)
def test_fields_without_effect_are_refused(changes: dict, sentence: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        Config.load("tiny").updated({"train": changes})
