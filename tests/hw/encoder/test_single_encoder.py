"""One encoder for two images: the pair's contract, but that the next image's first vector is made after `restart`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import *

from spikeloom.hw.encoder.single_encoder import SingleEncoder
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding, NpuParameters
from tests.benches.proof_bench import inside, mutant, with_junk
from tests.formal import assert_fails, prove
from tests.hw.encoder.test_encoder_pair import UNITS, Pair, check_cycles, check_empty, check_vectors
from tests.hw.encoder.test_spike_encoder import unit
from tests.hw.encoder.words_at_hand import words_at_hand


class Single(Pair):
    """The same queue; an image's first vector is made from when the image before it is gone."""

    made_ahead = False

    def __init__(self, encoder: type = SingleEncoder, inputs: int = 3, inductive: bool = False) -> None:
        super().__init__(encoder, inputs, inductive)

    def _invariants(
        self, m: Module, count: Signal, part: Signal, queue: list[Any], coming: Any, first: Signal, phase: Signal
    ) -> None:
        words = self.parameters.pixel_words
        encoder = inside(with_junk(self.dut))
        work = encoder._encode
        m.d.comb += Assert((count <= 2) & (part < words) & (encoder.coming == part))
        m.d.comb += Assert((encoder.full[0] + encoder.full[1] == count) & (encoder.fed == (encoder.working ^ count[0])))
        holds = [encoder.image.read_port(domain="comb") for _ in range(2 * words)]
        m.d.comb += [port.addr.eq(index) for index, port in enumerate(holds)]
        for half in range(2):
            mine = Signal(name=f"mine_{half}")
            m.d.comb += mine.eq(encoder.working == half)
            entry = Signal(queue[0].shape(), name=f"entry_{half}")
            m.d.comb += entry.eq(Mux(mine, queue[0], queue[1]))
            ports = holds[half * words : (half + 1) * words]
            with m.If(encoder.full[half]):
                m.d.comb += Assert((count == 2) | mine)
                m.d.comb += Assert(encoder.tags[half] == entry.tag)
                m.d.comb += [Assert(port.data == entry.pixels[index]) for index, port in enumerate(ports)]
                m.d.comb += Assert(Value.cast(entry.pixels)[8 * self.parameters.inputs :] == 0)
            with m.Elif((encoder.fed == half) & (part != 0)):
                m.d.comb += Assert(encoder.tags[half] == coming.tag)
                for index, port in enumerate(ports):
                    with m.If(index < part):
                        m.d.comb += Assert(port.data == coming.pixels[index])
        idle = work.state == 0
        m.d.comb += Assert((work.state < 4) & (idle == (count == 0)))
        for index, (encoded, shown) in enumerate(words_at_hand(m, work, words)):
            m.d.comb += Assert(~encoded | (work.pixel_word == queue[0].pixels[index]))
            m.d.comb += Assert(~shown | (work.read.data == queue[0].pixels[index]))
        with m.If(idle):
            m.d.comb += Assert((work.word == 0) & first & ~phase)
        with m.Elif(work.state == 1):
            m.d.comb += Assert((queue[0].wait == words + 1) & (work.word == 0) & first & ~phase)
        with m.Else():
            m.d.comb += Assert((work.first == first) & (work.phase == phase))
            self._made(m, work, queue[0], words)
        with m.If(count == 2):
            m.d.comb += Assert(part == 0)

    def _made(self, m: Module, work: Any, entry: Any, words: int) -> None:
        """How far the vector is, and what it has so far."""
        inputs = self.parameters.inputs
        pixels = [Value.cast(entry.pixels).word_select(row, 8) for row in range(2 * words)]
        done = Mux(work.offered, words, work.word)
        with m.If(work.offered):
            m.d.comb += Assert((entry.wait == 0) & (work.word == 0))
        with m.Else():
            m.d.comb += Assert((entry.wait == words - work.word) & (work.word < words))
        active = 0
        for index in range(words):
            with m.If(index < done):
                m.d.comb += Assert(Mux(done == index + 1, work.rows[-1], work.rows[index]) == entry.pixels[index])
        for row in range(inputs):
            active += pixels[row].any() & (row // 2 < done)
        with m.If(work.offered | (work.word != 0)):
            m.d.comb += Assert((work.count == active) & (work.silent == (active == 0)))


@pytest.mark.parametrize("stall", [0.0, 0.5])
@pytest.mark.parametrize("coding", list(CODINGS))
@pytest.mark.parametrize("parameters", UNITS.values(), ids=UNITS)
def test_vectors_are_the_models(parameters: NpuParameters, coding: Coding, stall: float) -> None:
    check_vectors(with_junk(SingleEncoder(parameters=parameters)), coding, stall)


@pytest.mark.parametrize("coding", list(CODINGS))
def test_vectors_of_the_only_coding(coding: Coding) -> None:
    parameters = replace(UNITS["1 word" if coding == Coding.ANALOG else "3 words"], codings=(coding,))
    check_vectors(with_junk(SingleEncoder(parameters=parameters)), coding, 0.5)


@pytest.mark.parametrize("parameters", [unit(), unit(lanes=3, inputs=3), unit(lanes=1, inputs=7)])
@pytest.mark.parametrize("late", [0, 1, 30])
def test_cycles(parameters: NpuParameters, late: int) -> None:
    check_cycles(SingleEncoder(parameters=parameters), late, after_restart=parameters.pixel_words + 2)


def test_empty_is_only_without_any_part_of_an_image() -> None:
    check_empty(SingleEncoder(parameters=unit()))


@pytest.mark.parametrize("inputs", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_proof_contract(inputs: int) -> None:
    prove(Single(inputs=inputs, inductive=True), f"single_encoder_{inputs}", depth=2, mode="prove")


BROKEN = {
    "mixes_the_tags": ("Mux(working, tags[1], tags[0])", "Mux(fed, tags[1], tags[0])"),
    "takes_every_words_tag": ("with m.If(coming == 0):", "with m.If(1):"),
    "stores_in_one_half": ("coming + Mux(fed, words, 0)", "coming"),
    "encodes_the_other_half": ("ahead + Mux(half, words, 0)", "ahead + Mux(half, 0, words)"),
    "reads_the_image_before": ("working ^ (self.restart & whole)", "working"),
    "takes_a_third_image": ("~full.bit_select(fed, 1) & ~forgotten", "~forgotten"),
    "takes_a_word_that_is_dropped": ("full.bit_select(fed, 1) & ~forgotten", "full.bit_select(fed, 1)"),
    "forgets_the_other_images_part": ("(self.restart & (fed == working))", "self.restart"),
    "keeps_a_dropped_part": ("with m.If(forgotten):", "with m.If(0):"),
    "never_turns": ("fed.eq(~fed), coming", "coming"),
    "turns_at_a_part": ("with m.If(self.restart & whole):", "with m.If(self.restart):"),
    "stays_at_the_finished_image": (".eq(0), working.eq(~working)]", ".eq(0)]"),
    "counts_the_padding": (
        "without_padding(self._parameters, self.pixels.payload.pixels, last)",
        "self.pixels.payload.pixels",
    ),
    "says_current_for_a_dropped_part": ("(part & ~forgotten)", "part"),
    "overlooks_the_other_image": ("| other |", "|"),
    "does_not_begin_the_other_image": ("begins=finished | other", "begins=finished"),
    "does_not_begin_an_image_that_ends_with_restart": ("begins=finished | other", "begins=other"),
    "goes_on_after_restart": ("Mux(begins, _State.FETCH, _State.IDLE)", "Mux(begins, _State.FETCH, state)"),
    "keeps_the_word_after_restart": ("_State.IDLE)), word.eq(0)]", "_State.IDLE))]"),
    "withdraws_a_vector": ("with m.If(self.o.ready):", "with m.If(1):"),
    "never_first": ("first.eq(1), *goes(phase, 0)", "*goes(phase, 0)"),
    "starts_in_the_phase_before": ("first.eq(1), *goes(phase, 0)", "first.eq(1)"),
}


LONG = ("starts_in_the_phase_before", "keeps_the_word_after_restart", "does_not_begin_the_other_image")


@pytest.mark.halved
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in BROKEN]
)
def test_proof_bites(name: str) -> None:
    assert_fails(Single(mutant(SingleEncoder, *BROKEN[name])), name, depth=14)


WRONG = {
    "seed_of_every_word": (Coding.RATE, "with m.If(coming == 0):", "with m.If(1):"),
    "seed_0_stays": (Coding.RATE, "Mux(seed == 0, 1, seed)", "seed"),
    "number_stands_still": (Coding.RATE, "random.eq(advance(random))", "random.eq(random)"),
    "even_goes_on": (Coding.EVEN, "Mux(first, self.even_start.replicate(lanes), sums_word)", "sums_word"),
    "even_starts_over": (Coding.EVEN, "Mux(first, self.even_start", "Mux(1, self.even_start"),
    "even_stands_still": (Coding.EVEN, "sums_write.en.eq(encoding)", "sums_write.en.eq(0)"),
    "even_of_another_word": (Coding.EVEN, "sums_write.addr.eq(word)", "sums_write.addr.eq(0)"),
    "phase_stands_still": (Coding.PHASE, "first.eq(0), *goes(phase, next_phase)", "first.eq(0)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_mutants_fail_the_comparison(name: str) -> None:
    coding, old, new = WRONG[name]
    with pytest.raises(AssertionError):
        check_vectors(with_junk(mutant(SingleEncoder, old, new)(parameters=UNITS["3 words"])), coding, 0.5)
