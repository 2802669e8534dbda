"""A spiking network from a NIR file on the accelerator, and back into one.

    python examples/nir_digits.py [FOLDER]

reads digits.nir, which was trained and written by snnTorch (nir_write.py), compiles it, runs it through the integer
reference and through the generated Verilog, and writes the chip's integers as a NIR file into FOLDER (default
build/nir-digits).
"""

from __future__ import annotations

import sys
from pathlib import Path

import spikeloom
from spikeloom.sw.datasets.datasets import load_data

HERE = Path(__file__).parent


def main(folder: Path) -> None:
    data = load_data("digits")
    test, expected = data.test_images, data.test_labels
    # NIR does not say what follows a spike; snnTorch does
    model = spikeloom.read_nir(HERE / "digits.nir", reset="subtract")
    chip = spikeloom.compile(model, data.train_images[:500], HERE / "nir_digits.toml")
    result = chip.predict(test)
    print(f"{chip}: accuracy {result.accuracy(expected):.1%} in {result.steps.mean():.0f} time steps, noisy cells")

    rtl = chip.cosim(test[:10])
    print(f"Verilog: 10 images bit-identical, {chip.predict(test[:10]).compare(rtl)} values compared")

    folder.mkdir(parents=True, exist_ok=True)
    path = spikeloom.write_nir(chip, folder / "chip.nir")
    again = spikeloom.compile(spikeloom.read_nir(path), data.train_images[:500], HERE / "nir_digits.toml")
    same = (again.predict(test).classes == result.classes).mean()
    print(f"{path} holds the chip's integers; compiled again it gives {same:.1%} of the same classes")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("build/nir-digits"))
