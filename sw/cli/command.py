"""Shared by every command of `spikeloom`: options, and errors as one sentence and an exit code."""

from __future__ import annotations

import contextlib
import errno
import sys
import traceback
import warnings
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError
from typer.core import TyperGroup

from spikeloom.sim.chip.result import Mismatch
from spikeloom.sim.common.units import fields_of
from spikeloom.sw.cli.command_images import TestImages, check_data, images_for
from spikeloom.sw.cli.console import say, shown
from spikeloom.sw.common.ending import Terminated, ends_in_order
from spikeloom.sw.common.errors import ConfigError, FileError, SpikeLoomError, SpikeLoomWarning
from spikeloom.sw.common.files import as_path, readable_error
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.messages import option_words
from spikeloom.sw.config.settings import changed, check_set_once, check_settings

if TYPE_CHECKING:
    from spikeloom.sw.chip import Chip
    from spikeloom.sw.flow.flow import Flow

__all__ = [
    "FAULT",
    "INTERRUPTED",
    "SIGNALLED",
    "USER_ERROR",
    "WRONG",
    "Commands",
    "Data",
    "Debug",
    "Fresh",
    "Json",
    "Output",
    "Run",
    "RunOrChip",
    "Set",
    "Simulator",
    "check_data",
    "check_data_of_chip",
    "check_no_energy",
    "chip_and_flow",
    "chip_and_images",
    "chip_only",
    "folder",
    "is_chip",
    "settings_of_chip",
    "settings_of_nir",
    "with_cosim",
]

WRONG, USER_ERROR, FAULT, INTERRUPTED = 1, 2, 70, 130
"""Exit codes: a check failed (a missing tool, a mismatch), the input was wrong, the program itself is (EX_SOFTWARE of
sysexits.h), Ctrl-C."""
SIGNALLED = 128
"""Exit codes of commands that a signal has ended are this and the signal's number."""


_NO_MEMORY = (
    "can't allocate memory",
    "There is not enough memory: make the network, [train] batch or the number of images smaller",
)
"""What PyTorch's `RuntimeError` says where there is none, and what the command says."""
_REPORT = (
    "Error: This is a bug in SpikeLoom ({}), not in your input: please report it with the traceback above and the "
    "command."
)


class Simulator(StrEnum):
    """Choices of `--simulator`."""

    verilator = "verilator"
    icarus = "icarus"


class Commands(TyperGroup):
    """Commands whose errors are one sentence and an exit code, and whose warnings are one line on stderr; `--debug`
    shows where errors come from. What is not a `SpikeLoomError`, nor the operating system's, is a fault of the program:
    its traceback is shown in any case.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command; warnings are lines, and signals end it in order."""
        try:
            with ends_in_order(), _warnings_as_lines():
                return super().invoke(ctx)
        except typer.BadParameter as error:
            if isinstance(error.__cause__, ValidationError):  # whose texts are pydantic's
                error.message = option_words(error.__cause__)
            raise
        except Terminated as ended:
            say(f"Terminated ({ended}). Only finished steps and chunks are kept: run the same command again.")
            raise typer.Exit(SIGNALLED + ended.number) from None
        except KeyboardInterrupt:
            say("Interrupted. Only finished steps and chunks are kept: run the same command again.")
            raise typer.Exit(INTERRUPTED) from None
        except Mismatch as error:
            _fail(ctx, f"The Verilog and the reference differ. {error}")
            raise typer.Exit(WRONG) from None
        except OSError as error:
            if error.errno == errno.EPIPE:  # the reader of our output has gone: nobody is left to tell
                raise
            _fail(ctx, readable_error(error.filename or "the output", error, "read or write"))
            raise typer.Exit(USER_ERROR) from None
        except SpikeLoomError as error:
            _fail(ctx, " ".join(str(error).split()))
            raise typer.Exit(USER_ERROR) from None
        except (typer.TyperException, typer.Exit, typer.Abort, Warning):  # in order; what `python -W error` asked for
            raise
        except Exception as error:
            if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and _NO_MEMORY[0] in str(error)):
                _fail(ctx, _NO_MEMORY[1])
                raise typer.Exit(USER_ERROR) from None
            traceback.print_exc(file=sys.stderr)
            say(_REPORT.format(type(error).__name__))
            raise typer.Exit(FAULT) from None


@contextlib.contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Print every `SpikeLoomWarning` once, as a line; others as Python does."""
    before = warnings.showwarning
    told: set[str] = set()

    def show(message: Any, category: Any, *place: Any, **options: Any) -> None:
        if not issubclass(category, SpikeLoomWarning):
            before(message, category, *place, **options)
        elif str(message) not in told:
            told.add(str(message))
            say(f"Warning: {message}")

    with warnings.catch_warnings():
        warnings.simplefilter("always", SpikeLoomWarning)
        warnings.showwarning = show
        yield


def _fail(ctx: Any, sentence: str) -> None:
    if ctx.find_root().obj == "debug":
        traceback.print_exc(file=sys.stderr)
    say(f"Error: {sentence}")


def folder(text: str) -> Path:
    """The folder an option names; a usage error if the text is empty, as from a variable that is not set."""
    try:
        return as_path(text, "folder")
    except FileError as error:
        raise typer.BadParameter(str(error)) from None


def is_chip(source: str) -> bool:
    """Whether CONFIG|FILE.loom is a weight image."""
    return source.endswith(".loom")


def _debug(context: typer.Context, value: bool) -> bool:
    if value:
        context.find_root().obj = "debug"
    return value


Debug = Annotated[bool, typer.Option("--debug", callback=_debug, help="Show the Python traceback of an error.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Start over: remove the outputs of an earlier run from the folder.")
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        parser=folder,
        help="Folder of the data sets (default: $SPIKELOOM_DATA, else a download).",
    ),
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="CONFIG", help="A preset (tiny, digits, phase, programming, mnist, net1 .. 7) or a TOML file."
    ),
]
RunOrChip = Annotated[
    str, typer.Argument(metavar="CONFIG|FILE.loom", help="A preset, a TOML file, or a weight image (.loom).")
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="TABLE.KEY=VALUE", help="Change one value of CONFIG, written as in TOML; repeatable."
    ),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", parser=folder, help="Folder of the run.")]


_RUN_TABLES = ("cosim", "lifetime", "board")
"""Tables of a configuration that say what is run on a chip, not what it is."""


def settings_of_chip(config: Config, settings: list[str] | None, used: tuple[str, ...]) -> Config:
    """The configuration in a weight image with `--set`: a finished chip takes only the tables that are used on it, and
    `data.test_limit` with them.
    """
    tables = [name for name in Config.model_fields if name not in used and name != "data"]
    keys = [f"data.{name}" for name in type(config.data).model_fields if name != "test_limit" or not used]
    what = "a weight image is a finished chip"
    for text in settings or ():
        name = text.partition("=")[0].strip()
        if name in Config.model_fields:
            raise ConfigError("--set", [f"{name} would have no effect: {what}; leave it out"])
    return changed(config, settings, [*tables, *keys], what)


def settings_of_run(config: Config, settings: list[str] | None, used: tuple[str, ...]) -> Config:
    """A configuration with `--set`, for a command that makes its chip and goes by the tables `used` of `_RUN_TABLES`;
    `data.test_limit` is for one that runs test images, which uses "data" too.
    """
    unused = [table for table in _RUN_TABLES if table not in used]
    config = changed(config, settings, unused, "this command does not use the table")
    if "data" not in used:
        check_settings(settings, ["data.test_limit"], "this command runs no test images; leave it out")
    return config


def check_no_energy(source: str, settings: list[str] | None) -> None:
    """Raise `ConfigError` for `--set energy.KEY` of a configuration, for a command that shows no energy."""
    if not is_chip(source):
        check_settings(settings, ["energy"], "this command shows no energy; leave it out")


_IN_LEVELS = ("bits", "g_min_S", "g_max_S")
"""Fields of [device] that say what a level is."""


def settings_of_nir(config: Config, settings: list[str] | None) -> Config:
    """A configuration with `--set`, for the command that writes a NIR file, which nothing about cells or circuits can
    change, but for what the tuning of thresholds sees of cells.
    """
    what = "the NIR file holds the network's integers, without what cells and circuits do; leave it out"
    check_settings(settings, ["energy", "hardware"], what)
    config = settings_of_run(config, settings, ())
    if not config.convert.tune:
        cells = [f"device.{name}" for name in fields_of(type(config.device)) if name not in _IN_LEVELS]
        check_settings(settings, ["programming", *cells], what)
    return config


def chip_and_flow(
    source: str, data: Path | None, as_json: bool, settings: list[str] | None = None, used: tuple[str, ...] = ()
) -> tuple[Chip, Flow | None]:
    """The chip in a weight image, or that of a configuration, with the flow that made it, which leaves a run of other
    settings as it is; `settings` are those of `--set`, and `used` the tables of `_RUN_TABLES` that the command goes by.
    """
    import spikeloom
    from spikeloom.sw.flow.beside import beside
    from spikeloom.sw.flow.run_folder import load_chip
    from spikeloom.sw.flow.steps import make_flow

    if is_chip(source):
        chip = spikeloom.load(source)
        chip.config = settings_of_chip(chip.config, settings, used)
        return chip, None
    config = settings_of_run(Config.load(source), settings, used)
    check_data(config.data.set, data)
    flow = beside(make_flow(config, data=data))
    with shown(flow, as_json):
        flow.run(stop="convert")
    return load_chip(flow), flow


def chip_only(source: str, data: Path | None, as_json: bool, settings: list[str] | None) -> Chip:
    """The chip of `chip_and_flow` for a command that needs no images: `data` is for a configuration only."""
    check_data_of_chip(source, data)
    return chip_and_flow(source, data, as_json, settings)[0]


def check_data_of_chip(source: str, data: Path | None) -> None:
    """Raise `ConfigError` for a folder of data sets beside a weight image, where nothing is read from it."""
    if is_chip(source) and data is not None:
        raise ConfigError(
            "--data",
            ["it would have no effect: a weight image is a finished chip, and needs no images here; leave --data out"],
        )


def chip_and_images(
    source: str,
    data: Path | None,
    as_json: bool,
    data_set: str | None = None,
    file: Path | None = None,
    settings: list[str] | None = None,
    used: tuple[str, ...] = ("data",),
) -> tuple[Chip, TestImages]:
    """The chip of `chip_and_flow`, and the images to run it with; see `sw.cli.command_images.images_for`."""
    chip, flow = chip_and_flow(source, data, as_json, settings, used)
    return chip, images_for(chip, source, flow, data, data_set, file)


def with_cosim(
    config: Config,
    images: int | None = None,
    simulator: Simulator | None = None,
    waves: bool = False,
    trace_images: int | None = None,
    through_bus: bool = False,
    settings: list[str] | None = None,
    file: Path | None = None,
) -> Config:
    """The configuration with the options of the command line in its table [cosim].

    settings, file : of `--set`, which are in the configuration already, and of `--images`: what both say is refused
    """
    given = {
        "images": images if images is not None else file, "simulator": simulator, "waves": waves or None,
        "trace_images": trace_images, "through_bus": through_bus or None,
    }  # fmt: skip
    check_set_once(settings, "cosim", given)
    changes: dict[str, Any] = {}
    if images is not None:
        changes["images"] = images
        if trace_images is None and config.cosim.trace_images != "auto" and 0 < images < config.cosim.traced:
            changes["trace_images"] = images
    if trace_images is not None:
        changes["trace_images"] = trace_images
    if simulator is not None:
        changes["simulator"] = simulator.value
    if waves:
        changes["waves"] = True
    if through_bus:
        changes["through_bus"] = True
    return config.updated({"cosim": changes}, "command line") if changes else config
