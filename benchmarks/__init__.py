"""Benchmarks: `make bench` runs everything here and writes `benchmarks/results.md`."""
