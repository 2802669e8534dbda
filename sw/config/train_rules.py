"""Rules of the table [train] that concern more than one field; part of `sw.config.rules.RULES`."""

from __future__ import annotations

from collections.abc import Iterator

from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.field_rules import Choice, Needs, Rule, Unused, default_of, shown
from spikeloom.sw.config.layer_string import parse_layers, shapes_of
from spikeloom.sw.config.tables import Tables
from spikeloom.sw.datasets.datasets import DATA_SETS

__all__ = ["TRAIN_RULES"]


def _activation_levels(config: Tables) -> Iterator[str]:
    t = config.train
    if t.activation == "relu" and t.activation_levels > 0:
        yield (
            "[train] activation_levels must be 0 with activation 'relu', which has no upper end to divide, "
            f"not {t.activation_levels}; or set activation 'clipped'"
        )


def _network(config: Tables) -> Iterator[str]:
    """What the table [train] says of a network that cannot be, or that its kind of network does not have."""
    train, data = config.train, config.data.set
    if train.network == "mlp":
        return
    image, classes = DATA_SETS[data].shape, DATA_SETS[data].classes
    try:
        tokens = parse_layers(train.network)
        shapes_of(tokens, image)
        if tokens[-1].outputs != classes:
            raise SpikeLoomError(
                f"it must end with the {classes} classes of data set '{data}', not {tokens[-1].outputs}"
            )
    except SpikeLoomError as error:
        yield f"[train] network '{train.network}': {error}"
        return
    kinds = {token.kind for token in tokens} | {"hidden" for token in tokens[:-1] if token.kind == "dense"}
    for name, needed, what in (
        ("pooling", {"pool"}, "pooling such as 2s"),
        ("batch_norm", {"conv", "residual", "hidden"}, "convolutions or hidden dense layers"),
    ):
        value, default = getattr(train, name), default_of(config, f"train.{name}")
        if value != default and not kinds & needed:
            yield (
                f"[train] {name} must be {shown(default)} with network '{train.network}', which has no {what}, not "
                f"{shown(value)}; leave {name} out or give the network some"
            )


def _layer_sizes(config: Tables) -> Iterator[str]:
    train, default = config.train, default_of(config, "train.hidden")
    if train.network != "mlp" and train.hidden != default:
        yield (
            f"[train] hidden must be {shown(default)} with network '{train.network}', which has the sizes of all "
            f"layers, not {shown(train.hidden)}; leave hidden out or set network 'mlp'"
        )


def _hidden_layers(config: Tables) -> Iterator[str]:
    train = config.train
    if train.network == "mlp" and not train.hidden:
        said = "hidden []"
    elif train.network.isdecimal():
        said = f"network '{train.network}'"
    else:
        return
    for name in ("activation", "dropout"):
        value, default = getattr(train, name), default_of(config, f"train.{name}")
        if value != default:
            yield (
                f"[train] {name} must be {shown(default)} with {said}, which has no hidden layer, not {shown(value)}; "
                f"leave {name} out or add a hidden layer"
            )
    if train.activation == "clipped" and train.activation_levels != default_of(config, "train.activation_levels"):
        yield (
            f"[train] activation_levels must be {default_of(config, 'train.activation_levels')} with {said}, which has "
            f"no hidden layer, not {train.activation_levels}; leave activation_levels out or add a hidden layer"
        )


def _augment(config: Tables) -> Iterator[str]:
    data = DATA_SETS[config.data.set]
    if config.train.augment != "none" and not data.shifts:
        _, height, width = data.shape
        yield (
            f"[train] augment must be 'none' for the {height} x {width} images of data set '{data.name}', not "
            f"{shown(config.train.augment)}; or choose another [data] set"
        )


def _augment_text() -> str:
    small = [f"`{data.name}`" for data in DATA_SETS if not data.shifts]
    return f"`train.augment` is `none` for data set {' or '.join(small)}, whose images are too small to shift"


def _exact_sums(config: Tables) -> Iterator[str]:
    t = config.train
    others = {"augment": ("none", t.augment), "optimiser": ("adam", t.optimiser), "precision": ("float32", t.precision)}
    other = next((f"{name} '{value}'" for name, (needed, value) in others.items() if value != needed), None)
    if t.exact_sums and (t.network != "mlp" or other):
        what = f"network '{t.network}'" if t.network != "mlp" else other
        yield (
            f"[train] exact_sums must be false with {what}, not true: only network 'mlp' with adam, in float32 "
            "and without augment is trained so; leave exact_sums out"
        )


TRAIN_RULES: tuple[Rule, ...] = (
    Needs(
        _activation_levels,
        '`train.activation_levels` is 0 with `train.activation = "relu"`, which has no upper end to divide',
    ),
    Unused(
        ("train.pooling", "train.batch_norm"),
        (Choice("train.network", ("mlp",)),),
        "which has no convolutions",
        remedy="leave it out or set network to layers such as '12c5-2s-10'",
    ),
    Needs(
        _network,
        "`train.network` other than `mlp` fits the data set's images and ends with its classes; `train.pooling` and "
        "`train.batch_norm` keep their defaults where the network has no pooling, or neither "
        "convolutions nor hidden layers",
    ),
    Needs(
        _layer_sizes,
        "`train.hidden` keeps its default with `train.network` other than `mlp`, which has the sizes of all layers",
    ),
    Needs(
        _hidden_layers,
        "`train.activation`, `activation_levels` and `dropout` keep their defaults for a network without hidden layers",
    ),
    Needs(_augment, _augment_text),
    Needs(
        _exact_sums,
        '`train.exact_sums` needs `train.network = "mlp"`, and `augment`, `optimiser` and `precision` with their '
        "defaults",
    ),
)
