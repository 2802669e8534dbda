"""Networks of the weighted-spikes paper by name, as layer strings: `net1` .. `net7` ([WS] Table 1).

Net5 .. Net7: He et al., "Deep residual learning for image recognition", CVPR 2016, 4.2, whose three stages have 16, 32
and 64 channels; [WS] section 6 prints 32 for the third stage too, but refers to He et al. Its shortcuts with a stride
are projections of 1 x 1, as [WS] Figure 6 draws them.

Net3: Lin et al., "Network in network", ICLR 2014. Its last convolution of 1 x 1 is followed by the average over the
map; as both are linear, the average comes first here and the convolution is a dense layer, with the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["NAMED_NETWORKS", "NamedNetwork"]


@dataclass(frozen=True)
class NamedNetwork:
    """A network of the literature.

    Parameters
    ----------
    layers : as a layer string, see `sw.config.layer_string`
    data_set : for which it is meant, and on which its accuracy was published
    sentence : what it is
    """

    layers: str
    data_set: str
    sentence: str


def _stages(first: str, rest: str, count: int) -> str:
    """Three stages of 16, 32 and 64 channels with `count` layers each; the later ones begin with a stride of 2."""
    return "-".join(
        "-".join([(first if channels > 16 else rest).format(channels), *[rest.format(channels)] * (count - 1)])
        for channels in (16, 32, 64)
    )


NAMED_NETWORKS: dict[str, NamedNetwork] = {
    "net1": NamedNetwork("1200-1200-10", "mnist", "perceptron 784-1200-1200-10"),
    "net2": NamedNetwork("12c5-2s-64c5-2s-10", "mnist", "convolutional network 12c5-2s-64c5-2s-10"),
    "net3": NamedNetwork(
        "192c5p-192c1p-192c1p-2s-192c3p-192c1p-192c1p-2s-192c3p-192c1p-g-10", "svhn", "network in network"
    ),
    "net4": NamedNetwork(
        "32c3p-32c3p-2s-64c3p-64c3p-2s-512-10", "cifar-10", "convolutional network 32c3-32c3-2s-64c3-64c3-2s-512-10"
    ),
    "net5": NamedNetwork(f"16c3p-{_stages('{}r3s2', '{}r3', 3)}-g-10", "cifar-10", "ResNet-20"),
    "net6": NamedNetwork(f"16c3p-{_stages('{}r3s2', '{}r3', 5)}-g-100", "cifar-100", "ResNet-32"),
    "net7": NamedNetwork(
        f"16c3p-{_stages('{}c3ps2', '{}c3p', 10)}-g-100", "cifar-100", "ResNet-32 without its shortcuts"
    ),
}
