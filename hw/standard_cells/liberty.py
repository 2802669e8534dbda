"""Reads of a Liberty library what mapping and its reports need: cells with their areas and kinds, corner, units.

Liberty is groups, `name (arguments) { ... }`, of attributes, `name : value;` or `name (values);`, and groups. Tables of
delays and energies are passed over: Yosys and OpenSTA read them from the file itself. The reader is small because the
packages for Liberty on the Python index are young, or under a licence that this project cannot take on.
"""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spikeloom.hw.errors import SpikeLoomError

__all__ = ["Cell", "Corner", "Group", "Library", "LibraryError", "read_cells", "read_library"]


class LibraryError(SpikeLoomError):
    """A Liberty file that cannot be read, or a library that lacks what the unit is made of."""


@dataclass
class Group:
    """A group of a Liberty file; attributes that come again keep their first value."""

    name: str
    arguments: tuple[str, ...]
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    def named(self, name: str) -> Iterator[Group]:
        """Groups inside of some name."""
        return (group for group in self.groups if group.name == name)


@dataclass(frozen=True)
class Cell:
    """One cell of a library.

    Parameters
    ----------
    name : of the cell
    area : in the library's unit of area, by convention square micrometres
    kind : "flip-flop", "latch", "logic", or "other", such as tri-state buffers and fillers
    inputs : input pin -> its capacitance, in the library's unit
    functions : output pin -> Boolean function as the file has it, "" where it has none
    allowed : whether tools may use it, that is, not `dont_use`
    """

    name: str
    area: float
    kind: str
    inputs: dict[str, float]
    functions: dict[str, str]
    allowed: bool

    @property
    def plain_function(self) -> str:
        """Function of a cell with one output, without blanks and outer parentheses; "" for others."""
        if len(self.functions) != 1:
            return ""
        text = re.sub(r"\s", "", next(iter(self.functions.values())))
        while re.fullmatch(r"\([^()]*\)", text):
            text = text[1:-1]
        return re.sub(r"^!\((\w+)\)$", r"!\1", text)


@dataclass(frozen=True)
class Corner:
    """Operating conditions: name ("" for the library's nominal ones), process factor, volts, degrees Celsius; each is
    None where the file does not say.
    """

    name: str
    process: float | None
    voltage_V: float | None
    temperature_C: float | None


@dataclass(frozen=True)
class Library:
    """One Liberty file.

    Parameters
    ----------
    name : of the library
    text : the file's content
    cells : by name
    corners : operating conditions by name
    default_corner : those that hold where none are asked for
    wire_load : name of the wire-load model that holds by default, "" where there is none
    capacitance_fF : the unit of capacitance, femtofarads
    path : of the file, as it was given; "" where it is not known
    """

    name: str
    text: str
    cells: dict[str, Cell]
    corners: dict[str, Corner]
    default_corner: Corner
    wire_load: str
    capacitance_fF: float
    path: str = field(default="", compare=False)


_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|([{}();:,])|([^\s"{}();:,]+)|(\n)', re.S)
_COMMENT = re.compile(r"/\*.*?\*/|\\\r?\n", re.S)
_BRACE = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\n]', re.S)
_PASSED_OVER = frozenset(
    (
        "timing",
        "internal_power",
        "leakage_power",
        "lu_table_template",
        "power_lut_template",
        "wire_load",
        "input_voltage",
    )
    + ("output_voltage", "type", "wire_load_selection", "fall_power", "rise_power", "scaled_cell", "test_cell")
)


class _Reader:
    """Reads one text, token by token."""

    def __init__(
        self, text: str, source: str, passed_over: frozenset[str] = _PASSED_OVER, wanted: frozenset[str] | None = None
    ) -> None:
        # Lines are counted, so that a comment keeps its line ends.
        self._text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
        self._source = source
        self._without = passed_over
        self._wanted = wanted
        self._at = 0
        self._line = 1

    def _fail(self, what: str) -> LibraryError:
        return LibraryError(f"'{self._source}', line {self._line}, is not Liberty: {what}; give a .lib file")

    def _next(self) -> str:
        """The next token, or "" at the end; strings have a leading quotation mark, so that none is taken for a sign."""
        while match := _TOKEN.search(self._text, self._at):
            self._at = match.end()
            if match[4]:
                self._line += 1
                continue
            self._line += match[0].count("\n")
            return f'"{match[1]}' if match[1] is not None else match[2] or match[3]
        self._at = len(self._text)
        return ""

    def _peek(self) -> str:
        at, line = self._at, self._line
        token = self._next()
        self._at, self._line = at, line
        return token

    def _pass_over(self) -> None:
        """Go behind the end of a group whose opening brace was the last token."""
        depth = 1
        while match := _BRACE.search(self._text, self._at):
            self._at = match.end()
            self._line += match[0].count("\n")
            depth += {"{": 1, "}": -1}.get(match[0], 0)
            if not depth:
                return
        raise self._fail("a group has no end")

    def _arguments(self) -> tuple[str, ...]:
        found = []
        while (token := self._next()) != ")":
            if token in ("", "{", "}", ";"):
                raise self._fail(f"{token or 'the end'!r} in a list of arguments")
            if token != ",":
                found.append(token.removeprefix('"'))
        return tuple(found)

    def _value(self) -> str:
        """Value of a simple attribute, to its semicolon or, as many files have it, to the end of its line."""
        line = self._line
        found: list[str] = []
        while (token := self._peek()) not in (";", "}", ""):
            at, count = self._at, self._line
            self._next()
            if found and self._line != line:
                self._at, self._line = at, count
                break
            found.append(token.removeprefix('"'))
        if self._peek() == ";":
            self._next()
        return " ".join(found)

    def group(self, name: str) -> Group:
        """A group of which the name was read."""
        group = Group(name, self._arguments() if self._next() == "(" else (), self._line)
        if self._next() != "{":
            raise self._fail(f"no '{{' after {name} (...)")
        while (token := self._next()) != "}":
            if token == ";":
                continue
            if not token or not re.match(r'"?\w', token):
                raise self._fail(f"{token or 'the end'!r} in the group {name}")
            self._member(group, token.removeprefix('"'))
        return group

    def _member(self, group: Group, name: str) -> None:
        sign = self._peek()
        if sign == ":":
            self._next()
            group.attributes.setdefault(name, self._value())
            return
        if sign != "(":
            raise self._fail(f"no ':' or '(' after {name!r}")
        at, line = self._at, self._line
        self._next()
        arguments = self._arguments()
        if self._peek() != "{":
            group.attributes.setdefault(name, ",".join(arguments))
        elif name in self._without or (
            name == "cell" and self._wanted is not None and arguments[0] not in self._wanted
        ):
            self._next()
            self._pass_over()
        else:
            self._at, self._line = at, line
            group.groups.append(self.group(name))

    def library(self) -> Group:
        """The file's one group."""
        name = self._next()
        if name != "library":
            raise self._fail(f"it begins with {name[:40]!r} instead of library (...)" if name else "it is empty")
        return self.group(name)


def read_cells(library: Library, names: Iterable[str], groups: Iterable[str]) -> Group:
    """The library's one group with only the cells of some names, and with groups that are passed over otherwise, such
    as `internal_power`; tables are attributes of theirs.
    """
    without = _PASSED_OVER - frozenset(groups)
    return _Reader(library.text, library.name, without, frozenset(names)).library()


def _cell(group: Group) -> Cell:
    kinds = {member.name for member in group.groups}
    inner = [pin for outer in group.groups if outer.name in ("bus", "bundle") for pin in outer.named("pin")]
    pins = [(name, pin) for pin in (*group.named("pin"), *inner) for name in pin.arguments]
    functions = {name: pin.attributes.get("function", "") for name, pin in pins if _is(pin, "output")}
    driven = any("three_state" in pin.attributes or _is(pin, "inout") for _, pin in pins)
    kind = "other"
    if kinds & {"ff", "ff_bank"}:
        kind = "flip-flop"
    elif kinds & {"latch", "latch_bank", "statetable"}:
        kind = "latch"
    elif not driven and functions and all(functions.values()):
        kind = "logic"
    area = group.attributes.get("area", "0")
    return Cell(
        name=group.arguments[0],
        area=_number(area) or 0.0,
        kind=kind,
        inputs={name: _number(pin.attributes.get("capacitance")) or 0.0 for name, pin in pins if _is(pin, "input")},
        functions=functions,
        allowed=group.attributes.get("dont_use", "false").lower() != "true",
    )


def _is(pin: Group, direction: str) -> bool:
    return pin.attributes.get("direction", "") == direction


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _corner(name: str, attributes: dict[str, str], prefix: str = "") -> Corner:
    values = (_number(attributes.get(f"{prefix}{key}")) for key in ("process", "voltage", "temperature"))
    return Corner(name, *values)


def _capacitance(text: str) -> float:
    """Femtofarads of `number, ff` or `number, pf`."""
    size, _, unit = text.partition(",")
    return (_number(size) or 1.0) * (1.0 if unit.strip().lower() == "ff" else 1000.0)


def read_library(path: Path) -> Library:
    """Read a Liberty file, plain or compressed by gzip. Raises `LibraryError` for what is none, `OSError`."""
    content = path.read_bytes()
    try:
        plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError, zlib.error) as error:
        raise LibraryError(f"'{path}' is compressed and damaged ({error}); give a .lib file") from error
    text = plain.removeprefix(codecs.BOM_UTF8).decode("latin-1")
    group = _Reader(text, str(path)).library()
    cells = {cell.arguments[0]: _cell(cell) for cell in group.named("cell") if cell.arguments}
    if not cells:
        raise LibraryError(f"'{path}' has no cells; give a .lib file of standard cells")
    corners = {
        conditions.arguments[0]: _corner(conditions.arguments[0], conditions.attributes)
        for conditions in group.named("operating_conditions")
        if conditions.arguments
    }
    default = group.attributes.get("default_operating_conditions", "")
    return Library(
        name=group.arguments[0] if group.arguments else path.stem,
        text=text,
        cells=cells,
        corners=corners,
        default_corner=corners.get(default, _corner("", group.attributes, "nom_")),
        wire_load=group.attributes.get("default_wire_load", ""),
        capacitance_fF=_capacitance(group.attributes.get("capacitive_load_unit", "1,pf")),
        path=str(path),
    )
