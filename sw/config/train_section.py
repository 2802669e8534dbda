"""The table [train] of a configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from spikeloom.hw.params.stage_kinds import STAGES, PoolStage
from spikeloom.sim.common.choices import Choices
from spikeloom.sw.config.sections import Section, Share

__all__ = ["TrainSection"]


class TrainSection(Section):
    """Training of the example network. Not used when your own model is compiled."""

    network: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1000,
            description="`mlp` for dense layers of the sizes `hidden`, layers such as 12c5-2s-64c5-2s-10, or the name "
            "of a network such as net4 ([software](software.md#layer-strings))",
        ),
    ] = "mlp"
    hidden: Annotated[
        tuple[Annotated[int, Field(ge=1, le=32768)], ...],
        Field(strict=False, description="sizes of the hidden layers, first to last, neurons"),
    ] = (128, 64)
    pooling: Annotated[
        str,
        Choices(lambda: STAGES.where(lambda kind: issubclass(kind, PoolStage))),
        Field(description="pooling of the layers such as 2s, after the activation"),
    ] = "max"
    batch_norm: Annotated[
        bool, Field(description="whether a batch norm follows each convolution and each hidden dense layer")
    ] = False
    epochs: Annotated[int, Field(ge=1, description="passes over the training images, epochs")] = 40
    batch: Annotated[int, Field(ge=1, description="images per training step, images")] = 64
    optimiser: Annotated[
        Literal["adam", "sgd"], Field(description="AdamW, or gradient descent with a Nesterov momentum of 0.9")
    ] = "adam"
    learning_rate: Annotated[
        float, Field(gt=0.0, le=1.0, description="peak learning rate; follows a cosine to zero, no unit")
    ] = 2e-3
    weight_decay: Annotated[
        float,
        Field(ge=0.0, le=1.0, description="weight decay: decoupled with adam, added to the gradient with sgd, no unit"),
    ] = 0.0
    dropout: Annotated[
        Share, Field(ge=0.0, lt=1.0, description="share of hidden activations dropped in training, fraction")
    ] = 0.0
    activation: Annotated[
        Literal["relu", "clipped"],
        Field(description="hidden activation; clipped is min(max(x, 0), 1), a neuron's firing rate"),
    ] = "clipped"
    activation_levels: Annotated[
        int,
        Field(
            ge=0,
            le=256,
            description="number of steps to which a clipped activation is rounded, equal to the spike counts of as "
            "many time steps; "
            "0 is no rounding, levels",
        ),
    ] = 4
    weight_bits: Annotated[
        int,
        Field(
            ge=0,
            le=6,
            description="bits of a cell to which training quantises weights, as the conversion does; 0 is off",
        ),
    ] = 4
    weight_noise: Annotated[
        Share,
        Field(ge=0.0, le=1.0, description="Gaussian error of every weight in training, relative to it, fraction"),
    ] = 0.0
    augment: Annotated[
        Literal["none", "affine", "crop", "crop-flip"],
        Field(
            description="random changes of training images: affine shifts, turns and scales a little; crop takes a "
            "part of the image with 4 pixels of zeros around; crop-flip also mirrors half of them"
        ),
    ] = "none"
    label_smoothing: Annotated[
        Share, Field(ge=0.0, lt=1.0, description="share of the target spread over all classes, fraction")
    ] = 0.0
    exact_sums: Annotated[
        bool,
        Field(
            description="whether training gives the same network on every processor, with sums that are exact in any "
            "order; only for `mlp` with adam and without `augment`, and slower where layers are large"
        ),
    ] = False
    precision: Annotated[
        Literal["float32", "bfloat16"],
        Field(
            description="numbers in which layers are computed in training; bfloat16 is faster on processors that have "
            "it, in as many threads as PyTorch has"
        ),
    ] = "float32"
    weights: Annotated[
        str,
        Field(
            min_length=1,
            description="`trained`: this table trains the network; `shipped`: a network that was trained by it comes "
            "with SpikeLoom; else the file of one, by spikeloom train, relative to the current folder",
        ),
    ] = "trained"
