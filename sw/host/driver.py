"""The host driver: load a weight image into a chip, run images, and read its counters over any transport."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from spikeloom.hw.host.register_map import build_id
from spikeloom.hw.interfaces.activity import COUNTERS
from spikeloom.hw.params.cycles import image_bound
from spikeloom.hw.params.parameters import NpuParameters
from spikeloom.sim.chip.drift_snapshot import DriftSnapshot
from spikeloom.sim.chip.programmed_chip import ProgrammedChip
from spikeloom.sim.chip.result import Result
from spikeloom.sim.common.arguments import check_ids, check_progress, check_switch, check_whole
from spikeloom.sim.images.brightness import CalibrationFacts
from spikeloom.sw.common.errors import ArgumentTypeError, SpikeLoomError
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.datasets.pixels import as_pixels
from spikeloom.sw.host.errors import BuildError, HostError, ImageCountError, RefusedError
from spikeloom.sw.host.frames import decoded, image_frames
from spikeloom.sw.host.load import LoadReport, LoadSession
from spikeloom.sw.host.registers import bit, flags, identify, read_layer, read_parameters, read_unit, write_unit
from spikeloom.sw.host.transport import Transport
from spikeloom.sw.weight_image.file import feature_remedy, first_difference, load

if TYPE_CHECKING:  # what only simulated devices have
    from spikeloom.sim.crossbar.array import CrossbarArray

__all__ = ["Host"]

Progress = Callable[[int, int], None]
Method = Literal["pulses", "fast"]

_CHUNK = 500
"""Images that are sent before the results of earlier ones are received."""


class Host:
    """Drives one chip.

        with Host.connect("/dev/ttyUSB0") as host:  # or Host.connect(CosimTransport(chip.programmed))
            host.load(chip)
            result = host.infer(images)

    `Host(transport)` exchanges nothing with the chip; call `identify` before anything else.

    Parameters
    ----------
    transport : the way to the chip; closed with the host
    timeout_cycles : pause after which the chip gives up a load session or an image that was broken off; 0 never

    Errors are `spikeloom.errors.HostError` in one sentence; the chip shows what it has noticed itself in its register
    `errors`, which `status` reads, and which the next `load`, `infer` or `reset` clears.
    """

    def __init__(self, transport: Transport, timeout_cycles: int = 1_000_000_000) -> None:
        check_whole("timeout_cycles", timeout_cycles, 0, 2**32 - 1)
        self.transport = transport
        self._timeout = timeout_cycles
        self._parameters: NpuParameters | None = None
        self._programmed: ProgrammedChip | None = None
        self._calibration: CalibrationFacts | None = None
        self._tag = 0

    @property
    def parameters(self) -> NpuParameters:
        """Structural parameters of the chip; `HostError` before `identify`."""
        if self._parameters is None:
            raise HostError("The host does not know its chip yet: call identify first, or make it by Host.connect")
        return self._parameters

    @classmethod
    def connect(
        cls,
        to: Transport | str | os.PathLike[str] | None = None,
        *,
        timeout_cycles: int = 1_000_000_000,
        **options: Any,
    ) -> Self:
        """Open the way to a chip, identify the chip, and clear its error flags: a host that is ready to load.

        Parameters
        ----------
        to : name of a board's serial port, such as "/dev/ttyUSB0" or "COM3", or any transport; closed with the host,
            and where the chip cannot be identified
        timeout_cycles : see `Host`
        options : of `SerialTransport`, where a port is given: `baud`, `patience_s`, `tries`, `cells`

        Raises `ForeignChipError` for anything but a SpikeLoom chip, or for one whose register map is not known, and
        `PortError` or `TransportClosed` for a port that cannot be opened, or behind which nothing answers.
        """
        transport = _opened(to, options)
        try:
            host = cls(transport, timeout_cycles)
            host.identify()
        except BaseException:
            transport.close()
            raise
        return host

    def identify(self) -> NpuParameters:
        """Identify the chip, and clear its error flags. Returns its structural parameters.

        Raises `ForeignChipError` for anything but a SpikeLoom chip, or for one whose register map is not known.
        """
        identify(self.transport)
        self._parameters = read_parameters(self.transport)
        self._programmed = None
        self._configure()
        return self._parameters

    def _configure(self) -> None:
        """Set what the host's own registers hold after `identify` and resets, and clear the error flags."""
        self._control()
        write_unit(self.transport, "errors", 0xFFFFFFFF)
        if self.parameters.programmer:
            write_unit(self.transport, "events", 0xFFFFFFFF)

    def _control(self, seeds: bool = False) -> None:
        """Set the host's own registers."""
        control = ["irq_program"] * self.parameters.programmer + ["activity"] + ["seeds"] * seeds
        write_unit(self.transport, "control", bit("control", *control))
        write_unit(self.transport, "timeout", self._timeout)

    def load(
        self,
        chip: ProgrammedChip | Compiled | str | os.PathLike[str],
        method: Method | None = None,
        *,
        fault_aware: bool | None = None,
        arrays: Sequence[CrossbarArray] | None = None,
        progress: Progress | None = None,
        drift: DriftSnapshot | None = None,
    ) -> LoadReport:
        """Load a weight image: registers, biases, and the cells.

        Parameters
        ----------
        chip : a programmed chip, or the path of its weight image
        method : "pulses" programs every cell over the bus, pulse by pulse; "fast" puts levels, or programmed arrays,
            straight into simulated or emulated devices; real cells of a chip without programmers, which were programmed
            elsewhere, it leaves as they are. Default: the chip's [programming]
        fault_aware : give pairs with a failed cell a second pass; default: the chip's [programming]
        arrays : for a fast load, the chip's arrays if they are programmed already (`sim.crossbar.array.build_arrays`)
        progress : called with layers done and layers in all
        drift : for a fast load, where cells that drift are; freshly programmed if not given

        Raises
        ------
        BuildError : made for another build; the sentence names the first parameter that differs
        ChecksumError : the chip has received other writes than were sent
        RefusedError : the chip is processing an image, or is in another state in which it does not load
        HostError, TransportClosed : no fast load here, pulses of a chip without programmers, a programmer that does not
            end, a chip that is gone
        """
        check_switch("fault_aware", fault_aware, optional=True)
        check_progress(progress)
        programmed, calibration = _as_programmed(chip)
        method = method or ("pulses" if programmed.programming.method == "write-verify" else "fast")
        if method not in ("pulses", "fast"):
            raise SpikeLoomError(f"The method of a load must be 'pulses' or 'fast', not {method!r}")
        devices, parameters = self.transport.devices, self.parameters
        _check_method(method, parameters, devices is not None)
        started = self.transport.clock()
        self._programmed = None
        self._configure()
        session = LoadSession(self.transport)
        errors = session.begin(build_id(programmed.parameters))
        if "build" in errors:
            what, of_image, of_chip = first_difference(programmed.parameters, parameters) or ("build", "one", "another")
            raise BuildError(
                f"The weight image was made for another chip: {what} is {of_image}, the chip has {of_chip}"
                f"{feature_remedy(programmed.parameters, parameters)}"
            )
        if errors:
            raise RefusedError(f"The chip does not begin a load now; its error flags: {', '.join(errors)}")
        self._control(seeds=programmed.coding.draws_seeds)  # from here on a reset ends the session, so they last
        session.registers(programmed)
        layers = []
        if method == "pulses":
            if devices is not None:
                devices.before_pulses(programmed)
            aware = programmed.programming.fault_aware if fault_aware is None else fault_aware
            for index in range(len(programmed.layers)):
                layers.append(session.program(programmed, index, aware))
                if progress is not None:
                    progress(index + 1, len(programmed.layers))
        elif devices is not None:
            devices.reload(programmed, arrays, drift)
        session.end()
        self._programmed, self._calibration = programmed, calibration
        ended = self.transport.clock()
        cycles = None if started is None or ended is None else ended - started
        return LoadReport(method, tuple(layers), session.writes, session.checksum, cycles)

    def infer(self, images: Any, ids: Any = None, progress: Progress | None = None) -> Result:
        """Run images through the chip, back to back.

        Parameters
        ----------
        images : NumPy or torch, in the chip's shape or flat, see `Chip.image_shape`; uint8, or float in 0 .. 1
        ids : number of each image, which addresses the random draws of simulated devices, and its seed with rate
            coding; 0, 1, 2, ... if not given
        progress : called with images done and images in all

        Returns
        -------
        the result, with `cycles` and `gaps`, and with counts if the chip has activity counters; its activity's
        `conductance` and `stray` are not known (`loads_from` is None) where the devices are real or emulated, and
        `drift` is what simulated cells have drifted by since the load

        Raises
        ------
        ImageCountError : results are missing, or arrive in a different order
        HostError : nothing is loaded, or a membrane has overflowed
        """
        programmed = self._programmed
        if programmed is None:
            raise HostError("Nothing is loaded: call load first")
        check_progress(progress)
        pixels = as_pixels(images, programmed, self._calibration)
        numbers = check_ids(ids, len(pixels))
        write_unit(self.transport, "errors", 0xFFFFFFFF)
        devices = self.transport.devices
        place = 0 if devices is None else devices.frames_sent
        frames = self._stream(programmed, pixels, numbers, progress)
        fields = decoded(frames, programmed.parameters)
        if fields.pop("overflow").any():
            raise HostError(
                "A membrane has overflowed: its width does not fit what was loaded; load the weight image that the "
                "hardware was made for"
            )
        sums = None if devices is None else devices.totals(place, len(pixels))
        fields["loads_from"] = None if sums is None else "itself"
        known = np.zeros((len(pixels), len(programmed.layers), 2), np.int64) if sums is None else sums
        activity = {**fields.pop("activity"), "conductance": known[:, :, 0], "stray": known[:, :, 1]}
        drift = None if devices is None else devices.drift()
        classes = programmed.parameters.classes
        return Result(**fields, activity=activity, ids=numbers, drift=drift, class_count=classes)

    def _stream(
        self, programmed: ProgrammedChip, pixels: NDArray[np.uint8], ids: NDArray[np.int64], progress: Progress | None
    ) -> list[list[int]]:
        """Send images and receive their results, one chunk behind; returns the words of the result frames in order."""
        idle = 1000 + 4 * image_bound(programmed.parameters, programmed.settle_cycles, programmed.adc_cycles)
        answers: list[list[int]] = []
        waiting: list[NDArray[np.uint16]] = []

        def take() -> None:
            tags = waiting.pop(0)
            got = self.transport.receive(len(tags), idle)
            if [tag for tag, _ in got] != tags[: len(got)].tolist():
                raise ImageCountError("The chip gave results in another order than it was given images")
            answers.extend(words for _, words in got)
            if len(got) < len(tags):
                errors = flags("errors", read_unit(self.transport, "errors")[0])
                raise ImageCountError(
                    f"The chip gave {len(answers)} results for {len(pixels)} images; its error flags: "
                    f"{', '.join(errors) or 'none'}"
                )
            if progress is not None:
                progress(len(answers), len(pixels))

        devices = self.transport.devices
        drawing = devices if devices is not None and devices.draws else None
        for part in _chunks(ids, drawing is not None):
            tags: int | NDArray[np.int64] = self._tag
            if drawing is not None:
                high = int(ids[part.start]) >> 16
                while waiting and high != int(ids[part.start - 1]) >> 16:
                    take()
                drawing.number_images(high)
                tags = ids[part]
            frames = image_frames(programmed, pixels[part], ids[part], tags)
            self._tag = (self._tag + len(frames)) & 0xFFFF
            self.transport.send(frames)
            waiting.append(frames.tags)
            if len(waiting) > 1:
                take()
        while waiting:
            take()
        return answers

    def counters(self) -> dict[str, Any]:
        """Counters of the chip: `images` since its reset, `cycles` and `gap` of the last one, and for each of `layers`
        the activity of the last one, with activity counters, and what programming has done since the load began, with
        programmers.
        """
        images, cycles, gap = read_unit(self.transport, "images", "cycles", "gap")
        names: tuple[str, ...] = COUNTERS if self.parameters.activity_counters else ()
        names += ("pulses", "verify_reads", "failed_cells") if self.parameters.programmer else ()
        layers = [
            dict(zip(names, read_layer(self.transport, index, *names), strict=True))
            for index in range(len(self.parameters.layers))
        ]
        return {"images": images, "cycles": cycles, "gap": gap, "layers": layers}

    def status(self) -> dict[str, tuple[str, ...]]:
        """Flags that are up, by register: `status`, `errors`, `events`; the last with programmers only."""
        names = ("status", "errors", *(("events",) if self.parameters.programmer else ()))
        return {name: flags(name, word) for name, word in zip(names, read_unit(self.transport, *names), strict=True)}

    def reset(self) -> None:
        """Soft reset: the chip is as after a reset, but its cells keep their conductances; what was loaded is gone.

        Results that were still on their way are thrown away.
        """
        write_unit(self.transport, "reset", bit("reset", "soft"))
        while self.transport.receive(1 << 16, 1000):
            pass
        self._programmed = None
        self._configure()

    def close(self) -> None:
        """Give the chip up. May be called again."""
        self.transport.close()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _chunks(ids: NDArray[np.int64], drawn: bool) -> Iterator[slice]:
    """Images that are sent together: with `drawn`, those of one upper half of their numbers."""
    cuts = set(range(0, len(ids), _CHUNK))
    if drawn:
        cuts |= set((np.flatnonzero(np.diff(ids >> 16)) + 1).tolist())
    for start, stop in itertools.pairwise([*sorted(cuts), len(ids)]):
        yield slice(start, stop)


def _opened(to: Transport | str | os.PathLike[str] | None, options: dict[str, Any]) -> Transport:
    """The transport that `Host.connect` is given, or one to the serial port that it is given."""
    if isinstance(to, str | os.PathLike):
        from spikeloom.sw.host.serial_transport import SerialTransport

        return SerialTransport(to, **options)
    if to is None:
        raise ArgumentTypeError(
            "Host.connect opens a chip and takes the name of a serial port, or a transport, such as "
            'Host.connect("/dev/ttyUSB0"); a host that there is already reads what its chip is by host.identify()'
        )
    if not isinstance(to, Transport):
        raise ArgumentTypeError(
            f"Host.connect takes the name of a serial port, or a transport, not {type(to).__name__}"
        )
    if options:
        raise ArgumentTypeError(
            f"Host.connect takes {', '.join(sorted(options))} for the name of a serial port only: give what the "
            "transport needs to the transport"
        )
    return to


def _check_method(method: Method, parameters: NpuParameters, simulated: bool) -> None:
    """Raise `HostError` for a way to load cells that the chip does not have."""
    if method == "pulses" and not parameters.programmer:
        raise HostError(
            "The chip is built without programmers, so its cells cannot be programmed by pulses: load with method "
            "'fast', which leaves real cells as they are, or generate the hardware with [hardware] programmer = true"
        )
    if method == "fast" and parameters.programmer and not simulated:
        raise HostError("A fast load needs simulated or emulated devices: real cells are programmed by pulses")


def _as_programmed(
    chip: ProgrammedChip | Compiled | str | os.PathLike[str],
) -> tuple[ProgrammedChip, CalibrationFacts | None]:
    """The programmed chip of what a user hands over, and what it was calibrated with, if that is known."""
    if isinstance(chip, ProgrammedChip):
        return chip, None
    known = chip if isinstance(chip, Compiled) else load(chip)
    return known.programmed, known.provenance.calibration
