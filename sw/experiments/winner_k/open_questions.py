"""Details that the paper does not give, and the assumptions made here."""

from __future__ import annotations

__all__ = ["OPEN"]

OPEN = (
    (
        "training of the network",
        "ReLU, dropout 0.3, Adam, 10 epochs; training rounds weights to 16 levels, with errors of 10 %. The last "
        "5,000 training images are held out, for learning and tuning",
    ),
    (
        "input spikes",
        "a pixel x fires in each step with probability (x + (x >> 7)) / 256, independently; x / 255 to within 0.002",
    ),
    ("reset and start", "to zero; every neuron starts at zero. Equation 3 leaves V_rest open"),
    (
        "cells of a weight",
        "a pair of cells of four bits, one of them at the lowest level; equal steps of conductance",
    ),
    ("range of the cells", "0.1 to 25 mS, nearly the full range of the device model"),
    (
        "read pulse",
        "+0.2 V for 100 ns: with the full range 99N takes 20.9 µJ on fresh cells, near the paper's 18.85 (and 37.7 "
        "with drift)",
    ),
    ('tuned "to quick drift"', "dw/dt times 7.6e7: the lifetime of 99N is then about that of the paper"),
    ("converters", "8 bits for each column of a 256 x 64 tile"),
    ("exploration, convergence", "epsilon from 1 to 0.4, times 0.9998 per image; the table is averaged over windows"),
    ("number of images for learning", "5,000, shown repeatedly until the table converges"),
    (
        "accuracy while tuning",
        "not included in equation 6. A set of factors is rejected if it loses accuracy on the validation images",
    ),
    ("which k tuning works with", "the one learned before, as in Figure 1; it is not learned again"),
    ("spikes of Figure 4", "of all neurons, and separately those of the inputs"),
    (
        '"wasted" steps of Figure 3',
        "T minus the first step after which the class is correct, for images that are correct at T",
    ),
)
"""Question, and what is assumed here."""
