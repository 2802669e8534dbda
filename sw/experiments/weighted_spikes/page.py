"""Step `page`: `results.json`, the figures, and one self-contained HTML page. The same results give the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikeloom.sw.common.files import write_together
from spikeloom.sw.experiments.weighted_spikes.experiment import Experiment
from spikeloom.sw.experiments.weighted_spikes.pictures import FIGURES
from spikeloom.sw.experiments.weighted_spikes.results import gather
from spikeloom.sw.experiments.winner_k.parts import FOLDER, plain
from spikeloom.sw.experiments.winner_k.pictures import svg
from spikeloom.sw.flow.flow import Flow
from spikeloom.sw.report.page_environment import page_environment
from spikeloom.sw.report.plots.style import data_uri

__all__ = ["CAPTIONS", "render", "write_page"]

CAPTIONS = {
    "figures-4-and-7": "Figures 4 and 7: outputs of the first test image over the weight that has passed since the "
    "skipped periods; marks at the right are the network's activations, the dashed line the step from which the class "
    "is the network's.",
    "figure-5": "Figure 5: mean absolute error and standard deviation of the decoded activations of all neurons.",
    "figures-8-and-9": "Figures 8 and 9: error and mean firing rate for every K that was measured.",
    "figure-10": "Figure 10: steps, and synaptic operations per image, until the accuracy stays within the allowed "
    "loss; chosen on the test images, as the paper seems to do. Bars that are missing do not get there.",
    "figure-11": "Figure 11: error, mean firing rate, and synaptic operations per image against accuracy, with the "
    "paper's skipped periods.",
    "figure-12": "Figure 12: what the early decision gives for allowed losses of 0, 0.1 and 1 point. Dots: theta and "
    "skip chosen on held-out images; crosses: on the test images.",
    "figure-13": "Figure 13: images that have ended, and the accuracy among them, for an allowed loss of 1 point.",
    "figure-14": "Figure 14: test images by the difference of the network's two largest outputs.",
}


def write_page(experiment: Experiment, flow: Flow) -> list[Path]:
    """Write everything into the folder `page`, all or nothing."""
    results = gather(experiment, flow, [f"figures/{name}.svg" for name in FIGURES])
    figures = {name: draw(results) for name, draw in FIGURES.items()}
    page = render(results, {name: data_uri(figure) for name, figure in figures.items()})
    files = {f"figures/{name}.svg": svg(figure) for name, figure in figures.items()}
    files |= {"results.json": plain(results), "index.html": page}
    write_together(flow.folder / FOLDER, files)
    return [flow.folder / FOLDER / name for name in files]


def render(results: Mapping[str, Any], uris: Mapping[str, str]) -> str:
    """The page's text."""
    environment = page_environment(Path(__file__).parent / "templates")
    environment.filters.update(sci=_sci)
    template = environment.get_template("weighted-spikes.html.j2")
    return template.render(r=results, pictures=uris, captions=CAPTIONS)


def _sci(value: float) -> str:
    """A large number: 3.1e+06 -> "3.1e6"."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}"
