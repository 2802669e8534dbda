"""Errors between a host and a chip. Each message is one sentence."""

from __future__ import annotations

from spikeloom.sw.common.errors import SpikeLoomError

__all__ = [
    "BuildError",
    "BusError",
    "ChecksumError",
    "ForeignChipError",
    "HostError",
    "ImageCountError",
    "PortError",
    "RefusedError",
    "TransportClosed",
]


class HostError(SpikeLoomError):
    """Base of every error between a host and a chip."""


class BusError(HostError):
    """The bus answered an access with an error: no register, not allowed there, or not now.

    Parameters
    ----------
    address : byte address of the access
    response : of the bus, 2 SLVERR, 3 DECERR
    kind : "read" or "write"
    """

    def __init__(self, address: int, response: int, kind: str) -> None:
        self.address = address
        self.response = response
        name = {2: "SLVERR", 3: "DECERR"}.get(response, f"response {response}")
        super().__init__(f"The chip answered {name} to a {kind} at address 0x{address:07X}")


class TransportClosed(HostError):
    """The connection to the chip is gone: closed, or whatever is behind it has ended."""


class PortError(HostError):
    """A serial port cannot be opened: it is not there, in use, not allowed, or no serial port."""


class ForeignChipError(HostError):
    """What answers is not a SpikeLoom chip, or one whose register map this driver does not know."""


class BuildError(HostError):
    """The weight image was made for another build than the chip."""


class ChecksumError(HostError):
    """What the chip has received is not what the host has sent."""


class RefusedError(HostError):
    """The chip refused a write in the state that it is in."""


class ImageCountError(HostError):
    """The chip gave another number of results than it was given images, or in another order."""
