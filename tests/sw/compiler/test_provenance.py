"""A chip knows what it is: its name, its network, its calibration images; and claims nothing of another's run."""

import hashlib
import importlib.metadata
import json

import numpy as np
import pytest
import torch
from torch import nn

import spikeloom
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sw.compiler.provenance import Provenance, settings_in_effect
from spikeloom.sw.config.config import Config
from spikeloom.sw.export.axi_folder import export_axi_files
from spikeloom.sw.export.firmware import network_header
from spikeloom.sw.export.verilog_folder import export_files
from spikeloom.sw.nir.writer import chip_to_nir
from tests.fixtures.models import make_chip, make_images, make_model

IMAGES = make_images(30, 784, seed=2)


class FashionNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(784, 6), nn.ReLU())
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.body(x.flatten(1)))


def fashion_model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return FashionNet().eval()


@pytest.fixture(scope="module")
def chip():
    return spikeloom.compile(fashion_model(), IMAGES, "mnist")


def test_a_model_of_ones_own_is_not_the_presets(chip, tmp_path):
    """Neither its name, nor its training, data set and counts: in the report, READMEs, the C header, NIR and repr."""
    assert repr(chip).startswith("Chip(FashionNet: 784-6-4, 4-bit cells; ")
    page = chip.report(tmp_path, IMAGES[:5], np.arange(5) % 4).read_text()
    summary = json.loads((tmp_path / "summary.json").read_text())
    readmes = [str(files(chip)["README.md"]) for files in (export_files, export_axi_files)]
    header = network_header(chip.programmed, IMAGES[:2], comment=chip.provenance.in_words())
    for text in (page, json.dumps(summary), *readmes, header):
        assert "FashionNet" in text and "mnist" not in text.lower()
    for text in (page, *readmes, header):
        plain = " ".join(text.replace("\n *", "\n").replace("&#39;", "'").split())
        assert "A user's PyTorch model, class FashionNet, calibrated with 30 images." in plain
    for table in ("[train]", "[data]", "[nir]", "[cosim]", "[learning]", "[tuning]", "[lifetime]", "[board]"):
        assert table not in page
    assert "calibration_images</td>" not in page and "<h3>[decision]</h3>" in page
    assert set(summary["config"]) == {
        "seed", "convert", "coding", "neuron", "decision", "crossbar", "device", "programming", "energy", "hardware",
    }  # fmt: skip
    assert summary["config"]["programming"] == {"method": "direct"}
    for table, name in (
        ("convert", "percentile"), ("device", "pulse_sigma"), ("device", "drift_every"), ("hardware", "program_cycles"),
        ("energy", "dac8_J_per_pulse"),
    ):  # fmt: skip
        assert name not in summary["config"][table] and name in chip.config.model_dump()[table]
    assert summary["name"] == "FashionNet" and readmes[0].startswith("# FashionNet\n")
    assert "mnist" not in str(chip_to_nir(chip.programmed, chip.config.neuron.v0).metadata).lower()


def test_what_is_known_is_in_the_weight_image(chip, tmp_path):
    found = spikeloom.load(chip.save(tmp_path / "a.loom"))
    known = found.provenance
    assert known == chip.provenance and (known.source, known.model) == ("own", "FashionNet")
    assert known.layers == ("body.0: Linear 6x784", "body.1: Rectifier", "head: Linear 4x6")
    assert (known.data_set, known.data_sha256, known.calibration_images) == (None, None, 30)
    assert known.calibration_sha256 == hashlib.sha256(b"(30, 784)\n" + IMAGES.tobytes()).hexdigest()
    assert known.versions == {name: importlib.metadata.version(name) for name in ("spikeloom", "torch", "numpy")}
    assert repr(found) == repr(chip)
    again = spikeloom.compile(fashion_model(), IMAGES, "mnist")
    assert again.save(tmp_path / "b.loom").read_bytes() == (tmp_path / "a.loom").read_bytes()
    for images in (IMAGES[:29], IMAGES[::-1].copy()):
        other = spikeloom.compile(fashion_model(), images, "mnist").provenance
        assert other.calibration_sha256 != known.calibration_sha256


def test_the_name_is_the_users_where_there_is_one():
    model, images = make_model(20, 6, 3), make_images(10, 20)

    def name(config, **options):
        return spikeloom.compile(model, images, config, **options).programmed.name

    assert name("tiny") == name({"seed": 3}) == name(Config.load("digits").updated({"seed": 3})) == "Sequential"
    assert name({"name": "glove"}) == "glove"
    assert name({"name": "glove"}, name="sock-2") == name("tiny", name="sock-2") == "sock-2"
    for wrong in ("", "a b", "-x", "x" * 65, 3):
        with pytest.raises((ValueError, TypeError), match=r"^name must be "):
            name("tiny", name=wrong)


def test_a_class_with_an_odd_name_gives_a_plain_one():
    odd = type("_Größe", (nn.Sequential,), {})
    model = odd(*make_model(20, 6, 3)).eval()
    assert spikeloom.compile(model, make_images(10, 20), "tiny").programmed.name == "Gr__e"


def test_a_network_from_nir_says_so(tmp_path):
    chip = make_chip(neuron={"v0": 0.0}, device={"device_sigma": 0.0})
    path = chip.write_nir(tmp_path / "a.nir")
    settings = chip.config.updated({"convert": {"normalisation": "auto", "output_offset": "auto"}})
    again = spikeloom.compile(spikeloom.read_nir(path), make_images(10, 20), settings)
    assert again.programmed.name == "nir" and again.provenance.source == "nir"
    assert again.provenance.in_words() == "A network from a NIR file, calibrated with 10 images."
    assert len(again.provenance.layers) == 6


def test_settings_of_a_run_are_those_in_use():
    config = Config.load("digits").model_dump(mode="json")
    run = Provenance("trained", data_set="digits")
    assert set(config) - set(settings_in_effect(config, run)) == {"nir", "learning", "tuning", "lifetime", "board"}
    assert settings_in_effect(config, None) == settings_in_effect(config, run)
    assert "train" not in settings_in_effect(config, Provenance("nir", data_set="digits"))
    verify = {**config, "programming": Programming(method="write-verify").model_dump(mode="json")}
    assert settings_in_effect(verify, run)["programming"] == verify["programming"]
    assert "pulse_sigma" in settings_in_effect(verify, run)["device"]
    fixed = Config.load("digits").updated({"decision": {"rule": "fixed"}}).model_dump(mode="json")
    assert "k" in settings_in_effect(config)["decision"] and "k" not in settings_in_effect(fixed)["decision"]
    assert "even_start" in settings_in_effect(config)["coding"]
    analog = Config.load("digits").updated({"coding": {"input": "analog"}}).model_dump(mode="json")
    assert "dac8_J_per_pulse" in settings_in_effect(analog)["energy"]
    assert "even_start" not in settings_in_effect(analog)["coding"]
    learned = {**config, "decision": {**config["decision"], "strategy": "learned"}}
    assert "learning" in settings_in_effect(learned, run)
    for source in ("own", "unknown"):
        left = settings_in_effect(config, Provenance(source))
        assert Config.load(left).updated({"name": "digits"}).device == Config.load("digits").device
        assert not {"name", "data", "train", "nir", "cosim"} & set(left)
