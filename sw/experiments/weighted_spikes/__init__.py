"""Reproduction of the weighted-spikes paper: its experiments on our chip, and its numbers. `spikeloom paper NAME`."""
