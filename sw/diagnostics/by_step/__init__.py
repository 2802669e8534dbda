"""A converted network by time step: how its decoded activations approach those of the network it was converted from,
its firing rates, noise spikes, decisions and crossbar energy after 1, 2, ... steps.

One run of the integer reference to t_max tells all of it: `measure` makes it, with an observer that is told every step
(`watch`), and `ByStep` holds what was added up. Nothing is traced, so memory does not grow with steps times neurons.
"""
