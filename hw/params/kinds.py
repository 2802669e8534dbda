"""Kinds of which a chip has one, input codings and decision rules: each is a class, all of them in a registry.

A registry (`Kinds`) holds the kinds that the unit has in hardware, and those that a program adds: by a call of
`register`, which an entry point of the registry's group may do (`hw.params.plugins`). The words of the
configuration, the width and text of the register, the checks and the reference models come from there.
docs/extending.md says how to add a kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from spikeloom.hw.errors import SpikeLoomError
from spikeloom.hw.params.plugins import load_plugins
from spikeloom.hw.params.registration import NAME, Attribute, Registration, is_whole

__all__ = ["Kind", "KindRegister", "Kinds", "Names"]


@dataclass(frozen=True)
class KindRegister:
    """A register of the unit that belongs to a kind; unsigned. As `hw.interfaces.registers.Register`, which it becomes.

    name : also of the hardware's port, and of the chip's field (`sim.chip.programmed_chip.ProgrammedChip`)
    """

    name: str
    offset: int
    bits: Callable[[Any], int]
    meaning: str
    unit: str
    init: int = 0


class Kind:
    """What all kinds have. A kind is a subclass; it has one instance, so kinds are compared by identity.

    name : the configuration's word for it
    code : value of its register; None for a kind that the unit does not have, which runs in the reference only
    sentence : what a kind of the unit does, a clause for the configuration page
    fields : fields of the configuration that only kinds with them use, such as "decision.k"
    registers : of the unit that it uses, besides the one that names it
    without : why other kinds do not use these fields, a clause that follows the kind's name
    needs : what a kind of the unit asks of the configuration, for that page; "" if nothing
    reference : class of its model in the integer reference; None for the one of the unit's kind with this code
    """

    name: ClassVar[str]
    code: ClassVar[int | None]
    sentence: ClassVar[str] = ""
    fields: ClassVar[tuple[str, ...]] = ()
    registers: ClassVar[tuple[KindRegister, ...]] = ()
    without: ClassVar[str] = "which does not use it"
    needs: ClassVar[str] = ""
    reference: ClassVar[Any] = None
    kinds: ClassVar[Kinds[Any]]

    def __new__(cls) -> Self:
        """The only object of the class."""
        if "_instance" not in cls.__dict__:
            cls._instance = super().__new__(cls)
        instance: Self = cls.__dict__["_instance"]
        return instance

    def problems(self, config: Any) -> Iterable[str]:
        """A sentence for everything in which a configuration with this kind is not what the kind needs."""
        return ()

    def __index__(self) -> int:
        """The register's value. Raises `ValueError` for a kind that the unit does not have."""
        if self.code is None:
            raise SpikeLoomError(
                f"The unit has no {self.kinds.what} '{self.name}', which runs in the reference only; choose one that "
                f"the unit has ({self.kinds.text}) for a chip that is exported, loaded or run in Verilog"
            )
        return self.code

    def __repr__(self) -> str:
        return f"<{self.kinds.what} '{self.name}'>"

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()


_CODE = Attribute("code", lambda value: value is None or is_whole(value), "a whole number, or None")

K = TypeVar("K", bound=Kind)


class Kinds(Generic[K]):
    """All kinds of one sort, in the order in which they were added: iterable, and found by name or code.

    Parameters
    ----------
    base : the class that all of them are derived from
    what : such a kind in words, singular
    group : of the entry points that add kinds, see `hw.params.plugins`
    """

    def __init__(self, base: type[K], what: str, group: str) -> None:
        self.what, self.group = what, group
        self._registration = Registration(what, base, objects=False, attributes=(NAME, _CODE))
        base.kinds = self
        self._kinds: dict[str, K] = {}
        self._hardware: dict[int, K] = {}

    def built_in(self, kind: type[K]) -> K:
        """Add a kind that the unit has; its code is its own."""
        added = kind()
        self._kinds[added.name] = self._hardware[int(added)] = added
        return added

    def register(self, kind: type[K]) -> K:
        """Add a kind of somebody else's. A class that is registered already is not added again.

        Its `code` is that of a kind of the unit, which the hardware then runs as, or None. Raises `ValueError` for what
        is no such class, a name that is taken, a code that the unit does not have, or no model in the reference.
        """
        self._registration.check(kind)
        added = kind()
        if self._kinds.get(added.name) is added:
            return added
        if added.name in self._kinds:
            raise SpikeLoomError(f"There is {self._a} '{added.name}' already; give {kind.__name__} another name")
        if added.code is not None and added.code not in self._hardware:
            raise SpikeLoomError(
                f"The code of {self.what} '{added.name}' must be one that the unit has ({self.text}), or None for one "
                f"that runs in the reference only, not {added.code!r}"
            )
        if added.code is None and added.reference is None:
            raise SpikeLoomError(
                f"The {self.what} '{added.name}' has no code in the unit, so it needs a class `reference` of its own"
            )
        self._kinds[added.name] = added
        return added

    def remove(self, name: str) -> None:
        """Take away a kind that was registered; those of the unit stay."""
        if self._kinds[name] in self._hardware.values():
            raise SpikeLoomError(f"The {self.what} '{name}' is built in and cannot be removed")
        del self._kinds[name]

    def __iter__(self) -> Iterator[K]:
        load_plugins(self.group)
        return iter(tuple(self._kinds.values()))

    def __len__(self) -> int:
        return len(tuple(iter(self)))

    def __getitem__(self, key: str | int) -> K:
        """The kind of a name, or the unit's kind with a code. Raises `ValueError` if there is none."""
        if isinstance(key, str):
            load_plugins(self.group)
        found = self._kinds.get(key) if isinstance(key, str) else self._hardware.get(key)
        if found is None:
            what = "a name of" if isinstance(key, str) else "the code of"
            known = ", ".join(self._kinds) if isinstance(key, str) else self.text
            remedy = f"; another has to be registered first (group '{self.group}')" if isinstance(key, str) else ""
            raise SpikeLoomError(f"{key!r} is not {what} {self._a}: there are {known}{remedy}")
        return found

    def where(self, condition: Callable[[K], bool]) -> Names:
        """Names of the kinds for which a condition holds, looked up whenever they are used."""
        return Names(lambda: [kind.name for kind in self if condition(kind)])

    @property
    def unit(self) -> tuple[K, ...]:
        """The kinds that the unit has."""
        return tuple(self._hardware.values())

    @property
    def bits(self) -> int:
        """Width of the register that says which of the unit's kinds a chip has."""
        return max(1, max(self._hardware).bit_length())

    @property
    def text(self) -> str:
        """The unit's kinds by code, such as "0 phase, 1 rate"."""
        return ", ".join(f"{code} {self._hardware[code].name.replace('_', '-')}" for code in sorted(self._hardware))

    @property
    def registers(self) -> list[KindRegister]:
        """Registers of the unit's kinds, each once."""
        return list(dict.fromkeys(register for kind in self.unit for register in kind.registers))

    @property
    def sentence(self) -> str:
        """What each of the unit's kinds does, for the configuration page."""
        *first, last = (kind.sentence for kind in self.unit)
        return f"{', '.join(first)}, or {last}"

    @property
    def _a(self) -> str:
        return f"{'an' if self.what[0] in 'aeiou' else 'a'} {self.what}"


class Names(Sequence[str]):
    """Names that are looked up when they are used, so that a kind that is registered later is among them."""

    def __init__(self, find: Callable[[], list[str]]) -> None:
        self._find = find

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self._find()[index]

    def __len__(self) -> int:
        return len(self._find())
