"""The quick start: your own PyTorch model on the accelerator.

    python examples/quick_start.py [FOLDER]

trains a small network on scikit-learn's digits, compiles it, runs it through the integer reference and through the
generated Verilog, and writes Verilog, weight image and report into FOLDER (default build/quick-start).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import spikeloom


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(64, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Dropout(0.1))
        self.output = nn.Linear(48, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.hidden(torch.flatten(x, 1)))


def trained(images: torch.Tensor, labels: torch.Tensor) -> Net:
    torch.manual_seed(0)
    model = Net()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(30):
        for batch in torch.randperm(len(images)).split(64):
            loss = nn.functional.cross_entropy(model(images[batch]), labels[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


def main(folder: Path) -> None:
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)  # [1797, 8, 8], 0 .. 1
    labels = digits.target
    model = trained(torch.from_numpy(images[:1297]), torch.from_numpy(labels[:1297]))
    test, expected = images[1297:], labels[1297:]
    ann = float(np.mean(model(torch.from_numpy(test)).argmax(1).numpy() == expected))

    chip = spikeloom.compile(model, images[:500], "digits")  # a preset's name, a TOML file, or a configuration
    result = chip.predict(test)
    print(f"ANN {ann:.1%}, chip {result.accuracy(expected):.1%} in {result.steps.mean():.1f} time steps")

    rtl = chip.cosim(test[:20])
    compared = chip.predict(test[:20]).compare(rtl)
    print(f"Verilog: 20 images bit-identical, {compared} values compared")

    chip.write_verilog(folder)
    chip.save(folder / "mine.loom")
    assert spikeloom.load(folder / "mine.loom").parameters == chip.parameters
    chip.report(folder, test, expected, reference=result, rtl=rtl)  # the Verilog covers 20 images
    print(f"Verilog, weight image and report are in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/quick-start"))
