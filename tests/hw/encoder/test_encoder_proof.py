# amaranth: UnusedElaboratable=no
"""The arithmetic of SpikeEncoder and its random numbers, proven against their definitions, with mutants."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Module, Mux, Signal, Value

import spikeloom.hw.encoder.spike_encoder
from spikeloom.hw.encoder.random_source import advance, random_lanes, taps
from spikeloom.hw.encoder.spike_encoder import SpikeEncoder, coding_of
from spikeloom.hw.params.codings import CODINGS
from spikeloom.hw.params.parameters import Coding, LayerParameters, NpuParameters
from tests.benches.proof_bench import inside, mutant, with_junk
from tests.formal import Harness, assert_fails, in_turn, prove, reaches
from tests.hw.encoder.words_at_hand import words_at_hand


def unit(inputs: int = 3, lanes: int = 2, phases: int = 2, row_bits: int = 1) -> NpuParameters:
    layer = LayerParameters(inputs=inputs, outputs=2, lanes=1, phases=phases, row_bits=row_bits)
    return NpuParameters(layers=(layer,), phases=phases, encoder_lanes=lanes)


def marsaglia(m: Module, state: Value, name: str) -> Value:
    """xorshift128 as published (Marsaglia, "Xorshift RNGs", J. Stat. Soft. 8(14), 2003, xor128):

    unsigned long t = (x ^ (x << 11)); x = y; y = z; z = w; return w = (w ^ (w >> 19)) ^ (t ^ (t >> 8));

    of 32-bit words x, y, z, w, from the lowest on.
    """
    x, y, z, w = (state.word_select(number, 32) for number in range(4))
    t, new = Signal(32, name=f"t_{name}"), Signal(32, name=f"w_{name}")
    m.d.comb += [t.eq(x ^ (x << 11)), new.eq((w ^ (w >> 19)) ^ (t ^ (t >> 8)))]
    return Cat(y, z, w, new)


class Codes(Harness):
    """For any pixels, codings, starts and seeds, any stalls, and `restart` in any cycle.

    A model holds the image: its pixels, EVEN's sums, the generator's state, and how many vectors were taken. From those
    follow all codes of the next vector, each by its definition; `first`, phase and count. The generator moves on as
    published, once per word, from the seed of the first word.

    The environment: the coding does not change while there is an image, even_start is at most 254. `only` one coding,
    with seed 0: for mutants that break something late.
    """

    def __init__(self, dut: SpikeEncoder, *, invariants: bool = False, only: Coding | None = None) -> None:
        super().__init__(dut)
        self.invariants, self.only = invariants, only

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        dut, p = self.dut, self.dut.parameters
        lanes, words, size = p.encoder_lanes, p.pixel_words, p.inputs
        row_bits, full = p.encoded.row_bits, (1 << p.encoded.row_bits) - 1
        n = SimpleNamespace(
            pixels=[Signal(8, name=f"pixel_{row}") for row in range(size)],
            sums=[Signal(8, name=f"model_sum_{row}") for row in range(size)],
            random=Signal(128),
            number=Signal(range(words + 1)),  # words of the image that have come
            phase=Signal(range(max(2, p.phases))),
            first=Signal(init=1),
            coding=Signal(2),
            chosen=coding_of(dut),
        )
        built = p.codings
        sums_start = dut.even_start if Coding.EVEN in built else Const(0, 8)
        seed = dut.seed if p.draws_seeds else Const(0, 128)

        # The environment.
        m.d.sync += n.coding.eq(n.chosen)
        m.d.comb += [Assume(sums_start <= 254), Assume((n.number == 0) | (n.chosen == n.coding))]
        if len(built) > 1:
            m.d.comb += Assume(Cat(n.chosen == int(kind) for kind in built).any())

        if self.only is not None:
            m.d.comb += Assume((n.chosen == int(self.only)) & (seed == 0))

        # The next vector.
        states = [n.random]  # of the generator, word by word
        for word in range(words):
            states.append(Signal(128, name=f"state_{word + 1}"))
            m.d.comb += states[-1].eq(marsaglia(m, states[-2], str(word)))
        codes, later = [], []
        for row, (x, a) in enumerate(zip(n.pixels, n.sums, strict=True)):
            word, lane = divmod(row, lanes)
            triples = taps(lanes)[lane]
            draw = Cat(Cat(states[word][tap] for tap in triple).xor() for triple in triples)
            raised = a + x
            fires = {
                Coding.PHASE: Array(x[7 - phase] if phase < 8 else Const(0) for phase in range(p.phases))[n.phase],
                Coding.RATE: draw < x + (x >> 7),
                Coding.EVEN: raised >= 255,
            }
            code: Value = x if row_bits == 8 else Const(0)  # of ANALOG
            for coding, fire in fires.items():
                code = Mux(n.chosen == int(coding), Mux(fire, full, 0), code)
            codes.append(Signal(row_bits, name=f"code_{row}"))
            later.append(Signal(8, name=f"later_{row}"))
            m.d.comb += [codes[-1].eq(code), later[-1].eq(Mux(raised >= 255, raised - 255, raised))]

        # What happens.
        accepted, taken = dut.pixels.valid & dut.pixels.ready, dut.o.valid & dut.o.ready
        with m.If(accepted):
            m.d.sync += n.number.eq(n.number + 1)
            for row in range(size):
                with m.If(n.number == row // lanes):
                    m.d.sync += [
                        n.pixels[row].eq(dut.pixels.payload.pixels[row % lanes]),
                        n.sums[row].eq(sums_start),
                    ]
            with m.If(n.number == 0):
                m.d.sync += n.random.eq(Mux(seed == 0, 1, seed))
        with m.If(taken):
            m.d.sync += [n.random.eq(states[words]), n.first.eq(0)]
            m.d.sync += n.phase.eq(Mux(n.phase == p.phases - 1, 0, n.phase + 1))
            m.d.sync += [a.eq(value) for a, value in zip(n.sums, later, strict=True)]
        with m.If(dut.restart):
            m.d.sync += [n.number.eq(0), n.first.eq(1), n.phase.eq(0)]

        m.d.comb += [Assert(~accepted | (n.number < words)), Assert(~dut.o.valid | (n.number == words))]
        with m.If(dut.o.valid):
            m.d.comb += [
                Assert(dut.o.payload.rows.word_select(row, row_bits) == code) for row, code in enumerate(codes)
            ]
            m.d.comb += [
                Assert(dut.o.payload.count == sum(code.any() for code in codes)),
                Assert(dut.o.payload.silent == ~Cat(codes).any()),
                Assert(dut.o.payload.first == n.first),
                Assert(dut.o.payload.phase == n.phase),
            ]
        self._covers(m, n, taken, accepted)
        if self.invariants:
            self._invariants(m, n, states, codes, later)
        return m

    def _covers(self, m: Module, n: SimpleNamespace, taken: Value, accepted: Value) -> None:
        dut, p, x = self.dut, self.dut.parameters, n.pixels[-1]
        spikes = dut.o.payload.rows[-1]
        of = {coding: taken & (n.chosen == int(coding)) for coding in CODINGS}
        covers = dict(
            rate_spikes_after_none=in_turn(m, of[Coding.RATE] & ~spikes, of[Coding.RATE] & spikes & (x < 128)),
            rate_of_the_largest=in_turn(m, of[Coding.RATE] & (x == 255) & (n.random != 1), taken),
            even_carries=in_turn(m, of[Coding.EVEN] & ~spikes & (x == 100), of[Coding.EVEN] & spikes),
            even_exactly_255=of[Coding.EVEN] & spikes & (x != 0) & (n.sums[-1] + x == 255),
            even_254=of[Coding.EVEN] & ~spikes & (x != 0) & (n.sums[-1] + x == 254),
            even_start=of[Coding.EVEN] & n.first & (n.sums[-1] == 254) & (x == 0),
            phase_1_spikes=of[Coding.PHASE]
            & spikes
            & (n.phase == min(1, p.phases - 1))
            & (x == 0b01000000 << (p.phases == 1)),
        )
        reaches(
            m,
            next_image=in_turn(m, taken, dut.restart, accepted, taken & n.first),
            seed_0=taken & n.first & (n.random == 1),
            **{name: cover for name, cover in covers.items() if CODINGS[name.partition("_")[0]] in p.codings},
        )
        if p.phases > 8 and Coding.PHASE in p.codings:
            reaches(m, phase_8_is_silent=of[Coding.PHASE] & (n.phase == 8) & (x == 255) & ~spikes)
        if p.encoded.row_bits == 8 and Coding.ANALOG in p.codings:
            reaches(m, analog_code=of[Coding.ANALOG] & (dut.o.payload.rows[-8:] == 0x5A))
        if p.phases == 2:
            begins = taken & (n.phase == 0) & ~n.first
            reaches(m, phases_begin_again=in_turn(m, taken & (n.phase == p.phases - 1), begins))
        if p.encoded.row_bits == 1 and Coding.ANALOG in p.codings:
            reaches(m, analog_is_silent=of[Coding.ANALOG] & (x == 0xFF))

    def _invariants(self, m: Module, n: SimpleNamespace, states: list, codes: list, later: list) -> None:
        """Memories and registers hold the model's image; in the middle of a vector, half of the next one."""
        encoder, p = inside(self.dut), self.dut.parameters
        lanes, words = p.encoder_lanes, p.pixel_words
        done = Mux(encoder.loading, 0, Mux(encoder.offered, words, encoder.word))  # words of the vector that are made
        m.d.comb += [
            Assert(encoder.state < 4),
            Assert(encoder.word < words),
            Assert(n.number == Mux(encoder.loading, encoder.word, words)),
            Assert(n.phase < p.phases),
            Assert(encoder.encoding | encoder.loading | (encoder.word == 0)),
            *(Assert(a <= 254) for a in n.sums),
        ]
        even = Coding.EVEN in p.codings
        if Coding.RATE in p.codings:
            with m.If(n.number != 0):
                m.d.comb += Assert(encoder.random == Array(states)[done])
        with m.If(~encoder.loading):
            m.d.comb += Assert((encoder.first == n.first) & (encoder.phase == n.phase))
        with m.Else():
            m.d.comb += Assert(n.first & (n.phase == 0))
        total: Value = Const(0)
        at_hand = words_at_hand(m, encoder, words)
        for word in range(words):
            pixels = encoder.image.read_port(domain="comb")
            m.d.comb += pixels.addr.eq(word)
            if even:
                sums = encoder.sums.read_port(domain="comb")
                m.d.comb += sums.addr.eq(word)
            made = word < done
            kept_row = Mux(done == word + 1, encoder.rows[-1], encoder.rows[word])
            encoded, shown = at_hand[word]
            for lane in range(lanes):
                row = word * lanes + lane
                x = n.pixels[row] if row < p.inputs else Const(0)
                stored, read, held = (
                    of.word_select(lane, 8) for of in (pixels.data, encoder.read.data, encoder.pixel_word)
                )
                with m.If(word < n.number):
                    m.d.comb += Assert(stored == x)
                m.d.comb += [Assert(~encoded | (held == x)), Assert(~shown | (read == x))]
                if even:
                    kept, old, taken = (
                        of.word_select(lane, 8) for of in (sums.data, encoder.sums_read.data, encoder.sums_word)
                    )
                    now = Mux(made, later[row], n.sums[row]) if row < p.inputs else None
                    sound = [sum_ <= 254 if now is None else sum_ == now for sum_ in (kept, old, taken)]
                    m.d.comb += Assert((word >= n.number) | sound[0])
                    m.d.comb += [Assert(~shown | sound[1]), Assert(~encoded | sound[2])]
                if row >= p.inputs:
                    continue
                total += made & codes[row].any()
                with m.If(made):
                    m.d.comb += Assert(kept_row.word_select(lane, p.encoded.row_bits) == codes[row])
                if row == p.inputs - 1 and row % lanes != lanes - 1:
                    rest = kept_row[(lane + 1) * p.encoded.row_bits :]
                    m.d.comb += Assert(~made | (rest == 0))
        with m.If(encoder.offered | (encoder.encoding & (encoder.word != 0))):
            m.d.comb += Assert((encoder.count == total) & (encoder.silent == (total == 0)))


PROVEN = {
    "two words": unit(),
    "one word": unit(inputs=2, phases=1),
    "ten phases": unit(inputs=1, lanes=1, phases=10),
    "row codes": unit(row_bits=8),
    "a pixel a word": unit(inputs=3, lanes=1, phases=3),
    "phase and analog": replace(unit(row_bits=8), codings=(Coding.PHASE, Coding.ANALOG)),
    "rate alone": replace(unit(), codings=(Coding.RATE,)),
    "even alone": replace(unit(), codings=(Coding.EVEN,)),
    "analog alone": replace(unit(row_bits=8), codings=(Coding.ANALOG,)),
}


LONG_PROOFS = ("a pixel a word", "ten phases", "row codes")
"""Take longest: in `make test-all` only."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG_PROOFS else name for name in PROVEN]
)
def test_codes(name: str) -> None:
    p = PROVEN[name]
    spec = Codes(with_junk(SpikeEncoder(parameters=p)), invariants=True)
    prove(spec, "encoder_codes", depth=1, mode="prove", reach=24)


BROKEN = {
    "phase_from_the_lowest_bit": ("pixel[7 - p] if p < 8", "pixel[p] if p < 8"),
    "phase_one_bit_late": ("pixel[7 - p] if p < 8", "pixel[6 - p] if p < 7"),
    "stays_in_a_phase": ("first.eq(0), *goes(phase, next_phase)", "first.eq(0)"),
    "always_first": ("first.eq(0), *goes(phase, next_phase)", "*goes(phase, next_phase)"),
    "never_first": ("first.eq(1), *goes(phase, 0)", "*goes(phase, 0)"),
    "rate_includes_the_number": ("draws[lane]) < Cat(pixel", "draws[lane]) <= Cat(pixel"),
    "rate_misses_255": ("Cat(Const(0), draws[lane]) < Cat(pixel[7], pixel)", "draws[lane] < pixel"),
    "rate_adds_one_too_early": ("Cat(pixel[7], pixel)", "Cat(pixel[6], pixel)"),
    "rate_upside_down": ("Cat(Const(0), draws[lane])", "Cat(Const(0), ~draws[lane])"),
    "one_number_for_all_lanes": ("Cat(Const(0), draws[lane])", "Cat(Const(0), draws[0])"),
    "number_stands_still": ("random.eq(advance(random))", "random.eq(random)"),
    "number_moves_once_a_vector": ("random.eq(advance(random))", "random.eq(Mux(last, advance(random), random))"),
    "seed_of_every_word": ("with m.If(word == 0):\n", "with m.If(1):\n"),
    "seed_0_stays": ("Mux(self.seed == 0, 1, self.seed)", "self.seed"),
    "no_seed": ("Mux(self.seed == 0, 1, self.seed)", "1"),
    "even_fires_above_only": (
        "Cat(Const(1), before) + Cat(Const(1), pixel)",
        "Cat(Const(0), before) + Cat(Const(0), pixel)",
    ),
    "even_loses_the_rest": ("Mux(raised[9], raised[1:9], total)", "Mux(raised[9], 0, total)"),
    "even_subtracts_256": ("Mux(raised[9], raised[1:9], total)", "total"),
    "even_adds_up_too_much": ("Mux(raised[9], raised[1:9], total)", "raised[1:9]"),
    "even_starts_at_zero": ("Mux(loading, self.even_start.replicate(lanes), ", "Mux(loading, 0, "),
    "even_stands_still": ("sums_write.en.eq(write.en | encoding)", "sums_write.en.eq(write.en)"),
    "even_of_another_word": ("sums_write.addr.eq(word)", "sums_write.addr.eq(Mux(encoding, 0, word))"),
    "read_one_word_late": ("starts=loading, follows=fetching | encoding", "starts=loading, follows=encoding"),
    "sums_read_before_they_are_written": ("(sums_write,) if words <= 2 else ()", "()"),
    "codings_swapped": ("spikes[Coding.PHASE] = Cat", "spikes[Coding.ANALOG] = Cat"),
    "word_of_another_place": (
        "write.addr.eq(word),\n            write.data",
        "write.addr.eq(0),\n            write.data",
    ),
    "silent_as_the_last_word": ("((word == 0) | silent) & ~Cat", "~Cat"),
    "silent_for_ever": ("((word == 0) | silent) & ~Cat", "silent & ~Cat"),
    "counts_the_last_word_only": ("Mux(word == 0, 0, count)", "0"),
}


LATE = {"stays_in_a_phase": Coding.PHASE, "always_first": Coding.PHASE} | {
    name: Coding.EVEN for name in BROKEN if name.startswith("even")
}  # not before the second vector


LONG_TWINS = ("read_one_word_late", "even_loses_the_rest", "even_stands_still")


@pytest.mark.halved
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG_TWINS else name for name in BROKEN]
)
def test_mutants_fail_the_proof(name: str) -> None:
    broken = mutant(SpikeEncoder, *BROKEN[name])
    assert_fails(Codes(broken(parameters=unit()), only=LATE.get(name)), name, depth=10)


BROKEN_CODES = {
    "spike_of_1": ("code.eq(spike.replicate(row_bits))", "code.eq(spike)"),
    "analog_as_a_spike": ("if row_bits == 8 and", "if row_bits == 9 and"),
    "analog_in_every_coding": ("with m.If(coding == int(Coding.ANALOG)):", "with m.If(1):"),
    "analog_without_the_lowest_bit": ("code.eq(pixel)", "code.eq(pixel & 254)"),
}


@pytest.mark.parametrize("name", BROKEN_CODES)
def test_mutants_fail_the_proof_of_row_codes(name: str) -> None:
    assert_fails(Codes(mutant(SpikeEncoder, *BROKEN_CODES[name])(parameters=unit(row_bits=8))), name, depth=7)


BROKEN_PHASES = {
    "one_phase_too_many": ("phase == self._parameters.phases - 1", "phase == self._parameters.phases", 3, 11),
    "starts_in_the_phase_before": ("first.eq(1), *goes(phase, 0)", "first.eq(1)", 2, 11),
    "late_phases_spike": ("if p < 8 else Const(0)", "if p < 8 else Const(1)", 10, 22),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "late_phases_spike" else n for n in BROKEN_PHASES]
)
def test_mutants_fail_the_proof_of_phases(name: str) -> None:
    """With one pixel per image: a vector every other cycle."""
    old, new, phases, depth = BROKEN_PHASES[name]
    broken = mutant(SpikeEncoder, old, new)
    parameters = unit(inputs=1, lanes=1, phases=phases)
    assert_fails(Codes(broken(parameters=parameters), only=Coding.PHASE), name, depth=depth)


BROKEN_NUMBERS = {
    "shifts_by_10": (advance, "x.shift_left(11)", "x.shift_left(10)"),
    "shifts_w_by_18": (advance, "w[19:]", "w[18:]"),
    "shifts_t_by_9": (advance, "t[8:]", "t[9:]"),
    "leaves_out_t": (advance, "^ t ^ t[8:]", "^ t[8:]"),
    "shifts_across_the_word": (advance, "(x ^ x.shift_left(11))[0:32]", "(x ^ state.rotate_left(11))[0:32]"),
    "turns_the_words": (advance, "Cat(state[32:128], w", "Cat(state[64:128], state[32:64], w"),
    "takes_two_taps": (random_lanes, "state[a] ^ state[b] ^ state[c] for", "state[a] ^ state[b] for"),
    "turns_the_bits": (random_lanes, "for a, b, c in lane)", "for a, b, c in lane[::-1])"),
}


@pytest.mark.parametrize("name", BROKEN_NUMBERS)
def test_mutants_fail_the_proof_of_the_random_numbers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function, old, new = BROKEN_NUMBERS[name]
    monkeypatch.setattr(spikeloom.hw.encoder.spike_encoder, function.__name__, mutant(function, old, new))
    assert_fails(Codes(SpikeEncoder(parameters=unit())), name, depth=10)
