"""Loops for what the source repeats: logic of lanes that differs in nothing but a number becomes one `for`.

Python unrolls a loop, and names what it makes in it `after_0`, `after_1`, ... Here neighbouring blocks of text that are
equal but for such numbers are rolled up again. The signals that the loop makes are declared in it, without the number.
What is read of them outside is a vector of all lanes, `all_after`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from spikeloom.hw.export.writer.variables import Names, Variable

__all__ = ["LEAST", "TOKEN", "Block", "Family", "Rolled", "differing", "families_of", "printed", "roll"]

LEAST = 3
_LONGEST_PERIOD = 40
TOKEN = re.compile(r"\d+'s?[dhb][0-9a-f]+|[A-Za-z_]\w*|\d+|\s+|.")
_CONSTANT = re.compile(r"(\d+)'([dh])([0-9a-f]+)")
_NUMBER = re.compile(r"\d+")
_SELECTED = re.compile(r"\[(\d+)(?::(\d+))?\]")
_MEMBER = re.compile(r"([A-Za-z_]\w*?)_(\d+)")


@dataclass
class Block:
    """Lines that belong together, and the variables that they assign."""

    lines: list[str]
    variables: tuple[Variable, ...]

    @property
    def code(self) -> list[str]:
        """The lines without comments."""
        return [line for line in self.lines if not line.lstrip().startswith("//")]


@dataclass
class Family:
    """Variables of one kind, `base_0` to `base_<n - 1>`.

    Attributes
    ----------
    local : their name in the loop that makes them
    vector : name of all of them, outside
    outside : something outside reads them
    gathered : no loop makes them, but one reads them
    """

    base: str
    members: list[Variable]
    local: str = ""
    vector: str = ""
    outside: bool = False
    gathered: bool = False

    def declaration(self) -> str:
        """The vector's declaration."""
        bits = self.members[0].width * len(self.members)
        value = ", ".join(member.name for member in reversed(self.members))
        return f"wire [{bits - 1}:0] {self.vector}" + (f" = {{{value}}};" if self.gathered else ";")

    def select(self, number: int, first: int | None = None, last: int | None = None) -> str:
        """A member outside of the loop, or the bits `first` down to `last` of it."""
        self.outside = True
        width = self.members[0].width
        if first is not None:
            low = width * number + (first if last is None else last)
            high = width * number + first
            return f"{self.vector}[{high}]" if high == low else f"{self.vector}[{high}:{low}]"
        if width == 1:
            return f"{self.vector}[{number}]"
        text = f"{self.vector}[{width * (number + 1) - 1}:{width * number}]"
        return f"$signed({text})" if self.members[0].signed else text


@dataclass
class Rolled:
    """Blocks and loops in the order of the text.

    Attributes
    ----------
    pieces : blocks and loops
    index : name of the loops' variable, "" without one
    families : those that loops make
    labels : names of the loops
    """

    pieces: list[Block | _Loop]
    index: str
    families: dict[str, Family]
    labels: list[str]

    @property
    def gone(self) -> set[Variable]:
        """Variables that are not declared at the top of the module."""
        return {member for family in self.families.values() if not family.gathered for member in family.members}

    def outside(self, line: str) -> str:
        """A line outside of the loops."""
        made = {base: family for base, family in self.families.items() if not family.gathered}
        for family in made.values():
            if family.base in line:
                line = _joined(line, family)
        return _outside(line, made)

    def lines(self, declare: Callable[[Variable, str], list[str]]) -> Iterator[str]:
        """All lines; what else reads the families must have been given to `outside` before.

        `declare` gives the lines that declare a variable under another name.
        """
        bodies = [
            [
                self.outside(line)
                for line in (piece.body(self.index, self.families) if isinstance(piece, _Loop) else piece.lines)
            ]
            for piece in self.pieces
        ]
        labels = iter(self.labels)
        for place, (piece, body) in enumerate(zip(self.pieces, bodies, strict=True)):
            if isinstance(piece, _Loop):
                yield ""
                yield from piece.text(self.index, next(labels), body, self.families, declare)
                yield ""
                continue
            following = self.pieces[place + 1] if place + 1 < len(self.pieces) else None
            yield from body
            if len(piece.code) > 1 or not isinstance(following, Block) or len(following.code) > 1:
                yield ""


def families_of(variables: Iterable[Variable]) -> dict[str, Family]:
    """Variables that differ in nothing but the number at the end of their names, by the name before it."""
    found: dict[str, dict[int, Variable]] = {}
    for variable in variables:
        match = _MEMBER.fullmatch(variable.name)
        if match and variable.machine is None:
            found.setdefault(match[1], {})[int(match[2])] = variable
    families = {}
    for base, members in found.items():
        shapes = {(each.width, each.signed) for each in members.values()}
        if len(shapes) == 1 and len(members) >= LEAST and sorted(members) == list(range(len(members))):
            families[base] = Family(base, [members[number] for number in range(len(members))])
    return families


def roll(blocks: Sequence[Block], families: Mapping[str, Family], names: Names) -> Rolled:
    """Roll up what is repeated.

    Parameters
    ----------
    blocks : in the order of the text, each line unbroken
    families : variables that may move into loops
    names : of the module
    """
    keys = ["\n".join(_NUMBER.sub("#", line) for line in block.code) for block in blocks]
    pieces: list[Block | _Loop] = []
    made: dict[str, Family] = {}
    number = 0
    while number < len(blocks):
        loop = _loop_at(blocks, keys, number, families)
        if loop is None:
            pieces.append(blocks[number])
            number += 1
            continue
        pieces.append(loop)
        number += loop.period * loop.count
        for base in loop.made:
            made[base] = families[base]
            local = base if names.free(base) else f"{base}_here"
            made[base].local, made[base].vector = names.take(local), names.take(f"all_{base}")
    loops = [piece for piece in pieces if isinstance(piece, _Loop)]
    for base in dict.fromkeys(base for loop in loops for base in loop.read()):
        if base not in made:
            made[base] = families[base]
            made[base].gathered, made[base].vector = True, names.take(f"all_{base}")
    return Rolled(pieces, names.take("i") if loops else "", made, [names.take("lanes") for _ in loops])


@dataclass
class _Loop:
    """Blocks that repeat: those of the first turn, how often, and what stands where they differ.

    `steps`: per line without comment, its tokens; one that differs is (kind, increment, value at 0).
    """

    blocks: list[Block]
    period: int
    count: int
    steps: list[list[str | tuple[str, int, int]]]
    made: list[str]

    def read(self) -> Iterator[str]:
        """Names of the families that its lines have in them."""
        for tokens in self.steps:
            yield from (token[0][5:] for token in tokens if not isinstance(token, str) and token[0][:5] == "name ")

    def body(self, index: str, families: Mapping[str, Family]) -> list[str]:
        """Lines of the loop's inside."""
        texts = iter(printed(tokens, index, families, set(self.made)) for tokens in self.steps)
        lines = []
        for block in self.blocks:
            for line in block.lines:
                lines.append(line if line.lstrip().startswith("//") else next(texts))
        return lines

    def text(
        self,
        index: str,
        label: str,
        body: Sequence[str],
        families: Mapping[str, Family],
        declare: Callable[[Variable, str], list[str]],
    ) -> Iterator[str]:
        """Lines of the whole loop."""
        yield f"for ({index} = 0; {index} < {self.count}; {index} = {index} + 1) begin : {label}"
        for base in self.made:
            yield from (f"  {line}" for line in declare(families[base].members[0], families[base].local))
        yield ""
        yield from (f"  {line}" for line in body)
        for base in self.made:
            family = families[base]
            if family.outside:
                width = family.members[0].width
                place = index if width == 1 else f"{width} * {index} +: {width}"
                yield f"  assign {family.vector}[{place}] = {family.local};"
        yield "end"


def _loop_at(blocks: Sequence[Block], keys: Sequence[str], start: int, families: Mapping[str, Family]) -> _Loop | None:
    """The loop that begins with a block, the one of the most blocks."""
    best: _Loop | None = None
    for period in range(1, min(_LONGEST_PERIOD, (len(blocks) - start) // LEAST) + 1):
        count = 1
        while (
            start + (count + 1) * period <= len(blocks)
            and keys[start : start + period] == keys[start + count * period : start + (count + 1) * period]
        ):
            count += 1
        if count < LEAST or (best is not None and best.period * best.count >= period * count):
            continue
        made = _unified(blocks[start : start + period * count], period, families)
        if made is not None and (best is None or made.period * made.count > best.period * best.count):
            best = made
    return best


def _unified(blocks: Sequence[Block], period: int, families: Mapping[str, Family]) -> _Loop | None:
    """The loop of these blocks, or of as many turns as are alike."""
    turns = [blocks[first : first + period] for first in range(0, len(blocks), period)]
    texts = [[TOKEN.findall(line) for block in turn for line in block.code] for turn in turns]
    count = len(turns)
    steps: list[list[str | tuple[str, int, int]]] = []
    for number, line in enumerate(texts[0]):
        tokens: list[str | tuple[str, int, int]] = []
        for place, token in enumerate(line):
            others = [text[number][place] if len(text[number]) == len(line) else "" for text in texts[:count]]
            same = next((turn for turn, other in enumerate(others) if other != token), count)
            made, alike = differing(others, families) if same < count else (token, count)
            if made is None:
                return None
            count = min(count, alike)
            tokens.append(made)
        steps.append(tokens)
    if count < LEAST:
        return None
    assigned = [variable for turn in turns[:count] for block in turn for variable in block.variables]
    made_here: list[str] = []
    whole = {variable for variable in assigned}
    for block, variable in ((each, variable) for each in turns[0] for variable in each.variables):
        match = _MEMBER.fullmatch(variable.name)
        if match and match[1] in families and variable in families[match[1]].members:
            if len(families[match[1]].members) != count or not whole.issuperset(families[match[1]].members):
                return None
            if match[1] not in made_here:
                made_here.append(match[1])
        elif len(block.code) > 1:
            return None  # a process per lane may assign what is the lane's own only
    own = {f"name {base}" for base in made_here}
    if any(token[0] in own and token[1:] != (1, 0) for line in steps for token in line if not isinstance(token, str)):
        return None  # other lanes of its own are not at hand
    return _Loop(list(turns[0]), period, count, steps, made_here)


def differing(tokens: Sequence[str], families: Mapping[str, Family]) -> tuple[tuple[str, int, int] | None, int]:
    """What a token is that differs from turn to turn, and in how many turns it is that."""
    read = [_read(token) for token in tokens]
    first, second = read[0], read[1]
    if first is None or second is None or first[0] != second[0]:
        return None, 0
    step = second[1] - first[1]
    count = next((n for n, each in enumerate(read) if each != (first[0], first[1] + n * step)), len(read))
    if first[0].startswith("name ") and (step < 1 or first[0].removeprefix("name ") not in families):
        return None, 0
    return (first[0], step, first[1]), count


def _read(token: str) -> tuple[str, int] | None:
    if token.isdigit():
        return "number", int(token)
    if match := _CONSTANT.fullmatch(token):
        return f"{match[1]}'", int(match[3], 16 if match[2] == "h" else 10)
    if match := _MEMBER.fullmatch(token):
        return f"name {match[1]}", int(match[2])
    return None


def printed(
    tokens: Sequence[str | tuple[str, int, int]], index: str, families: Mapping[str, Family], made: Collection[str]
) -> str:
    """A line of a loop, of tokens as they are and of what `differing` found of others.

    `families` are those that are read, `made` the names of those that this loop makes.
    """
    texts: list[str] = []
    number = 0
    while number < len(tokens):
        token = tokens[number]
        if isinstance(token, str):
            texts.append(token)
            number += 1
            continue
        kind, step, start = token
        after = tokens[number + 1 : number + 4]
        if kind == "number" and len(after) > 1 and after[0] == ":" and isinstance(after[1], tuple):
            low = after[1]
            texts.append(f"{_linear(step, low[2], index)} +: {start - low[2] + 1}")
            number += 3
            continue
        if kind == "number":
            texts.append(_linear(step, start, index))
        elif kind.startswith("name "):
            family = families[kind.removeprefix("name ")]
            if family.base in made:
                texts.append(family.local)
            else:
                bits, length = _selected(tokens[number + 1 :])
                texts.append(_in_loop(family, index, step, start, bits))
                number += length
        else:
            texts.append(f"{kind}({_linear(step, start, index)})")
        number += 1
    return "".join(texts)


def _linear(step: int, start: int, index: str) -> str:
    """A number that is `start` in the first turn of a loop, and grows by `step`."""
    text = index if step == 1 else f"{step} * {index}"
    return f"{text} + {start}" if start else text


def _selected(tokens: Sequence[object]) -> tuple[tuple[int, int] | None, int]:
    """Highest and lowest bit that are selected behind a name, the same in every turn, and how many tokens say so."""
    for length in (3, 5):
        text = [token for token in tokens[:length] if isinstance(token, str)]
        if match := _SELECTED.fullmatch("".join(text)) if len(text) == length else None:
            return (int(match[1]), int(match[2] or match[1])), length
    return None, 0


def _in_loop(family: Family, index: str, step: int, start: int, bits: tuple[int, int] | None) -> str:
    """A member of a family that another loop makes, number `start` in the first turn, or some bits of it."""
    family.outside = True
    width = family.members[0].width
    high, low = bits or (width - 1, 0)
    place = _linear(width * step, width * start + low, index)
    if high == low:
        return f"{family.vector}[{place}]"
    text = f"{family.vector}[{place} +: {high - low + 1}]"
    return f"$signed({text})" if family.members[0].signed and bits is None else text


def _joined(line: str, family: Family) -> str:
    """A line with the name of the vector in place of all members of a family one after another."""
    whole = ", ".join(f"{family.base}_{number}" for number in reversed(range(len(family.members))))
    if whole in line:
        family.outside = True
        line = line.replace(f"{{{whole}}}", family.vector).replace(whole, family.vector)
    return line


def _outside(line: str, families: Mapping[str, Family]) -> str:
    """A line with parts of vectors in place of members of families."""

    def replaced(match: re.Match[str]) -> str:
        family = families.get(match[1])
        if family is None or int(match[2]) >= len(family.members):
            return match[0]
        if match[3] is None:
            return family.select(int(match[2]))
        return family.select(int(match[2]), int(match[3]), int(match[4]) if match[4] else None)

    return re.sub(r"\b([A-Za-z_]\w*?)_(\d+)\b(?:\[(\d+)(?::(\d+))?\])?", replaced, line)
