"""Networks in one line, in the notation of the literature: `12c5-2s-64c5-2s-10`.

| layer | what |
|---|---|
| `12c5` | convolution, 12 channels, kernel 5 x 5; `12c5p` with zeros around, so that stride 1 keeps the size |
| `64c3ps2` | the same with stride 2 |
| `16r3` | residual block: two convolutions `16c3p`, and a shortcut; `32r3s2` with stride 2 in the first |
| `2s` | pooling of 2 x 2 values |
| `g` | average of each channel over the whole map |
| `100` | dense layer of 100 neurons; the last has one neuron per class |

Every layer but the last is followed by the activation; only dense layers follow a dense layer. The name of a network
(`sw.config.named_networks`) stands for its layers.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import Literal

from spikeloom.sw.common.errors import SpikeLoomError
from spikeloom.sw.config.named_networks import NAMED_NETWORKS

__all__ = ["LayerToken", "parse_layers", "shapes_of"]

Shape = tuple[int, int, int]

_PATTERN = re.compile(
    r"(?:(?P<conv>\d+)c(?P<kernel>\d+)(?P<padded>p)?(?:s(?P<stride>\d+))?"
    r"|(?P<residual>\d+)r(?P<inner>\d+)(?:s(?P<step>\d+))?"
    r"|(?P<pool>\d+)s|(?P<globally>g)|(?P<dense>\d+))"
)
_MAX_OUTPUTS = 32768
"""As the load addresses of a layer's biases have it."""


@dataclass(frozen=True)
class LayerToken:
    """One layer of a layer string: outputs are channels or neurons, padding is on all sides."""

    text: str
    kind: Literal["conv", "residual", "pool", "global", "dense"]
    outputs: int = 0
    kernel: int = 1
    stride: int = 1
    padding: int = 0


def parse_layers(text: str) -> tuple[LayerToken, ...]:
    """The layers of a layer string, or of a network by its name. Raises `ValueError` for an invalid one, naming the
    part.
    """
    named = NAMED_NETWORKS.get(text)
    tokens = tuple(_token(part) for part in (text if named is None else named.layers).split("-"))
    for before, after in itertools.pairwise(tokens):
        if before.kind == "dense" and after.kind != "dense":
            raise SpikeLoomError(
                f"'{after.text}' follows the dense layer '{before.text}', after which all must be dense"
            )
    if tokens[-1].kind != "dense":
        raise SpikeLoomError(f"it must end with a dense layer of one neuron per class, not with '{tokens[-1].text}'")
    return tokens


def shapes_of(tokens: tuple[LayerToken, ...], image: Shape) -> list[Shape]:
    """Shape (channels, height, width) of what every layer makes; (neurons, 1, 1) for a dense one.

    Raises `ValueError` if a kernel or a pooling window is larger than its map.
    """
    shapes: list[Shape] = []
    channels, height, width = image
    for token in tokens:
        if token.kind == "dense":
            channels, height, width = token.outputs, 1, 1
        elif token.kind == "global":
            height = width = 1
        else:
            sizes = [(n + 2 * token.padding - token.kernel) // token.stride + 1 for n in (height, width)]
            if min(sizes) < 1:
                raise SpikeLoomError(f"'{token.text}' does not fit into a map of {height} x {width}")
            height, width = sizes
            channels = token.outputs or channels
        shapes.append((channels, height, width))
    return shapes


def _token(part: str) -> LayerToken:
    match = _PATTERN.fullmatch(part)
    if match is None:
        raise SpikeLoomError(
            f"'{part}' is not a layer; valid layers are for example 12c5, 12c5p, 12c5ps2, 16r3, 16r3s2, 2s, g and 10, "
            f"and names of networks are {', '.join(NAMED_NETWORKS)}"
        )
    found = {name: value and (1 if value in ("p", "g") else int(value)) for name, value in match.groupdict().items()}
    if any(value == 0 for value in found.values()):
        raise SpikeLoomError(f"'{part}' has a size of 0")
    outputs = found["conv"] or found["residual"] or found["dense"] or 0
    if outputs > _MAX_OUTPUTS:
        raise SpikeLoomError(f"'{part}' has {outputs} channels or neurons, and at most {_MAX_OUTPUTS} fit")
    if found["conv"]:
        kernel = found["kernel"] or 1
        if found["padded"] and kernel % 2 == 0:
            raise SpikeLoomError(f"'{part}' has an even kernel, which zeros around cannot keep the size with")
        padding = kernel // 2 if found["padded"] else 0
        return LayerToken(part, "conv", found["conv"], kernel, found["stride"] or 1, padding)
    if found["residual"]:
        kernel = found["inner"] or 1
        if kernel % 2 == 0:
            raise SpikeLoomError(f"'{part}' has an even kernel, which zeros around cannot keep the size with")
        return LayerToken(part, "residual", found["residual"], kernel, found["step"] or 1, kernel // 2)
    if found["pool"]:
        return LayerToken(part, "pool", 0, found["pool"], found["pool"])
    return LayerToken(part, "global") if found["globally"] else LayerToken(part, "dense", found["dense"] or 0)
