"""R2000 class UHF reader: whose turn it is, which antennas are missing, when an order is done.  Told, never asks.

The reader rests after each order until it gets the next.  Several antennas take turns inside one fast switch order; that
order knows no session, so where a session is set each antenna gets an order of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from readers.errors import ReaderRefused
from readers.r2000_a0 import commands
from readers.r2000_a0.answers import ANTENNA_MISSING, Failure, RoundEnd, describe_error
from readers.r2000_a0.codec import Frame
from readers.r2000_a0.settings import R2000Settings

MAX_FAILURES = 3
"""So many failed orders in a row are no passing trouble."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One order to look for tags.

    Args:
        antennas: those the order covers.
        order: what to send.
        rounds: how many inventory rounds it takes at most.
        rest_s: how long it rests between them, in all.
    """

    antennas: tuple[int, ...]
    order: Frame
    rounds: int
    rest_s: float = 0.0


def plan_turns(settings: R2000Settings) -> tuple[Turn, ...]:
    """The orders that cover all antennas in use."""
    to, antennas, repeat = settings.address, settings.active_antennas, settings.repeat
    if settings.session is not None:
        order = commands.session_inventory(to, settings.session, settings.target, repeat)
        return tuple(Turn((antenna,), order, repeat) for antenna in antennas)
    if not settings.switches:
        return (Turn(antennas, commands.realtime_inventory(to, repeat), repeat),)
    stay, rest_ms = settings.stay, settings.interval_ms
    order = commands.fast_switch_inventory(
        to, antennas, ports=settings.ports, stay=stay, interval_ms=rest_ms, repeat=repeat
    )
    stays = repeat * len(antennas)
    return (Turn(antennas, order, stays * stay, stays * rest_ms / 1000),)


class Rounds:
    """All turns, over and over.

    Args:
        turns: at least one; together they cover every antenna in use.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.is_done = True
        """Whether the reader waits for the next order."""
        self._turns = turns
        self._next = 0
        self._failures = 0
        self._missing: set[int] = set()  # in this pass
        self._known_missing: set[int] = set()  # in the last whole pass

    def start_over(self) -> None:
        """Nobody knows what the reader does: begin again with the first turn."""
        self.is_done, self._next, self._failures = True, 0, 0
        self._missing.clear()

    def next_turn(self) -> Turn:
        """What to order now.

        Raises:
            ReaderRefused: the last pass found every antenna missing, so that there is nothing to read with.
        """
        if self._next == len(self._turns):
            self._end_pass()
        self.is_done = False
        turn = self._turns[self._next]
        self._next += 1
        return turn

    def hear(self, said: RoundEnd | Failure) -> str:
        """Take in what the reader says of the order.

        Returns: a warning in words, empty where there is none or where it was given already.

        Raises:
            ReaderRefused: too many orders failed in a row.
        """
        if isinstance(said, RoundEnd):
            self.is_done, self._failures = True, 0
            return ""
        self.is_done = self.is_done or said.antenna is None
        if said.code == ANTENNA_MISSING:
            return self._miss((said.antenna,) if said.antenna is not None else self._turn().antennas)
        self._failures += 1
        if self._failures == MAX_FAILURES:
            raise ReaderRefused(f"the reader cannot look for tags: {describe_error(said.code)}", said.code)
        where = f" at antenna {said.antenna}" if said.antenna is not None else ""
        return f"an order failed{where}: {describe_error(said.code)}"

    def _miss(self, antennas: Sequence[int]) -> str:
        new = sorted(set(antennas) - self._known_missing - self._missing)
        self._missing.update(antennas)
        return f"{_name(new)} missing; check plug and cable" if new else ""

    def _end_pass(self) -> None:
        used = {antenna for turn in self._turns for antenna in turn.antennas}
        if used <= self._missing:
            raise ReaderRefused(
                f"{_name(sorted(used))} missing: nothing to read with; check plugs and cables", ANTENNA_MISSING
            )
        self._known_missing, self._missing, self._next = self._missing, set(), 0

    def _turn(self) -> Turn:
        return self._turns[max(self._next - 1, 0)]


def _name(antennas: Sequence[int]) -> str:
    numbers = ", ".join(map(str, antennas))
    return f"antenna {numbers} is" if len(antennas) == 1 else f"antennas {numbers} are"
