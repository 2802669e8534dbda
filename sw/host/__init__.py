"""The host's side of a chip: a driver over an abstract transport.

    from spikeloom.sw.host import CosimTransport, Host

Nothing but `CosimTransport` needs a simulator, a model of devices or a compiler; it is imported when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spikeloom.sw.host.driver import Host
from spikeloom.sw.host.errors import HostError
from spikeloom.sw.host.load import LayerLoad, LoadReport
from spikeloom.sw.host.transport import Transport

if TYPE_CHECKING:
    from spikeloom.sw.host.cosim_transport import CosimTransport

__all__ = ["CosimTransport", "Host", "HostError", "LayerLoad", "LoadReport", "Transport"]


def __getattr__(name: str) -> Any:
    """`CosimTransport`, imported when asked for."""
    if name != "CosimTransport":
        raise AttributeError(f"module 'spikeloom.sw.host' has no attribute '{name}'")
    from spikeloom.sw.host.cosim_transport import CosimTransport

    return CosimTransport
