"""One package, `spikeloom`, from the folders hw, sim, sw and examples; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

setup(
    packages=[
        "spikeloom",
        *(f"spikeloom.{name}" for name in find_packages(include=["hw", "hw.*", "sim", "sim.*", "sw", "sw.*"])),
        "spikeloom.examples",
        "spikeloom.examples.firmware",
    ],
)
