"""Which readers deliver.  The engine is told of every change, and freezes the departures of a zone that is not covered.

A reader covers its zones once it is open and reads, and until its port is lost or it gives no sign of life for
`SILENT_S`: well before the first departure that its silence could cause (the shortest `person_departs_s`, 8 s).
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from broker_config.heartbeats import Heartbeats
from readers.health import ReaderHealth

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.25
STUCK_S = 5.0
SILENT_LOOKS = 10  # counted in looks, not in time: while our own loop is held up, no driver can show a sign either
SILENT_S = SILENT_LOOKS * LOOK_EVERY_S
"""Longer than the pause of a sound reader, the longest of which (an M100 that is ordered anew) is 2 s."""


@dataclass(slots=True)
class _Watched:
    """A reader.

    Args:
        health: of its open driver; None while it is not open.
        signs: its signs of life when last looked at.
        silent_looks: so many looks ago they last changed.
    """

    health: ReaderHealth | None = None
    signs: int = 0
    silent_looks: int = 0
    covered: bool = False


class CoverageWatch:
    """The readers of an agent.

    Args:
        tell: told of a reader, and whether it delivers, at each change.
        heartbeats: where its looks show that they go on.
    """

    def __init__(
        self, reader_ids: Iterable[str], tell: Callable[[str, bool], None], heartbeats: Heartbeats | None = None
    ) -> None:
        self._heartbeat = (heartbeats or Heartbeats()).add("coverage", STUCK_S)
        self._readers = {reader_id: _Watched() for reader_id in reader_ids}
        self._tell = tell

    @property
    def reader_ids(self) -> tuple[str, ...]:
        """All readers, in the order of the configuration."""
        return tuple(self._readers)

    @property
    def silent(self) -> tuple[str, ...]:
        """The readers that do not deliver."""
        return tuple(reader_id for reader_id, watched in self._readers.items() if not watched.covered)

    def begin(self) -> None:
        """Nothing is covered before its reader has shown that it reads."""
        for reader_id in self._readers:
            self._tell(reader_id, False)

    def opened(self, reader_id: str, health: ReaderHealth) -> None:
        """The reader is set up.  It covers from its next sign of life on; at once, where its driver cannot tell."""
        watched = self._readers[reader_id]
        watched.health, watched.silent_looks = health, 0
        if health.signs_of_life is None:
            self._change(reader_id, covered=True)
        else:
            watched.signs = health.signs_of_life

    def lost(self, reader_id: str) -> None:
        """The reader is gone."""
        self._readers[reader_id].health = None
        self._change(reader_id, covered=False)

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            self.look()
            self._heartbeat.beat()

    def look(self) -> None:
        """One look at every open reader."""
        for reader_id, watched in self._readers.items():
            if watched.health is None or watched.health.signs_of_life is None:
                continue
            if watched.health.signs_of_life != watched.signs:
                watched.signs, watched.silent_looks = watched.health.signs_of_life, 0
                self._change(reader_id, covered=True)
                continue
            watched.silent_looks += 1
            if watched.silent_looks == SILENT_LOOKS and watched.covered:
                log.warning("%s: no sign of life for %s s; its zones are not covered", reader_id, SILENT_S)
                self._change(reader_id, covered=False)

    def _change(self, reader_id: str, *, covered: bool) -> None:
        watched = self._readers[reader_id]
        if watched.covered != covered:
            watched.covered = covered
            self._tell(reader_id, covered)
