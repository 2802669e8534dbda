"""The host's side of a chip: a driver over an abstract transport.

from sw.host import CosimTransport, Host
"""

from __future__ import annotations

from sw.host.cosim_transport import CosimTransport
from sw.host.driver import Host
from sw.host.errors import HostError
from sw.host.load import LayerLoad, LoadReport
from sw.host.transport import Transport

__all__ = ["CosimTransport", "Host", "HostError", "LayerLoad", "LoadReport", "Transport"]
