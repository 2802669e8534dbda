"""Details that the paper does not give, and the assumptions made here."""

from __future__ import annotations

__all__ = ["OPEN"]

OPEN = (
    (
        "training of the network",
        "ReLU, dropout 0.3, Adam, 10 epochs; training rounds weights to 16 levels, with errors of 10 %. The last "
        "5,000 training images are kept out, for learning and tuning",
    ),
    (
        "input spikes",
        "a pixel x fires in each step with probability (x + (x >> 7)) / 256, on its own; x / 255 to within 0.002",
    ),
    ("reset and start", "to zero; every neuron starts at zero. Equation 3 leaves V_rest open"),
    (
        "cells of a weight",
        "a pair of cells of four bits, one of them at the lowest level; equal steps of conductance",
    ),
    ("range of the cells", "0.1 to 25 mS, nearly all that the device model reaches"),
    (
        "read pulse",
        "+0.2 V for 100 ns: with the full range 99N takes 20.9 µJ on fresh cells, near the paper's 18.85 (and 37.7 "
        "with drift)",
    ),
    ('tuned "to quick drift"', "dw/dt times 7.6e7: with it 99N lives about as long as the paper's"),
    ("converters", "8 bits for each column of a 256 x 64 tile"),
    ("exploration, convergence", "epsilon from 1 to 0.4, times 0.9998 an image; the table averaged over windows"),
    ("number of images learnt from", "5,000, shown again and again until the table rests"),
    (
        "accuracy while tuning",
        "equation 6 does not know it. A set of factors is refused if it loses accuracy on the validation images",
    ),
    ("which k tuning works with", "the one learnt before, as Figure 1 has it; it is not learnt again"),
    ("spikes of Figure 4", "of all neurons, and those of the inputs apart"),
    ('"wasted" steps of Figure 3', "T less the first step after which the class is right, of images right at T"),
)
"""Question, and what is assumed here."""
