"""UHFReader18 / UHFReader288: one inventory order after another, and when one is over.  Told the time, never asks it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from readers.errors import ReaderRefused, ReaderTimeout
from readers.uhfreader18 import answers
from readers.uhfreader18.codec import Frame
from readers.uhfreader18.commands import Command, Dialect

MAX_REFUSALS = 3
"""So many refused orders in a row for one antenna are no passing trouble on the line."""
OVERRUN_S = 0.075
"""How much longer than set an inventory may take, says the manual."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the driver waits.

    Args:
        answer_s: for an answer, beyond what the reader needs for an inventory.
        quiet_s: with the line silent, for the rest of a frame: over it a false length stands for nothing.
        more_s: for the next frame of an inventory; some readers announce one that never comes.
        question_s: of silence in active mode before asking whether it still is.
        dead_s: without a sign of life before giving up.
        heartbeat_dead_s: the same for a 288 in active mode, which may tell of an empty field every 30 s only.
    """

    answer_s: float = 0.6
    quiet_s: float = 0.05
    more_s: float = 0.15
    question_s: float = 2.0
    dead_s: float = 6.0
    heartbeat_dead_s: float = 70.0


USUAL = Patience()


@dataclass(frozen=True, slots=True)
class Turn:
    """An antenna and the order to look for tags there."""

    antenna: int
    order: Frame


class Rounds:
    """All turns, over and over.

    Args:
        turns: one for each antenna in use.
        scan_time_s: what one inventory may take.
    """

    def __init__(self, turns: Sequence[Turn], dialect: Dialect, scan_time_s: float, patience: Patience) -> None:
        self.until_s = 0.0
        """Whatever has not come by then will not."""
        self.told_more = False
        """The running round has already had a frame, and has announced another."""
        self.answered = True
        """The running order has been heard."""
        self._turns, self._dialect, self._scan_time_s, self._patience = turns, dialect, scan_time_s, patience
        self._number = -1
        self._done = True
        self._refusals: Counter[int] = Counter()  # by antenna, in a row
        self._missing: set[int] = set()
        self._alive_at_s = 0.0

    def entered(self, now_s: float) -> None:
        """The reader has just answered."""
        self._alive_at_s = now_s

    def next_order(self, now_s: float) -> Frame:
        """What to send now."""
        self._number = (self._number + 1) % len(self._turns)
        self.told_more = self.answered = self._done = False
        self.until_s = now_s + self._scan_time_s + OVERRUN_S + self._patience.answer_s
        return self._turns[self._number].order

    def hear(self, frame: Frame, now_s: float) -> str:
        """What a frame means for the running order; in words, if it is worth a warning.

        Reports are no sign of life here: a reader that somebody has sent into active mode hears no order.

        Raises:
            ReaderRefused: the reader refuses every antenna again and again.
        """
        is_inventory = frame.command == Command.INVENTORY
        if is_inventory and answers.is_sign_of_life(frame):
            self._alive_at_s = now_s
        if self._done or not (is_inventory or answers.is_unknown_command(frame)):
            return ""
        self.answered = True
        if frame.status == answers.MORE:
            self.told_more = True
            self.until_s = now_s + self._patience.more_s
        else:
            self._done = not answers.is_acknowledgement(frame, self._dialect)
        return self._judge(frame)

    def is_over(self, now_s: float) -> bool:
        """Whether it is time for the next order.

        Raises:
            ReaderTimeout: no sign of life for too long.
        """
        if not self._done and now_s < self.until_s:
            return False
        dead_s = self._patience.dead_s + self._scan_time_s
        if now_s - self._alive_at_s >= dead_s:
            why = f"antenna {min(self._missing)} is not connected" if self._missing else "check power and baud rate"
            raise ReaderTimeout(f"no inventory for {dead_s:g} s; {why}")
        return True

    def _judge(self, frame: Frame) -> str:
        antenna = self._turns[self._number].antenna
        if frame.status in answers.REFUSALS:
            return self._refused(antenna, frame)
        self._refusals[antenna] = 0
        if frame.status != answers.ANTENNA_ERROR:
            self._missing.discard(antenna)
        elif antenna not in self._missing:
            self._missing.add(antenna)
            return f"antenna {antenna} is not connected; check plug and cable"
        return ""

    def _refused(self, antenna: int, frame: Frame) -> str:
        """One antenna that the reader has not must not silence the others, so only all of them together are an end."""
        self._refusals[antenna] += 1
        why = f"status 0x{frame.status:02x}, {answers.meaning(frame)}; has it an antenna {antenna}?"
        if all(self._refusals[turn.antenna] >= MAX_REFUSALS for turn in self._turns):
            raise ReaderRefused(f"the reader refuses to look for tags: {why}", frame.status or 0)
        if self._refusals[antenna] == MAX_REFUSALS:
            return f"the reader refuses to look for tags at antenna {antenna}: {why}"
        return ""
