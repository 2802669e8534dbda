"""The host's side of a chip: a driver over an abstract transport.

    from spikeloom.sw.host import CosimTransport, Host, SerialTransport

Nothing but `CosimTransport` needs a simulator, a model of devices or a compiler; transports are imported when asked
for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from spikeloom.sw.host.driver import Host
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.load import LayerLoad, LoadReport
from spikeloom.sw.host.transport import Transport

if TYPE_CHECKING:
    from spikeloom.sw.host.cosim_transport import CosimTransport
    from spikeloom.sw.host.serial_transport import SerialTransport

__all__ = ["CosimTransport", "Host", "HostError", "LayerLoad", "LoadReport", "SerialTransport", "Transport"]

_TRANSPORTS = {"CosimTransport": "cosim_transport", "SerialTransport": "serial_transport"}


def __getattr__(name: str) -> Any:
    """A transport, imported when asked for."""
    if name not in _TRANSPORTS:
        raise AttributeError(f"module 'spikeloom.sw.host' has no attribute '{name}'")
    return getattr(import_module(f"spikeloom.sw.host.{_TRANSPORTS[name]}"), name)
