"""Reproduction of the WINNER-K paper: its experiments on our chip, and its numbers. `spikeloom paper NAME`."""
