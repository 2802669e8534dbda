"""Pixels become spikes: direct, phase and rate coding."""
