"""A host that talks to a chip over its buses: connect, load by programming pulses, run images, read counters.

    python examples/host.py

The chip is simulated: its Verilog in a simulator, its memristors in the device model, with variation, noise and stuck
cells. With a board in its place, `Host.connect("/dev/ttyUSB0")`, the code that uses the driver stays the same.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import spikeloom
from spikeloom.sim.chip.device_config import Device, Programming
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.host import CosimTransport, Host


def compiled(images: np.ndarray, labels: np.ndarray) -> ProgrammedChip:
    """A small network for handwritten digits, trained and compiled; its cells are to be programmed by pulses."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        loss = nn.functional.cross_entropy(model(torch.from_numpy(images)), torch.from_numpy(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    chip = spikeloom.compile(model.eval(), images[:500], "digits").programmed
    device = Device(
        device_sigma=0.05, pulse_sigma=0.1, read_sigma=0.01, stuck_on=0.005, stuck_off=0.005, soft_bounds=0.3
    )
    return replace(chip, device=device, programming=Programming(method="write-verify", fault_aware=True))


def main() -> None:
    digits = load_digits()
    images, labels = (digits.images.reshape(-1, 64) / 16).astype(np.float32), digits.target
    chip = compiled(images[:1297], labels[:1297])
    test, expected = images[1297:1397], labels[1297:1397]

    with Host.connect(CosimTransport(chip)) as host:
        parameters = host.parameters
        print(
            f"Found a chip of {len(parameters.layers)} layers, {parameters.inputs} inputs, {parameters.classes} classes"
        )

        report = host.load(chip)
        for index, layer in enumerate(report.layers):
            cells = layer.wanted.size
            print(
                f"Layer {index}: {cells} cells, {layer.pulses / cells:.1f} pulses per cell, "
                f"{int(layer.first.failed.sum())} failed, second pass over {int(layer.second.sum())} starts"
            )

        result = host.infer(test)
        print(f"{result.accuracy(expected):.0%} of {len(test)} images right in {result.steps.mean():.1f} time steps")
        print(f"Clock cycles of an image: {result.cycles.mean():.0f}; between two: at most {result.gaps[1:].max()}")
        print(f"Counters of the last image: {host.counters()['layers'][0]}")

    compared = run_reference(chip, test).compare(result, ("the reference", "the chip"))
    print(f"Bit-identical to the reference with the conductances that were reached: {compared} values compared")


if __name__ == "__main__":
    main()
