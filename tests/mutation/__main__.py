"""`python -m tests.mutation`: mutants of the hardware against the tests. See docs/verification.md."""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.mutation.baseline import FOLDER, measure, preload, write_json
from tests.mutation.blocks import BLOCKS, source_of
from tests.mutation.children import Send, run_child
from tests.mutation.digests import mutants_digest
from tests.mutation.equivalents import read, stale
from tests.mutation.places import mutants_of
from tests.mutation.report import CHANGED, PAGE, changed_since, marks, replaced, result_of, sentence, survivors, table
from tests.mutation.selection import COUNT, chosen
from tests.mutation.store import Store
from tests.mutation.trial import tried

_FOR_EQUIVALENTS = 10.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the choice of mutants (default 1)")
    parser.add_argument("--count", type=int, default=COUNT, help=f"mutants over all blocks (default {COUNT})")
    parser.add_argument("--only", action="append", default=[], choices=BLOCKS, metavar="BLOCK", help="this block only")
    parser.add_argument("--seconds", type=float, default=60, help="of a block's own tests, and of others (default 60)")
    parser.add_argument("--again", action="store_true", help="try survivors again, whatever is known of them")
    parser.add_argument("--changed", action="store_true", help="only say in the page which modules have changed")
    parser.add_argument("--no-page", action="store_true", help="leave docs/verification.md as it is")
    return parser.parse_args()


def _digests() -> dict[str, str]:
    """RTLIL of the units without mutants."""
    path = FOLDER / "baseline" / f"rtlil-{mutants_digest()}.json"
    if not path.exists():

        def work(send: Send) -> None:
            from tests.mutation.designs import digests

            for name, digest in digests():
                send({"name": name, "digest": digest})

        messages = list(run_child(work, FOLDER / "baseline.log", 300))
        if not all("digest" in message for message in messages):
            raise RuntimeError(f"The units must elaborate without mutants, but: {messages[-1]}")
        write_json(path, {message["name"]: message["digest"] for message in messages})
    return json.loads(path.read_text(encoding="utf-8"))


def _write(content: str, seed: int) -> str:
    """Write a seed's table into the page if it has a place for it; returns what was done."""
    page = PAGE.read_text(encoding="utf-8")
    if marks(seed)[0] not in page:
        return f"{PAGE.name} has no table of seed {seed}; it is left as it is"
    page = replaced(page, content, marks(seed))
    PAGE.write_text(replaced(page, sentence(changed_since(page)), CHANGED), encoding="utf-8")
    return f"{PAGE.name} has the table of seed {seed}"


def _say_what_changed() -> int:
    """Write into the page which modules are others than the mutants were tried on."""
    page = PAGE.read_text(encoding="utf-8")
    said = sentence(changed_since(page))
    PAGE.write_text(replaced(page, said, CHANGED), encoding="utf-8")
    print(said)
    return 0


def main() -> int:
    """Returns 1 if a mutant survived or an entry of the equivalents matches nothing, else 0."""
    arguments = _arguments()
    if arguments.changed:
        return _say_what_changed()
    mutants = chosen(arguments.seed, arguments.count, arguments.only)
    by_hand = read()
    everything = [m for block in BLOCKS for m in mutants_of(block, source_of(block).read_text(encoding="utf-8"))]
    complaints = stale(by_hand, everything)

    def say(text: str) -> None:
        print(text, flush=True)

    baseline = measure(say)
    digests = _digests()
    preload(baseline.modules)
    store, results = Store(), []
    began = time.monotonic()
    for number, mutant in enumerate(mutants, 1):
        # One that a person found to be equivalent is tried for a while all the same.
        seconds = min(arguments.seconds, _FOR_EQUIVALENTS) if mutant.name in by_hand else arguments.seconds
        verdict = store.get(mutant, seconds)
        fresh = verdict is None or (arguments.again and verdict.status == "survived")
        if fresh:
            verdict = tried(mutant, baseline, digests, seconds)
            store.put(mutant, verdict)
        assert verdict is not None
        result = result_of(mutant, verdict, by_hand)
        results.append(result)
        if fresh or result.status == "survived":
            by = f" by {verdict.test}" if verdict.test else ""
            say(f"{number}/{len(mutants)} {result.status}{by} in {verdict.seconds:.1f} s: {mutant} [{verdict.why}]")
    content = table(results, arguments.seed, blocks=arguments.seed == 1)
    say(content)
    say(f"{time.monotonic() - began:.0f} s")
    for line in survivors(results):
        say(f"survivor: {line}")
    for complaint in complaints:
        say(complaint)
    if not arguments.only and not arguments.no_page:
        say(_write(content, arguments.seed))
    return int(bool(survivors(results)) or bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
