"""MagicRF M100 UHF module: when silence means "order anew", and when it means "dead".  Told the time, never asks it."""

from dataclasses import dataclass

from readers.errors import ReaderTimeout


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a driver waits.

    Args:
        answer_s: for the answer to a command.
        order_ended_s: of silence, once a poll order may have run out, before the next.
        rearm_s: of silence in the middle of an order before ordering anew.
        dead_s: without a sign of life, although it answers, before giving up.
    """

    answer_s: float = 0.5
    order_ended_s: float = 0.2
    rearm_s: float = 2.0
    dead_s: float = 5.0


USUAL = Patience()


class Vigil:
    """One module's signs of life.

    Args:
        poll_count: rounds of one order.
    """

    def __init__(self, patience: Patience, poll_count: int) -> None:
        self.rearm_at_s = 0.0
        """Listen until then before judging."""
        self._patience, self._poll_count = patience, poll_count
        self._rounds = 0  # frames of the running order: at least as many as rounds done
        self._alive_at_s = 0.0

    def entered(self, now_s: float) -> None:
        """The module has just answered."""
        self._alive_at_s = now_s

    def armed(self, now_s: float) -> None:
        """An order to poll has gone out."""
        self._rounds = 0
        self.rearm_at_s = now_s + self._patience.rearm_s

    def must_rearm(self, lives: int, now_s: float) -> bool:
        """Whether the order has to be repeated, after `lives` signs of life since the last question.

        Raises:
            ReaderTimeout: none for too long.
        """
        if lives:
            self._rounds += lives
            may_have_ended = self._rounds >= self._poll_count
            self._alive_at_s = now_s
            self.rearm_at_s = now_s + (self._patience.order_ended_s if may_have_ended else self._patience.rearm_s)
            return False
        if now_s - self._alive_at_s >= self._patience.dead_s:
            raise ReaderTimeout(f"no sign of life for {self._patience.dead_s:g} s; check power and baud rate")
        return now_s >= self.rearm_at_s
