"""Shared by all levels of the model: random numbers, threads, locks, caches, checks of arguments."""
