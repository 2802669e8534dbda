"""A serial port: opened for this program alone, bytes out and in within a bound of time, errors in one sentence."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from typing import Any

import serial
from serial.tools import list_ports

from spikeloom.sw.host.errors import PortError, TransportClosed

__all__ = ["SerialPort"]


def _lost() -> tuple[type[Exception], ...]:
    """What pyserial raises when a device is gone."""
    try:
        from termios import error
    except ImportError:  # Windows has none
        return (OSError,)
    return OSError, error


_LOST = _lost()
_UNKNOWN = (ValueError, OverflowError, NotImplementedError)
"""What it raises for a baud that the port does not have."""
_REFUSED: tuple[type[Exception], ...] = (*_LOST, *_UNKNOWN)
_BUSY = (errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK)
_TICK_S = 0.05


class SerialPort:
    """An open port, 8 data bits, no parity, 1 stop bit, no flow control.

    Parameters
    ----------
    name : of the port, such as "/dev/ttyUSB0" or "COM3"
    baud : bits per second
    patience_s : bound on the time in which the port takes bytes

    Raises `PortError` where there is no such port, it may not be opened, another program has it, it is none, or it
    does not know the baud.
    """

    def __init__(self, name: str, baud: int, patience_s: float) -> None:
        self.name = name
        self.baud = baud
        self._lost = ""
        try:
            self._port: Any = serial.Serial(
                name, baud, timeout=min(_TICK_S, patience_s / 4), write_timeout=patience_s, exclusive=True
            )
        except _REFUSED as error:
            raise PortError(_reason(name, baud, error)) from None
        with contextlib.suppress(*_LOST, ValueError, AttributeError, NotImplementedError):
            self._port.set_low_latency_mode(True)  # else some USB bridges hold answers back for 16 ms

    def write(self, data: bytes) -> bool:
        """Send bytes; False if the port has not taken them all in time. `TransportClosed` if it is gone."""
        try:
            return bool(self._open().write(data) == len(data))
        except serial.SerialTimeoutException:
            with contextlib.suppress(*_LOST):
                self._open().reset_output_buffer()
            return False
        except _LOST:
            raise self._gone() from None

    def read(self) -> bytes:
        """What has come, or what comes within a fraction of a second; b"" if nothing. `TransportClosed` if the port
        is gone.
        """
        try:
            port = self._open()
            first: bytes = port.read(1)
            return first + port.read(port.in_waiting) if first else first
        except _LOST:
            raise self._gone() from None

    def discard(self, quiet_s: float = 0.0) -> None:
        """Forget what has come; bounded, however much comes."""
        ends = time.monotonic() + quiet_s
        try:
            self._open().reset_input_buffer()
        except _LOST:
            raise self._gone() from None
        while time.monotonic() < ends:
            self.read()

    def close(self, lost: str = "") -> None:
        """Give the port up. May be called again. `lost` says why, to later calls."""
        port, self._port = self._port, None
        self._lost = self._lost or lost
        if port is not None:
            with contextlib.suppress(*_LOST):
                port.reset_output_buffer()  # or the system would wait until a stuck device has taken all of it
            with contextlib.suppress(*_LOST):
                port.close()

    def _open(self) -> Any:
        if self._port is None:
            why = self._lost or "the host was closed"
            raise TransportClosed(f"The connection to the board at '{self.name}' is closed ({why}): connect again")
        return self._port

    def _gone(self) -> TransportClosed:
        self.close("the port is gone")
        return TransportClosed(
            f"The serial port '{self.name}' is gone: plug the board's cable in again, and connect again"
        )


def _reason(name: str, baud: int, error: BaseException) -> str:
    """Why a port could not be opened, with the remedy, one sentence."""
    text = str(error)
    inner = re.search(r"\((\d+), '", text)  # pyserial quotes errors of the terminal
    number = int(inner[1]) if inner else getattr(error, "errno", None)
    if isinstance(error, _UNKNOWN):
        return f"The serial port '{name}' does not take {baud} baud: give the baud that the board was built with"
    if number in _BUSY or ("denied" in text.lower() and os.name == "nt"):
        return f"The serial port '{name}' is in use by another program: end it, or close its host, and connect again"
    if number in (errno.EACCES, errno.EPERM):
        return (
            f"Permission to open the serial port '{name}' is denied: put the user into the group '{_group(name)}' "
            f"(sudo usermod -aG {_group(name)} $USER), and log in again"
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "cannot find" in text.lower():
        return f"There is no serial port '{name}'; {_known()}: plug the board in, or give the name of its port"
    why = os.strerror(number) if isinstance(number, int) else text.split(": ")[-1]
    return f"'{name}' is not a serial port that can be used ({why}); {_known()}"


def _known() -> str:
    """The serial ports that there are, a clause."""
    with contextlib.suppress(*_LOST):
        ports = [
            port.device if port.description in (None, "n/a", port.device) else f"{port.device} ({port.description})"
            for port in sorted(list_ports.comports())
        ]
        if ports:
            return f"ports there are: {', '.join(ports)}"
    return "no serial port is there"


def _group(name: str) -> str:
    """The group that may use a port."""
    with contextlib.suppress(ImportError, KeyError, OSError):
        import grp

        group = grp.getgrgid(os.stat(name).st_gid).gr_name
        if group != "root":
            return group
    return "dialout"
