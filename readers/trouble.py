"""How much trouble a scale may give before it is given up: told once, borne for a while."""

from readers.errors import ReaderError
from readers.health import ReaderHealth


class Trouble:
    """One scale's stretches without a word that can be used.

    Args:
        limit_s: how long such a stretch may be.
    """

    def __init__(self, health: ReaderHealth, limit_s: float) -> None:
        self._health, self._limit_s = health, limit_s
        self._usable_at_s = 0.0
        self._is_told = False

    def ends(self, now_s: float) -> None:
        """The scale has said something that can be used."""
        self._usable_at_s, self._is_told = now_s, False

    def tell(self, alarm: str) -> None:
        """Raise an alarm, once per stretch."""
        if not self._is_told:
            self._is_told = True
            self._health.alarms += 1
            self._health.alarm = alarm

    def bear(self, error: ReaderError, now_s: float) -> None:
        """Put up with it, or raise it, if the stretch has become too long."""
        if now_s - self._usable_at_s >= self._limit_s:
            raise error
