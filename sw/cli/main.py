"""The command `spikeloom`."""

from __future__ import annotations

import io
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spikeloom.sw.cli.board import EPILOG as BOARD_EPILOG
from spikeloom.sw.cli.board import board
from spikeloom.sw.cli.by_step import EPILOG as BY_STEP_EPILOG
from spikeloom.sw.cli.by_step import by_step
from spikeloom.sw.cli.calibrate import EPILOG as CALIBRATE_EPILOG
from spikeloom.sw.cli.calibrate import calibrate
from spikeloom.sw.cli.command import (
    SIGNALLED,
    WRONG,
    Commands,
    Data,
    Debug,
    Fresh,
    Json,
    Output,
    Run,
    RunOrChip,
    Set,
    check_data,
    check_no_energy,
    chip_and_images,
    chip_only,
    folder,
    is_chip,
    settings_of_nir,
    with_cosim,
)
from spikeloom.sw.cli.command_images import ASKED, DataSet, Images, how_many, images_asked, run_images
from spikeloom.sw.cli.console import print_json, print_summary, shown
from spikeloom.sw.cli.cosim import EPILOG as COSIM_EPILOG
from spikeloom.sw.cli.cosim import cosim
from spikeloom.sw.cli.diagnose import EPILOG as DIAGNOSE_EPILOG
from spikeloom.sw.cli.diagnose import diagnose
from spikeloom.sw.cli.examples import EPILOG as EXAMPLES_EPILOG
from spikeloom.sw.cli.examples import examples
from spikeloom.sw.cli.lifetime import EPILOG as LIFETIME_EPILOG
from spikeloom.sw.cli.lifetime import lifetime
from spikeloom.sw.cli.paper import EPILOG as PAPER_EPILOG
from spikeloom.sw.cli.paper import paper
from spikeloom.sw.cli.synth import EPILOG as SYNTH_EPILOG
from spikeloom.sw.cli.synth import synth
from spikeloom.sw.cli.train import EPILOG as TRAIN_EPILOG
from spikeloom.sw.cli.train import train
from spikeloom.sw.common.ending import leave
from spikeloom.sw.common.errors import ConfigError, FileError, SpikeLoomError, warn
from spikeloom.sw.common.files import check_no_foreign, writable_folder, write_folder
from spikeloom.sw.config.config import Config
from spikeloom.sw.config.settings import changed, check_settings, setting_names
from spikeloom.sw.datasets.image_set import images_in_words

if TYPE_CHECKING:
    from spikeloom.sw.flow.flow import Flow

__all__ = ["app", "main"]

_NO_BOARD = "this command makes no bitstream; leave it out"

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="From a trained PyTorch network to verified Verilog for a memristor-crossbar spiking accelerator.",
    epilog="Start with [bold]spikeloom doctor[/bold], then [bold]spikeloom demo[/bold].",
)


def main() -> None:
    """Entry point of the command. After a signal the process ends without unloading its libraries, which takes time.

    Characters that the terminal does not have are printed as question marks.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.code, int) and ended.code > SIGNALLED:
            leave(ended.code)
        raise


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"spikeloom {version('spikeloom')}")
        raise typer.Exit


@app.callback()
def _common(
    debug: Debug = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: spikeloom doctor --json")
def doctor(as_json: Json = False, debug: Debug = False) -> None:
    """List the required tools, their versions, and how to install missing ones."""
    from spikeloom.sw.cli.doctor import examine, healthy, report

    checks = examine()
    if as_json:
        print_json(report(checks))
    else:
        table = Table(box=None, header_style="bold")
        for title in ("", "tool", "version", "purpose"):
            table.add_column(title, overflow="fold")
        for check in checks:
            mark = "[green]ok[/]" if check.version else "[red]missing[/]" if check.required else "[yellow]absent[/]"
            mark = mark if check.ok else "[red]missing[/]" if check.version is None else "[red]too old[/]"
            table.add_row(mark, check.name, check.version or "-", check.purpose)
        console = Console()
        console.print(table)
        for check in checks:
            if check.remedy:
                console.print(f"[bold]{check.name}[/]: {escape(check.remedy)}", soft_wrap=True)
        console.print("All required tools are installed." if healthy(checks) else "A required tool is missing.")
    if not healthy(checks):
        raise typer.Exit(WRONG)


@app.command(epilog="Example: spikeloom demo")
def demo(
    output: Output = Path("build/demo"),
    fresh: Fresh = False,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a small example: train a network on digits, convert it, and run every test image through the Verilog."""
    _run_flow(Config.load("digits"), output, fresh=fresh, as_json=as_json)


@app.command(
    epilog="Examples: spikeloom run mnist --data DIR · spikeloom run my.toml --to reference · "
    "spikeloom run digits --from report"
)
def run(
    config: Run,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="STEP", help="Repeat this step and all later ones, even if they are finished."),
    ] = None,
    stop: Annotated[str | None, typer.Option("--to", metavar="STEP", help="Stop after this step.")] = None,
    data: Data = None,
    output: Output = None,
    fresh: Fresh = False,
    images: Annotated[
        int | None,
        typer.Option("--images", metavar="N", help="Number of test images to run through the Verilog; 0 for all."),
    ] = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Run a configuration: data, train, convert, reference, verilog, cosim, report.

    With lifetime.measure = true, the step lifetime follows reference.

    Outputs are written to build/NAME unless --output names a folder.

    Finished steps with the same settings are skipped, so a stopped run resumes.
    """
    check_settings(settings, ["board"], _NO_BOARD)
    given = changed(Config.load(config), settings)
    if fresh and start is not None:
        raise ConfigError(
            "--from", [f"{start} would have no effect with --fresh, which runs every step; leave one of them out"]
        )
    before = ("data", "train", "convert", "reference", "lifetime", "verilog")
    if images is not None and stop in before:
        raise ConfigError(
            "--images", [f"{images} would have no effect with --to {stop}, before the Verilog runs; leave one out"]
        )
    check_data(given.data.set, data)
    given = with_cosim(given, images=images, settings=settings)
    flow = _run_flow(given, output, start=start, stop=stop, data=data, fresh=fresh, as_json=as_json)
    if stop not in before:
        how_many(run_images(flow), given.cosim.images, ASKED if images is None else "--images")


@app.command(epilog="Examples: spikeloom verilog digits -o build/rtl · spikeloom verilog mine.loom -o build/rtl")
def verilog(
    source: RunOrChip,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", parser=folder, help="Folder to write.")],
    bus: Annotated[
        bool, typer.Option("--bus", help="Include the host buses: AXI4-Lite, AXI4-Stream, interrupt.")
    ] = False,
    data: Data = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the Verilog of a chip: readable sources, memory files, weight image, port list, example bench."""
    writable_folder(output, "Verilog folder")  # before the training, not after it
    chip = chip_only(source, data, as_json, settings)
    chip.write_verilog(output, bus)
    files = sorted(path.name for path in output.iterdir() if not path.name.startswith("."))
    if as_json:
        print_json({"folder": str(output), "files": files})
    else:
        Console().print(f"{len(files)} files in {output}", soft_wrap=True, highlight=False)


@app.command(
    epilog="Examples: spikeloom firmware digits -o build/c · spikeloom firmware mine.loom -o build/c --images mine.npz"
)
def firmware(
    source: RunOrChip,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", parser=folder, help="Folder to write.")],
    images: Images = None,
    programming: Annotated[
        bool | None,
        typer.Option(
            "--programming/--no-programming",
            help="Whether the list programs the cells (default: according to CONFIG).",
        ),
    ] = None,
    data: Data = None,
    data_set: DataSet = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a chip as C headers (load list, registers, test images), together with the C driver.

    Ten images are included, unless --images gives a number. A weight image uses the data set it was made for.
    """
    from spikeloom.sw.common.shipped import driver_files
    from spikeloom.sw.export.firmware import FIRMWARE_FILES, firmware_files

    asked, file = images_asked(images, data_set, settings)
    check_no_energy(source, settings)
    count = 10 if asked is None else asked
    if not 1 <= count <= 65536:
        raise SpikeLoomError(f"--images must be in 1 .. 65536 images, not {count}")
    writable_folder(output, "folder")  # this and the next before the training, not after it
    check_no_foreign(output, {**driver_files(), **dict.fromkeys(FIRMWARE_FILES)})
    chip, tests = chip_and_images(source, data, as_json, data_set, file, settings)
    if asked is not None:
        count = how_many(tests, asked)
    pixels = tests.images.reshape(len(tests.images), -1)[:count]
    taken = tests.measured_on.facts(len(pixels))
    comment = f"{chip.provenance.in_words()} Images: {images_in_words(taken)}."
    files: dict[str, bytes | str] = {**driver_files(), **firmware_files(chip.programmed, pixels, programming, comment)}
    write_folder(output, files, changed="refuse")
    if as_json:
        print_json({"folder": str(output), "files": sorted(files), "images": len(pixels), "measured_on": taken})
    else:
        text = (
            f"network.h, spikeloom_registers.h and the driver in {output}, with {images_in_words(taken)}: "
            f"make -C {shlex.quote(str(output))}"
        )
        Console().print(text, soft_wrap=True, highlight=False)


@app.command(epilog="Examples: spikeloom nir digits -o digits.nir · spikeloom nir mine.loom -o mine.nir")
def nir(
    source: RunOrChip,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", parser=folder, help="NIR file to write.")],
    data: Data = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a chip's network as a NIR file for other spiking frameworks: integers, with ideal cells."""
    from spikeloom.sw.nir.file import writable_nir
    from spikeloom.sw.nir.writer import check_expressible

    writable_nir(output)  # this and the next before the training, not after it
    if not is_chip(source):
        check_expressible(settings_of_nir(Config.load(source), settings))
    chip = chip_only(source, data, as_json, settings)
    chip.write_nir(output)
    if as_json:
        print_json({"file": str(output), "layers": [layer.name for layer in chip.programmed.layers]})
    else:
        Console().print(f"{len(chip.programmed.layers)} layers in {output}", soft_wrap=True, highlight=False)


app.command(epilog=TRAIN_EPILOG)(train)

app.command(epilog=SYNTH_EPILOG)(synth)
app.command(epilog=CALIBRATE_EPILOG)(calibrate)
app.command(epilog=BOARD_EPILOG)(board)

app.command(epilog=COSIM_EPILOG)(cosim)


@app.command(epilog="Example: spikeloom report digits")
def report(
    config: Run,
    data: Data = None,
    output: Output = None,
    settings: Set = None,
    as_json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the report again from the outputs of a run.

    What was run on the chip is in it with the settings of that run, whatever the tables cosim and lifetime say; its
    energies are those of the table energy.
    """
    from spikeloom.sw.flow.run_settings import left_out, with_run_energies, with_run_settings
    from spikeloom.sw.flow.steps import make_flow

    check_settings(settings, ["board"], _NO_BOARD)
    given = changed(Config.load(config), settings)
    check_data(given.data.set, data)
    flow = with_run_energies(make_flow(given, output, data=data))
    if not flow.started():
        raise FileError(f"There is no run in '{flow.folder}': start `spikeloom run {config}` first")
    if flow.recorded("convert") and not flow.current("convert"):
        raise FileError(
            f"The run in '{flow.folder}' was made with other settings, or by another version: a report would describe "
            f"another chip. Give the settings of that run (--set), or repeat it with `spikeloom run {config}`"
        )
    writable_folder(flow.folder / "report", "report folder")
    flow, differences = with_run_settings(flow)
    named = setting_names(settings)
    asked = [text for name, text in differences.items() if name in named]
    held = [text for name, text in differences.items() if name not in named]
    if asked:
        warn(
            f"The report has the results of the run in '{flow.folder}', with {'; '.join(asked)}: for results of "
            f"the settings given, repeat `spikeloom run {config}` with them"
        )
    if held:
        note = f"The report has the results of the run in '{flow.folder}', with {'; '.join(held)} of the configuration."
        Console(stderr=True).print(note, soft_wrap=True, highlight=False, markup=False)
    with shown(flow, as_json):
        flow.run(stop="convert")
        for step in left_out(flow):
            warn(
                f"The report leaves out the results of the step '{step}' in '{flow.folder}', which are damaged, of "
                f"other settings, or of another version: for new ones, repeat `spikeloom run {config}`"
            )
        flow.run_one("report")
    print_summary(flow, as_json)


app.command(epilog=DIAGNOSE_EPILOG)(diagnose)

app.command("by-step", epilog=BY_STEP_EPILOG)(by_step)

app.command(epilog=LIFETIME_EPILOG)(lifetime)

app.command(epilog=PAPER_EPILOG)(paper)

app.command(epilog=EXAMPLES_EPILOG)(examples)


def _run_flow(
    config: Config,
    output: Path | None,
    *,
    start: str | None = None,
    stop: str | None = None,
    data: Path | None = None,
    fresh: bool = False,
    as_json: bool = False,
) -> Flow:
    from spikeloom.sim.cosim.tools import check_simulator
    from spikeloom.sw.flow.steps import make_flow

    flow = make_flow(config, output, data=data, fresh=fresh)
    for place in (flow.folder, *(flow.folder / name for name in flow.names())):  # where the steps write
        writable_folder(place, "folder of the run")
    with shown(flow, as_json):
        if stop in (None, "cosim", "report") and (start is not None or not flow.current("cosim")):
            check_simulator(config.cosim.simulator)  # before the training, not after it
        flow.run(start, stop)
    print_summary(flow, as_json)
    return flow


if __name__ == "__main__":
    main()
