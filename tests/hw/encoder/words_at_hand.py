"""Which word an encoder has read: invariants of the encoders' proofs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Assert, Const, Module, Mux, Value

__all__ = ["words_at_hand"]


def words_at_hand(m: Module, encoder: Any, words: int) -> list[tuple[Value, Value]]:
    """Of every word: `pixel_word` holds it, and the read port shows it. The next address follows from both.

    Parameters
    ----------
    m : module of the proof
    encoder : signals inside of a SpikeEncoder or SingleEncoder (`tests.benches.proof_bench.inside`)
    words : of an image
    """
    fetching, encoding, offered = encoder.fetching, encoder.encoding, encoder.offered
    second, third = 1 % words, 2 % words
    following = Mux(fetching, second, third)
    for word in range(words):
        following = Mux(encoding & (encoder.word == word), (word + 2) % words, following)
    m.d.comb += Assert(~(fetching | encoding | offered) | (encoder.following == following))
    at_rest = offered if words > 1 else Const(0)  # an only word comes once more
    return [
        (
            (encoding & (encoder.word == word)) | (at_rest if word == 0 else 0),
            (encoding & (encoder.word == (word - 1) % words))
            | (fetching if word == 0 else 0)
            | (offered if word == second else 0),
        )
        for word in range(words)
    ]
