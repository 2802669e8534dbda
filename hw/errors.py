"""The base of every error that a user can cause, for hardware, simulation and software alike."""

from __future__ import annotations

__all__ = ["ArgumentTypeError", "SpikeLoomError"]


class SpikeLoomError(ValueError):
    """What was given, asked for or found cannot be used: one sentence names it, what is allowed, where, and the remedy.

    Every error that a user can cause is one of these, and the command line prints it as one line. Any other exception
    is a fault of the program.
    """


class ArgumentTypeError(SpikeLoomError, TypeError):
    """An argument is of a type that is not taken, and a `TypeError` for that."""
