"""`python -m benchmarks.defaults [NETWORK ...]`: are the defaults of [convert] as good as the best that a search finds?

Plain ReLU networks, trained in floating point, go onto chips with 1 to 6 bits per cell (converters of 8 bits) and onto
chips with converters of 1 to 8 bits (cells of 6 bits). Each is converted with fixed settings (the largest activation is
a rate of 1, the largest weight the top level, no converter saturates), with the defaults, and with every setting of a
grid; the best of the grid is chosen by looking at the test images, so it is a bound for any such choice. The tables of
docs/poor-accuracy.md are printed.

Every figure is stored in `build/defaults.json` as soon as it is measured, and networks in `build/defaults`, so that an
interrupted run resumes where it stopped. Figures of chips whose conversion is chosen by error are known for the very
code of the compiler only, and count as not measured after a change of it. With `--known` nothing is measured.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import itertools
import json
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

import spikeloom
from spikeloom.sw.common.errors import DiagnosticWarning
from spikeloom.sw.common.files import write_atomic
from spikeloom.sw.common.sources import source_of, sources_digest
from spikeloom.sw.compiler.pipeline import compile_model
from spikeloom.sw.config.train_section import TrainSection
from spikeloom.sw.datasets.datasets import Dataset, load_data
from spikeloom.sw.frontend.plain_torch import torch_accuracy
from spikeloom.sw.training.training import train

_BUILD = Path(__file__).parent.parent / "build"
FIGURES, _NETWORKS = _BUILD / "defaults.json", _BUILD / "defaults"
FIXED: dict[str, Any] = {
    "normalisation": "max", "weight_scale": "max", "adc_quantile": 1.0, "output_offset": "network",
}  # fmt: skip
CELL_BITS, ADC_BITS = (1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6, 7, 8)
"""Bits per cell, with converters of 8 bits; bits of the converters, with cells of `_CELLS` bits."""
_CELLS = 6
_CONSOLE = Console(stderr=True)


@dataclass(frozen=True)
class Case:
    """A network, trained with seed 1, and how many test images it is measured on; the first 1,000 training images
    calibrate.
    """

    title: str
    data: str
    train: TrainSection
    images: int


def _plain(**settings: Any) -> TrainSection:
    return TrainSection(activation="relu", activation_levels=0, weight_bits=0, **settings)


CASES = {
    "digits": Case("digits, 64-48-10", "digits", _plain(hidden=(48,), epochs=60, learning_rate=1e-2), 500),
    "mnist": Case("MNIST, 784-256-128-10", "mnist", _plain(hidden=(256, 128), epochs=6, batch=128), 10000),
    "fashion": Case(
        "Fashion-MNIST, 784-256-128-10", "fashion-mnist", _plain(hidden=(256, 128), epochs=8, batch=128), 10000
    ),
    "cnn": Case(
        "Fashion-MNIST, 8c3p-2s-16c3p-2s-64-10",
        "fashion-mnist",
        _plain(network="8c3p-2s-16c3p-2s-64-10", epochs=4, batch=128),
        5000,
    ),
}


def grid(cells: bool) -> Iterator[dict[str, Any]]:
    """Settings that the search tries: weight scales where cells are varied, ranges where converters are; all fixed, but
    for the least error of the weights with the rest chosen.
    """
    yield FIXED
    if cells:
        yield {**FIXED, "weight_scale": "mse"}
        for share in (0.999, 0.99):
            yield {**FIXED, "weight_scale": "mse", "normalisation": "percentile", "percentile": share}
        yield {"weight_scale": "mse"}
        return
    for quantile, share in itertools.product((0.99, 0.9, 0.8), (0.999, 0.99)):
        yield {**FIXED, "normalisation": "percentile", "percentile": share, "adc_quantile": quantile}


def code() -> str:
    """A checksum of the code that chooses the defaults: all that the compiler uses."""
    return sources_digest((source_of(compile_model),))[:12]


class Bench:
    """Figures of a network's chips; those that were measured before come from the file, and with `known` only those."""

    def __init__(self, name: str, known: bool = False) -> None:
        self.name, self.case, self.known, self.code = name, CASES[name], known, code()
        self.data: Dataset = load_data(self.case.data)
        self.model = self._model()
        stored = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
        self.figures: dict[str, list[float]] = stored.get(name, {})

    def measure(self, cell_bits: int, adc_bits: int, convert: dict[str, Any]) -> list[float] | None:
        """[accuracy 0 .. 1, mean steps, seconds of `spikeloom.compile`] on ideal cells with k = 2 and at most 20 steps;
        None if it is not known, and only what is known is wanted.
        """
        fixed = set(convert) >= set(FIXED)
        key = json.dumps([cell_bits, adc_bits, self.case.images, convert, "" if fixed else self.code], sort_keys=True)
        if key not in self.figures and not self.known:
            chip, seconds = self._compiled(cell_bits, adc_bits, convert)
            result = chip.predict(self._flat(self.data.test_images[: self.case.images]))
            labels = self.data.test_labels[: self.case.images]
            self.figures[key] = [result.accuracy(labels), float(result.steps.mean()), seconds]
            self.store()
        return self.figures.get(key)

    def _model(self) -> nn.Module:
        """The trained network; trained once for these settings."""
        described = repr((self.case.data, self.case.train)).encode()
        path = _NETWORKS / f"{self.name}-{hashlib.sha256(described).hexdigest()[:12]}.pt"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            made = io.BytesIO()
            torch.save(train(self.case.train, self.data, 1), made)
            write_atomic(path, made.getvalue())
        model: nn.Module = torch.load(path, weights_only=False)
        return model.eval()

    def _compiled(self, cell_bits: int, adc_bits: int, convert: dict[str, Any]) -> tuple[spikeloom.Chip, float]:
        """The chip, and the processor's seconds of making it."""
        warnings.simplefilter("ignore", DiagnosticWarning)  # fixed settings lose much where bits are few
        start = time.process_time()
        chip = spikeloom.compile(self.model, self._flat(self.data.train_images[:1000]), {
            "convert": convert,
            "device": {"bits": cell_bits},
            "crossbar": {"adc_bits": adc_bits},
            "decision": {"k": 2.0, "t_max": 20},
        })  # fmt: skip
        return chip, time.process_time() - start

    def row(self, cell_bits: int, adc_bits: int, cells: bool) -> str:
        """Accuracy and steps with fixed settings, by default, and with the best of the grid."""
        found = [self.measure(cell_bits, adc_bits, FIXED), self.measure(cell_bits, adc_bits, {})]
        searched = [self.measure(cell_bits, adc_bits, each) for each in grid(cells)]
        found.append(None if None in searched else max((f for f in searched if f), key=lambda f: (f[0], -f[1])))
        return " | ".join("not measured" if f is None else f"{100.0 * f[0]:.1f} % ({f[1]:.1f})" for f in found)

    def store(self) -> None:
        known = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
        write_atomic(FIGURES, json.dumps({**known, self.name: self.figures}, indent=1).encode())

    def ann(self) -> float:
        images = self._flat(self.data.test_images[: self.case.images])
        return torch_accuracy(self.model, images, self.data.test_labels[: self.case.images])

    def times(self) -> tuple[float, float]:
        """Processor's seconds of `spikeloom.compile` with 4-bit cells and 8-bit converters: fixed settings, defaults.
        The least of three, in turn.
        """
        pairs = [[self._compiled(4, 8, convert)[1] for convert in (FIXED, {})] for _ in range(3)]
        return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)

    def _flat(self, images: Any) -> Any:
        return images.reshape(len(images), -1)


def tables(names: Sequence[str], known: bool = False) -> str:
    """Both tables in Markdown, then accuracies of the models and times."""
    benches = [Bench(name, known) for name in names]
    parts = []
    for cells in (True, False):
        varied = "cell bits (converters of 8 bits)" if cells else f"ADC bits (cells of {_CELLS} bits)"
        lines = [f"| {varied} | network | fixed | default | best found |", "|---|---|---|---|---|"]
        for bench in benches:
            for bits in CELL_BITS if cells else ADC_BITS:
                with _CONSOLE.status(f"{bench.case.title}: {bits} bits"):
                    row = bench.row(bits if cells else _CELLS, 8 if cells else bits, cells)
                lines.append(f"| {bits} | {bench.case.title} | {row} |")
                _CONSOLE.print(lines[-1], soft_wrap=True)
        parts.append("\n".join(lines))
    for bench in benches:
        line = f"{bench.case.title}: ANN {100 * bench.ann():.1f} %"
        if not known:
            line += ", compile {:.2f} s fixed, {:.2f} s default".format(*bench.times())
        parts.append(line)
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.defaults", description="Measure the defaults of [convert]."
    )
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"{', '.join(CASES)}; all if not given")
    parser.add_argument("--known", action="store_true", help="print what was measured before, and measure nothing")
    given = parser.parse_args()
    names = given.networks or list(CASES)
    if unknown := sorted(set(names) - set(CASES)):
        parser.error(f"there is no network {', '.join(unknown)}; the networks are {', '.join(CASES)}")
    print(tables(names, given.known))


if __name__ == "__main__":
    main()
