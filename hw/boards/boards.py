"""The boards, and the registry of others. docs/extending.md says how to add one."""

from __future__ import annotations

from collections.abc import Iterator

from spikeloom.hw.boards.board import Board
from spikeloom.hw.boards.family import Family, Usage
from spikeloom.hw.boards.ice40_hx8k_evn import Ice40Hx8kEvn
from spikeloom.hw.boards.icebreaker import Icebreaker
from spikeloom.hw.boards.ulx3s import Ulx3s25F, Ulx3s45F, Ulx3s85F
from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import NAME, Attribute, Registration, is_tuple_of, is_whole

__all__ = ["BOARDS", "register_board"]


def _positive(value: object) -> bool:
    return isinstance(value, int) and is_whole(value) and value > 0


_REGISTRATION = Registration(
    "board",
    Board,
    objects=True,
    attributes=(
        NAME,
        Attribute("meaning", lambda value: isinstance(value, str), "a clause for the manual, a text"),
        Attribute("family", lambda value: isinstance(value, Family), "an object of a class derived from Family"),
        Attribute("crystal", lambda value: isinstance(value, str), "the name of a resource of the platform"),
        Attribute("crystal_Hz", _positive, "a whole number of hertz"),
        Attribute("clock_Hz", lambda value: isinstance(value, int | float) and value > 0, "a number of hertz"),
        Attribute("baud", _positive, "a whole number of bits per second"),
        Attribute("capacity", lambda value: isinstance(value, Usage), "an object of the class Usage"),
        Attribute("block_ram_bits", _positive, "a whole number of bits"),
        Attribute(
            "loader",
            lambda value: is_tuple_of(value, lambda word: isinstance(word, str)),
            'a tuple of arguments, such as ("-b", "ulx3s")',
        ),
    ),
)


class Boards:
    """All boards, in the order in which they were added.

    group : of the entry points that add boards, see `hw.params.plugins`
    """

    group = "spikeloom.boards"

    def __init__(self, built_in: tuple[Board, ...]) -> None:
        self._built_in = {board.name: board for board in built_in}
        self._registered: dict[str, Board] = {}

    def register(self, board: Board) -> None:
        """As `register_board`."""
        _REGISTRATION.check(board)
        if type(self._registered.get(board.name)) is type(board):
            return
        if board.name in self._built_in or board.name in self._registered:
            raise SpikeLoomError(f"There is a board '{board.name}' already; give this one another name")
        self._registered[board.name] = board

    def unregister(self, name: str) -> None:
        """Take a registered board away; those of the source tree stay."""
        del self._registered[name]

    def __iter__(self) -> Iterator[Board]:
        load_plugins(self.group)
        return iter((*self._built_in.values(), *self._registered.values()))

    def __getitem__(self, name: str) -> Board:
        """The board of a name. Raises `SpikeLoomError` if there is none."""
        found = self._built_in.get(name)
        if found is None:
            load_plugins(self.group)
            found = self._registered.get(name)
        if found is None:
            raise SpikeLoomError(f"There is no board '{name}'; the boards are {', '.join(self.names())}")
        return found

    def names(self) -> tuple[str, ...]:
        """Of all boards."""
        return tuple(board.name for board in self)

    def meanings(self) -> str:
        """What they are, for the manual."""
        return "; ".join(f"{board.name}: {board.meaning}" for board in self)


BOARDS = Boards((Ulx3s85F(), Ulx3s45F(), Ulx3s25F(), Ice40Hx8kEvn(), Icebreaker()))
"""All boards."""


def register_board(board: Board) -> None:
    """Add a board from outside of the source tree, for this process; packages do so by an entry point of the group
    `spikeloom.boards`.

    Raises `SpikeLoomError` for what is no such object, and for a name that is taken.
    """
    BOARDS.register(board)
