"""The .loom file: complete, checked, and refused where it is not right."""

import errno
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save

import spikeloom
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.optional_parts import ALL_OPTIONAL
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters, Reset
from spikeloom.hw.params.plan import CrossbarStage, MapShape, Plan, Window
from spikeloom.hw.params.stage_kinds import AveragePoolStage, MaxPoolStage
from spikeloom.sim.chip.device_config import Programming
from spikeloom.sim.reference.run import run_reference
from spikeloom.sw.common.errors import FileError, SpikeLoomWarning, WeightImageError
from spikeloom.sw.compiler.compiled import Compiled
from spikeloom.sw.compiler.provenance import Provenance
from spikeloom.sw.weight_image.file import FORMAT, _checksum, pack, unpack
from tests.fixtures.models import make_chip, make_images
from tests.fixtures.networks import random_chip, random_pixels

SETTINGS = {
    "seed": 2,
    "device": {"device_sigma": 0.05, "read_sigma": 0.01},
    "coding": {"input": "analog"},
    "neuron": {"leak": 3},
}
CHIP = make_chip(**SETTINGS)
WHOLE = make_chip(**SETTINGS, hardware={"neuron_features": "all", "input_codings": "all"})
"""The same network on neurons with all features, as those of older versions were."""


@pytest.fixture
def path(tmp_path):
    return CHIP.save(tmp_path / "chip.loom")


def test_everything_comes_back(path):
    chip = spikeloom.load(path)
    a, b = CHIP.programmed, chip.programmed
    assert (a.parameters, a.device, a.energy, chip.config) == (b.parameters, b.device, b.energy, CHIP.config)
    assert chip.provenance == CHIP.provenance and chip.provenance.source == "own"
    assert chip.findings == CHIP.findings and chip.findings.images == 50 and "calibration images" in str(chip.findings)
    assert chip.notes == CHIP.notes and any("is a firing rate of 1." in note for note in chip.notes)
    for x, y in zip(a.layers, b.layers, strict=True):
        assert all(np.array_equal(value, asdict(y)[key]) for key, value in asdict(x).items())
        assert y.positive.dtype == np.uint8 and y.bias.dtype == np.int32
    plain = [{k: v for k, v in vars(programmed).items() if k != "layers"} for programmed in (a, b)]
    assert plain[0] == plain[1]
    images = make_images(40, 20)
    assert CHIP.predict(images, trace="full").compare(chip.predict(images, trace="full")) > 0


def test_the_same_chip_gives_the_same_bytes(path):
    again = spikeloom.load(path)
    assert path.read_bytes() == again.save(path.with_name("again.loom")).read_bytes()
    assert path.read_bytes() == pack(CHIP.programmed, CHIP.config, CHIP.provenance, CHIP.findings, CHIP.notes)


def test_every_flipped_byte_is_noticed(path):
    """Length and start of the header, its end, the tensors' first and last bytes, and 200 places between."""
    content = path.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    regions = [range(60), range(header - 40, header + 40), range(len(content) - 40, len(content))]
    checksum = content.index(b'"sha256"')
    regions += [range(checksum, checksum + 80), np.random.default_rng(0).integers(0, len(content), 200)]
    for place in [int(place) for region in regions for place in region]:
        if (
            content[place] == 0x20 and place < header
        ):  # a space of the padding may be another character of the same value
            continue
        damaged = bytearray(content)
        damaged[place] ^= 0x10
        sentence = r"^(The weight image )?'x' is (damaged: |not a SpikeLoom weight|a weight image of version)"
        with pytest.raises(WeightImageError, match=sentence):
            unpack(bytes(damaged), "x")


def test_a_damaged_weight_is_named(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightImageError, match=r"^The weight image '.*chip.loom' is damaged: its content does not fit"):
        spikeloom.load(path)


@pytest.mark.parametrize("length", [3, 200, -1])
def test_a_cut_off_file_is_named(path, length):
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(WeightImageError, match=r"chip.loom' is (damaged|not a SpikeLoom weight image)"):
        spikeloom.load(path)


FOREIGN = [
    b"",
    b"hello, world",
    b"\x89PNG\r\n\x1a\n" + b"\0" * 99,
    (9**6).to_bytes(8, "little") + b"[" * 9**6,
    b"\0" * 100,
    save({"a": np.zeros(3)}, {"format": "pt"}),
    save({}),
]


@pytest.mark.parametrize("content", FOREIGN)
def test_foreign_files_are_named(path, content):
    path.write_bytes(content)
    with pytest.raises(WeightImageError, match=r"^'.*chip.loom' is not a SpikeLoom weight image$"):
        spikeloom.load(path)


def test_newer_files_are_named(path):
    path.write_bytes(save({"future": np.zeros(3)}, {"format": FORMAT, "version": "12", "other": "things"}))
    with pytest.raises(WeightImageError, match="is a weight image of version 12, but this program reads versions"):
        spikeloom.load(path)


def as_version_1(content: bytes) -> bytes:
    """The same chip as a program of version 1 wrote it: without programming, and the device's pulse fields."""
    metadata, chip = parts_of(content)
    drop_features(chip)
    del chip["provenance"]
    drop_plan(chip)
    for table in (chip, chip["config"], chip["config"]["hardware"]):
        table.pop("programming", None)
        table.pop("program_cycles", None)
    chip["config"]["cosim"].pop("through_bus", None)
    for device in (chip["device"], chip["config"]["device"]):
        for name in ("pulse_sigma", "pulse_up", "pulse_down", "soft_bounds", "v_program_V"):
            device.pop(name)
    return joined(content, metadata, chip, "1")


def as_version_2(content: bytes) -> bytes:
    """The same chip as a program of version 2 wrote it: a chain of dense layers, without a plan."""
    metadata, chip = parts_of(content)
    drop_features(chip)
    del chip["provenance"]
    drop_plan(chip)
    return joined(content, metadata, chip, "2")


def as_version_3(content: bytes) -> bytes:
    """The same chip as a program of version 3 wrote it: every crossbar once."""
    metadata, chip = parts_of(content)
    drop_features(chip)
    del chip["provenance"]
    name_as_before(chip)
    for stage in chip["parameters"]["plan"]["stages"]:
        assert stage.pop("copies", 1) == 1
    assert chip["config"]["crossbar"].pop("copies") == 1
    return joined(content, metadata, chip, "3")


def as_version_7(content: bytes) -> bytes:
    """The same chip as a program of version 7 wrote it: some names were other ones."""
    metadata, chip = parts_of(content)
    drop_features(chip)
    name_as_before(chip)
    return joined(content, metadata, chip, "7")


def name_as_before(chip: dict) -> None:
    """Names up to version 7, in place."""
    plan = chip["parameters"]["plan"]
    if plan is not None:
        plan["image"] = plan.pop("input")
        for stage in plan["stages"]:
            if "replicas" in stage:
                stage["copies"] = stage.pop("replicas")
    crossbar = chip["config"]["crossbar"]
    crossbar["copies"] = crossbar.pop("replicas")
    for table in (chip["programming"], chip["config"]["programming"]):
        table["window"] = table.pop("tolerance")
        assert table["method"] in ("direct", "write-verify")
        table["method"] = table["method"].removeprefix("write-")


def drop_features(chip: dict) -> None:
    """Neurons of versions up to 8 had all features, there were two encoders of all codings, and nothing said so."""
    drop_parts(chip)
    hardware, parameters = chip["config"]["hardware"], chip["parameters"]
    assert [hardware.pop(name) for name in ("neuron_features", "input_codings", "encoders")] == ["all", "all", 2]
    assert [parameters.pop(name) for name in ("codings", "encoders")] == [[c.name for c in CODINGS.unit], 2]
    for layer in chip["parameters"]["layers"]:
        assert [layer.pop(name) for name in ("leak", "clip", "resets")] == [True, True, [0, 1, 2]]


def drop_rules(chip: dict) -> None:
    """Units of versions up to 10 had no optional rule, and nothing said so."""
    assert chip["parameters"].pop("rules") == ["fixed", "winner_k"] and chip.pop("stable_theta") == 1
    assert chip["config"]["hardware"].pop("decision_rules") == "used" and chip["config"]["decision"].pop("theta") == 1.0


def drop_parts(chip: dict) -> None:
    """Units of versions up to 9 had all optional parts, and nothing said so."""
    drop_rules(chip)
    for table in (chip["config"]["hardware"], *chip["parameters"]["layers"]):
        assert {name: table.pop(name) for name in ALL_OPTIONAL} == ALL_OPTIONAL


def drop_plan(chip: dict) -> None:
    assert chip["parameters"].pop("plan") is None
    for layer in chip["parameters"]["layers"]:
        assert layer.pop("positions") == 1


def parts_of(content: bytes) -> tuple[dict, dict]:
    size = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8 : 8 + size])["__metadata__"]
    return metadata, json.loads(metadata["chip"])


def joined(content: bytes, metadata: dict, chip: dict, version: str) -> bytes:
    """The file with another JSON text and version, and the checksum that fits them."""
    tensors = load_tensors(content)
    metadata |= {"version": version, "chip": json.dumps(chip, sort_keys=True)}
    metadata["sha256"] = _checksum(version, metadata["chip"], tensors)
    return save(tensors, metadata)


def test_version_1_is_read(path):
    """Levels straight into the cells, whatever the defaults of later versions are; saved again it is of the newest."""
    path.write_bytes(as_version_1(pack(WHOLE.programmed, WHOLE.config)))
    chip = spikeloom.load(path)
    assert (chip.programmed.programming, chip.programmed.program_cycles) == (Programming(method="direct"), 10)
    assert chip.programmed.device == WHOLE.programmed.device and chip.config == WHOLE.config
    assert pack(chip.programmed, chip.config) == pack(WHOLE.programmed, WHOLE.config)
    images = make_images(40, 20)
    assert WHOLE.predict(images, trace="full").compare(chip.predict(images, trace="full")) > 0


def packed(chip: Compiled) -> bytes:
    """The weight image of what was read from one."""
    return pack(chip.programmed, chip.config, chip.provenance, chip.findings, chip.notes)


def test_version_2_is_read(path):
    found = unpack(as_version_2(pack(WHOLE.programmed, WHOLE.config)), "x")
    assert found.provenance == Provenance() and packed(found) == pack(WHOLE.programmed, WHOLE.config)


def test_version_3_is_read():
    programmed = convolutional()
    found = unpack(as_version_3(pack(programmed, WHOLE.config)), "x")
    assert found.provenance == Provenance() and packed(found) == pack(programmed, WHOLE.config)


def test_version_7_is_read():
    """Every name that was another one, in a file that a program of version 7 could have written."""
    programming = Programming(method="write-verify", tolerance=0.5, tries=9)
    config = WHOLE.config.updated({"programming": programming.model_dump()})
    plan = convolutional((4, 2, 1))
    for programmed, settings in (
        (replace(WHOLE.programmed, programming=programming), config),
        (plan, WHOLE.config.updated({"crossbar": {"replicas": [4, 2, 1]}})),
    ):
        content = pack(programmed, settings)
        assert b"copies" not in content and b"replicas" in content
        old = as_version_7(content)
        assert b"copies" in old and b"replicas" not in old
        assert packed(unpack(old, "x")) == content


def test_version_8_is_read_with_all_features(path):
    content = pack(WHOLE.programmed, WHOLE.config)
    metadata, chip = parts_of(content)
    drop_features(chip)
    old = joined(content, metadata, chip, "8")
    assert packed(unpack(old, "x")) == content
    path.write_bytes(old)
    loaded = spikeloom.load(path)
    assert loaded.config.hardware.neuron_features == loaded.config.hardware.input_codings == "all"
    assert loaded.parameters == WHOLE.parameters != CHIP.parameters
    images = make_images(40, 20)
    assert CHIP.predict(images, trace="full").compare(loaded.predict(images, trace="full")) > 0


def test_version_9_is_read_with_all_parts():
    content = pack(CHIP.programmed, CHIP.config)
    metadata, chip = parts_of(content)
    drop_parts(chip)
    assert packed(unpack(joined(content, metadata, chip, "9"), "x")) == content


def test_a_chip_from_before_there_was_noise_of_conversions_has_none():
    content = pack(CHIP.programmed, CHIP.config)
    metadata, chip = parts_of(content)
    for table in (chip["device"], chip["config"]["device"]):
        assert table.pop("adc_sigma") == 0.0
    loaded = unpack(joined(content, metadata, chip, "10"), "x")
    assert loaded.programmed.device.adc_sigma == 0.0 and packed(loaded) == content


@pytest.mark.parametrize("name", ALL_OPTIONAL)
def test_parts_that_are_missing_are_kept_and_named(path, name):
    lean = make_chip(**SETTINGS, hardware={name: False})
    assert packed(unpack(packed(lean), "x")) == packed(lean)
    lean.save(path)
    assert spikeloom.load(path).parameters == lean.parameters != CHIP.parameters
    sentence = (
        rf": {name} of layer 0 is False, but the design has True; compile the network with \[hardware\] {name} = true$"
    )
    with pytest.raises(WeightImageError, match=sentence):
        spikeloom.load(path, CHIP.parameters)
    CHIP.save(path)
    with pytest.raises(WeightImageError, match=rf"; compile the network with \[hardware\] {name} = false$"):
        spikeloom.load(path, lean.parameters)
    path.write_bytes(pack(lean.programmed, CHIP.config))
    with pytest.raises(WeightImageError, match=rf"\[hardware\] {name} is True in its .*, but False in its chip"):
        spikeloom.load(path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: p["layers"][1].update(programmer=1), "Layer parameter programmer must be True or False, not 1"),
        (lambda p: p["layers"][1].update(programmer=False), "Layer 1: programmer must equal that of the other layers"),
        (lambda p: p["layers"][1].update(resets=[0, 3]), "resets of layer 1 of the hardware must be one of 0, 1, 2"),
        (lambda p: p["layers"][1].update(resets=0), "resets of layer 1 of the hardware must be a list, not 0"),
        (lambda p: p["layers"][1].update(resets=[]), "Layer parameter resets must name at least one of SUBTRACT"),
        (lambda p: p.update(codings=[]), "NPU parameter codings must name at least one of phase, rate, even, analog"),
        (lambda p: p.update(codings=["even", 3]), "codings of the hardware must be .*, not 3"),
        (lambda p: p.update(codings=["phase"]), "Programmed chip: coding must be phase, not analog, since its encoder"),
        (lambda p: p.update(encoders=3), "NPU parameter encoders must be 1 or 2, not 3"),
        (lambda p: p["layers"][1].update(leak="no"), "Layer parameter leak must be True or False, not 'no'"),
        (lambda p: p["layers"][1].update(leak=False), r"Layer 1 \(.*\): leak must be 0, not 3, since its neurons are"),
    ],
)
def test_features_are_checked(change, sentence):
    content = pack(CHIP.programmed, CHIP.config)
    metadata, chip = parts_of(content)
    change(chip["parameters"])
    with pytest.raises(WeightImageError, match=f"^The weight image 'x' is damaged: {sentence}"):
        unpack(joined(content, metadata, chip, "10"), "x")


def test_a_configuration_that_says_all_of_a_chip_without_is_a_contradiction(tmp_path):
    path = tmp_path / "chip.loom"
    path.write_bytes(pack(CHIP.programmed, WHOLE.config))
    with pytest.raises(WeightImageError, match=r"\[hardware\] neuron_features is 'all' in its .* 'used' in its chip"):
        spikeloom.load(path)


def test_other_features_are_named_with_their_remedy(path):
    """Hardware with all features for a network that was compiled for its own, and the reverse."""
    sentence = (
        r"was made for other hardware: clip of layer 0 is False, but the design has True; compile the network with"
    )
    with pytest.raises(WeightImageError, match=sentence + r" \[hardware\] neuron_features = \"all\"$"):
        spikeloom.load(path, replace(WHOLE.parameters, codings=CHIP.parameters.codings))
    sentence = r": codings is analog, but the design has phase and rate and even and analog; compile the network with"
    with pytest.raises(
        WeightImageError, match=rf'{sentence} \[hardware\] input_codings = "all" and neuron_features = '
    ):
        spikeloom.load(path, WHOLE.parameters)
    only = replace(CHIP.parameters, codings=(Coding.PHASE, Coding.RATE))
    remedy = r'; generate the hardware with \[hardware\] input_codings = "all", and compile the network with it, too$'
    with pytest.raises(WeightImageError, match=rf": codings is analog, but the design has phase and rate{remedy}"):
        spikeloom.load(path, only)
    remedy = r"encoders is 2, but the design has 1; compile the network with \[hardware\] encoders = 1$"
    with pytest.raises(WeightImageError, match=remedy):
        spikeloom.load(path, replace(CHIP.parameters, encoders=1))
    remedy = r'input_codings = "all" and encoders = 1, and compile the network with it, too$'
    with pytest.raises(WeightImageError, match=remedy):
        spikeloom.load(path, replace(only, encoders=1))
    first = replace(CHIP.parameters.layers[0], max_theta=CHIP.parameters.layers[0].max_theta + 1)
    other = replace(only, layers=(first, *only.layers[1:]))
    remedy = (
        r"; generate the hardware from this network with `spikeloom verilog`, or compile the network with the \[cod"
    )
    with pytest.raises(WeightImageError, match=rf": codings is analog, but the design has phase and rate{remedy}"):
        spikeloom.load(path, other)
    WHOLE.save(path)
    resets = tuple(replace(layer, resets=(Reset.ZERO,)) for layer in WHOLE.parameters.layers)
    with pytest.raises(
        WeightImageError,
        match=r": resets of layer 0 is SUBTRACT and ZERO and NONE, but the design has ZERO; generate the hardware with",
    ):
        spikeloom.load(path, replace(WHOLE.parameters, layers=resets))


def test_version_4_is_read_and_knows_no_origin(path):
    content = pack(CHIP.programmed, CHIP.config, CHIP.provenance)
    metadata, chip = parts_of(content)
    del chip["provenance"]
    path.write_bytes(joined(content, metadata, chip, "4"))
    loaded = spikeloom.load(path)
    assert loaded.provenance == Provenance() and loaded.provenance.source == "unknown"
    assert pack(loaded.programmed, loaded.config, CHIP.provenance) == content


def test_version_5_is_read_and_knows_no_findings(path):
    content = path.read_bytes()
    metadata, chip = parts_of(content)
    del chip["findings"], chip["notes"]
    path.write_bytes(joined(content, metadata, chip, "5"))
    loaded = spikeloom.load(path)
    assert (loaded.findings, loaded.notes) == (None, ()) and loaded.provenance == CHIP.provenance
    assert pack(loaded.programmed, loaded.config, CHIP.provenance, CHIP.findings, CHIP.notes) == content


def test_a_read_pulse_of_another_length_than_the_drive_is_told(path):
    """Files up to version 5 had a length of their own for energy and drift: 10 ns, where rows were driven for 40."""
    content = pack(CHIP.programmed, CHIP.config, CHIP.provenance)
    for pulse_s in (1e-8, CHIP.programmed.read_s):
        metadata, chip = parts_of(content)
        for device in (chip["device"], chip["config"]["device"]):
            device["t_pulse_s"] = pulse_s
        path.write_bytes(joined(content, metadata, chip, "5"))
        if pulse_s == 1e-8:
            with pytest.warns(
                SpikeLoomWarning, match=r"made with t_pulse_s 1e-08, but its hardware drives rows for 4e-08 s"
            ):
                loaded = spikeloom.load(path)
        else:
            loaded = spikeloom.load(path)
        assert pack(loaded.programmed, loaded.config, CHIP.provenance) == content


def test_energy_coefficients_of_an_older_version(path):
    """Defaults become those of now; what was another value is kept, or told to be gone."""
    before = {"adc_J_per_conversion": 2e-12, "dac_J_per_pulse": 2.5e-14, "dac8_J_per_pulse": 4e-13}
    content = pack(CHIP.programmed, CHIP.config, CHIP.provenance)
    metadata, chip = parts_of(content)
    for table in (chip, chip["config"]):
        table["energy"] = {**before, "neuron_J_per_update": 1e-13, "control_J_per_cycle": 1e-12}
    path.write_bytes(joined(content, metadata, chip, "6"))
    loaded = spikeloom.load(path)
    assert pack(loaded.programmed, loaded.config, CHIP.provenance) == content
    for table in (chip, chip["config"]):
        table["energy"] |= {"adc_J_per_conversion": 3e-12, "control_J_per_cycle": 5e-12}
    path.write_bytes(joined(content, metadata, chip, "6"))
    with pytest.warns(
        SpikeLoomWarning, match=r"made with control_J_per_cycle of \[energy\], which no longer have an effect"
    ):
        energy = spikeloom.load(path).programmed.energy
    assert (
        energy.adc_J_per_conversion == (3e-12,) * 3 and energy.dac_J_per_pulse == CHIP.programmed.energy.dac_J_per_pulse
    )


def test_a_chip_whose_settings_are_refused_now_is_not_called_damaged():
    content = pack(CHIP.programmed, CHIP.config)
    metadata, chip = parts_of(content)
    chip["config"]["coding"] |= {"input": "even", "phases": 4}
    with pytest.raises(WeightImageError) as caught:
        unpack(joined(content, metadata, chip, "4"), "x")
    said = (
        "The chip in 'x' was made by an earlier version, with settings that are no longer allowed; compile it again: "
    )
    assert str(caught.value).startswith(said)
    assert "phases must be 1 with input 'even'" in str(caught.value)


def test_settings_that_did_nothing_in_an_older_version_are_at_their_defaults(path):
    """They are refused where a run begins, but a finished chip is a finished chip."""
    content = pack(CHIP.programmed, CHIP.config)
    metadata, chip = parts_of(content)
    chip["config"]["decision"] |= {"rule": "fixed", "k": 9.0}
    chip["config"]["programming"]["tries"] = 7
    path.write_bytes(joined(content, metadata, chip, "4"))
    loaded = spikeloom.load(path).config
    assert loaded == CHIP.config.updated({"decision": {"rule": "fixed", "k": 2.0}})
    assert loaded.programming == Programming()


@pytest.mark.parametrize(
    "change",
    [
        lambda origin: origin.update(source="stolen"),
        lambda origin: origin.pop("source"),
        lambda origin: origin.update(date="today"),
        lambda origin: origin.update(layers=3),
    ],
)
def test_an_origin_that_is_none_is_damage(change):
    content = pack(CHIP.programmed, CHIP.config, CHIP.provenance)
    metadata, chip = parts_of(content)
    change(chip["provenance"])
    with pytest.raises(WeightImageError, match=r"^The weight image 'x' is damaged: "):
        unpack(joined(content, metadata, chip, "5"), "x")


def convolutional(replicas=(1, 1, 1)):
    plan = Plan(
        input=MapShape(channels=2, height=5, width=6),
        stages=(
            CrossbarStage(layer=0, windows=(Window(source=0, kernel=(3, 3), padding=(1, 1)),)),
            AveragePoolStage(window=Window(source=1, kernel=(2, 3), stride=(2, 3)), start=3),
            MaxPoolStage(window=Window(source=2, kernel=(1, 2), stride=(1, 2))),
            CrossbarStage(layer=1, windows=(Window(source=3, stride=(1, 1)), Window(source=2, stride=(1, 2)))),
            CrossbarStage(layer=2, windows=(Window(source=4, kernel=(2, 1)),)),
        ),
        channels=(4, 3, 5),
    )
    return random_chip(np.random.default_rng(3), plan=plan.with_replicas(replicas), coding=Coding.EVEN, row_bits=1)


@pytest.mark.parametrize("replicas", [(1, 1, 1), (4, 2, 1)])
def test_a_plan_comes_back(replicas):
    programmed = convolutional(replicas)
    found = unpack(pack(programmed, CHIP.config), "x")
    loaded, config = found.programmed, found.config
    assert loaded.parameters == programmed.parameters and loaded.parameters.plan == programmed.parameters.plan
    assert pack(loaded, config) == pack(programmed, CHIP.config)
    pixels = random_pixels(np.random.default_rng(0), 3, 60)
    assert run_reference(programmed, pixels, trace="full").compare(run_reference(loaded, pixels, trace="full")) > 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda plan: plan["stages"][1].update(start=6), "Stage 1 starts at 6, which must be in 0 .. 5"),
        (
            lambda plan: plan["stages"][1].update(kind="median"),
            "kind of stage 1 of the plan must be one of crossbar, max, average, not 'median'; take a",
        ),
        (lambda plan: plan["stages"][0].update(groups=2), "stage 0 of the plan has 'groups', which is no entry of it"),
        (lambda plan: plan["stages"][0]["windows"][0].pop("source"), "a window of stage 0 of the plan lacks 'source'"),
        (
            lambda plan: plan["stages"][0]["windows"][0].update(dilation=[1, 1]),
            "a window of stage 0 of the plan has 'dilation', which",
        ),
        (lambda plan: plan["input"].update(channels=3), "Layer 0 has inputs 18, but the plan says 27"),
        (lambda plan: plan.update(version=2), "the plan has 'version', which is no entry of it"),
        (lambda plan: plan["stages"][0].update(replicas=31), "Stage 0 has 31 replicas, and only 30 positions for them"),
        (
            lambda plan: plan["stages"][0].update(replicas=2),
            "Stage 0 has replicas with different numbers of channels, \\[4, 3\\]",
        ),
        (lambda plan: plan["stages"][0].update(replicas=0), "must be a positive integer, not 0"),
    ],
)
def test_a_plan_is_checked(change, sentence):
    content = pack(convolutional(), CHIP.config)
    metadata, chip = parts_of(content)
    change(chip["parameters"]["plan"])
    with pytest.raises(WeightImageError, match=f"^The weight image 'x' is damaged: .*{sentence}"):
        unpack(joined(content, metadata, chip, "5"), "x")


def test_another_plan_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "spikeloom.sw.weight_image.file.disagreement", lambda *_: None
    )  # a random chip has no configuration
    programmed = convolutional()
    path = tmp_path / "chip.loom"
    path.write_bytes(pack(programmed, CHIP.config))
    assert spikeloom.load(path, programmed.parameters).parameters == programmed.parameters
    plan = programmed.parameters.plan
    pool = replace(plan.stages[1], start=2)
    other = replace(programmed.parameters, plan=replace(plan, stages=(plan.stages[0], pool, *plan.stages[2:])))
    with pytest.raises(
        WeightImageError, match=r"stage 1 of the plan is AveragePoolStage\(.*start=3\), but .*start=2\)$"
    ):
        spikeloom.load(path, other)
    dense = LayerParameters(inputs=60, outputs=5, lanes=1)
    shared = {
        name: getattr(programmed.parameters, name) for name in ("phases", "max_steps", "encoder_lanes", "pulse_cycles")
    }
    dense = replace(dense, phases=shared["phases"], max_steps=shared["max_steps"])
    with pytest.raises(WeightImageError, match=r"input of the plan is MapShape.*, but the design has MapShape"):
        spikeloom.load(path, NpuParameters(layers=(dense,), **shared))


def test_programming_comes_back(path):
    programming = Programming(method="write-verify", tolerance=0.5, tries=9, amplitude_min=0.125, fault_aware=True)
    device = CHIP.programmed.device.model_copy(update={"pulse_sigma": 0.1, "soft_bounds": 0.4, "v_program_V": 1.5})
    programmed = replace(CHIP.programmed, programming=programming, program_cycles=77, device=device)
    loaded = unpack(pack(programmed, CHIP.config), "x").programmed
    assert (loaded.programming, loaded.program_cycles, loaded.device) == (programming, 77, device)


def test_a_content_that_fits_its_checksum_is_still_checked(path, monkeypatch):
    monkeypatch.setattr("spikeloom.sw.weight_image.file._checksum", lambda *_: "same")
    content = pack(CHIP.programmed, CHIP.config)
    text = json.dumps(CHIP.programmed.layers[0].theta)
    broken = content.replace(f'\\"theta\\": {text}'.encode(), f'\\"theta\\": {"0" * (len(text) - 1)}0'.encode(), 1)
    assert broken != content
    with pytest.raises(WeightImageError, match="is damaged: "):
        unpack(broken, "x")


def test_other_hardware_is_named(path):
    parameters = CHIP.programmed.parameters
    assert spikeloom.load(path, parameters).parameters == parameters
    layers = (replace(parameters.layers[0], tile_rows=99), *parameters.layers[1:])
    for expected, difference in (
        (replace(parameters, pulse_cycles=9), "pulse_cycles is 4, but the design has 9"),
        (replace(parameters, layers=layers), "tile_rows of layer 0 is 32, but the design has 99"),
        (replace(parameters, layers=parameters.layers[:2], plan=None), "number of layers is 3, but the design has 2"),
    ):
        with pytest.raises(WeightImageError, match=f"was made for other hardware: {difference}$"):
            spikeloom.load(path, expected)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileError, match=r"^There is no weight image '.*none.loom'$"):
        spikeloom.load(tmp_path / "none.loom")
    with pytest.raises(FileError, match=r"^Cannot read '.*': it is a folder$"):
        spikeloom.load(tmp_path)


@pytest.mark.parametrize("expected", ["tiny", CHIP, CHIP.config])
def test_a_design_is_npu_parameters(path, expected):
    with pytest.raises(TypeError, match=r"^expected_parameters must be NpuParameters, not (str|Chip|Config)$"):
        spikeloom.load(path, expected)


def test_what_is_no_file_is_refused(tmp_path):
    for given, kind, sentence in (
        (None, TypeError, r"^The weight image must be a path \(text or pathlib.Path\), not NoneType$"),
        (3, TypeError, r"^The weight image must be a path \(text or pathlib.Path\), not int$"),
        ("", FileError, r"^The weight image must be a path that is not empty"),
        ("a\0b", FileError, r"^The weight image must be a path that is not empty"),
        ("/dev/zero", FileError, r"^Cannot read '/dev/zero': it is not a file$"),
        (tmp_path / ("a" * 300), FileError, r": the name is too long$"),
    ):
        with pytest.raises(kind, match=sentence):
            spikeloom.load(given)


@pytest.mark.parametrize("code", ["ENOSPC", "EACCES", "EROFS"])
def test_a_failed_save_leaves_the_old_file(path, monkeypatch, code):
    before = path.read_bytes()

    def fail(*_):
        raise OSError(getattr(errno, code), "refused")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(
        FileError, match=r"^Cannot write '.*chip.loom': (there is no space|permission is|the file system)"
    ):
        make_chip(seed=3).save(path)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["chip.loom"]
