"""What a display shows now, and nothing else: one moment at most, gone at its time, on clear, and with the link."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from simulators.kiosk.wire import BaseSet, MomentClear, MomentSet, MomentShown, Version, VisitEnded

EndedBy = Literal["ttl", "clear", "replaced", "link"]


@dataclass(frozen=True, slots=True)
class Showing:
    """The moment on the screen."""

    moment: MomentSet
    until: datetime


class Memory:
    """Decides what is shown.  Every call gives the receipts to send; times are UTC by the server's clock as far as known.

    Versions are fences: what is not newer than the last applied is refused, also after its end.
    """

    def __init__(self, display: str) -> None:
        self.base: BaseSet | None = None
        self.showing: Showing | None = None
        self.refused = 0
        self._display = display
        self._base_fence: Version = (0, 0)
        self._moment_fence: Version = (0, 0)

    def set_base(self, base: BaseSet) -> None:
        """Take impersonal content."""
        if base.display != self._display or base.version <= self._base_fence:
            self.refused += 1
            return
        self.base, self._base_fence = base, base.version

    def set_moment(self, moment: MomentSet, now: datetime) -> list[MomentShown]:
        """Show a moment for what is left of its time.  A clock that runs ahead of the server's never makes that longer."""
        ttl = timedelta(milliseconds=moment.ttl_ms)
        until = min(moment.issued_at, now) + ttl
        if moment.display != self._display or moment.version <= self._moment_fence or until <= now:
            self.refused += 1
            return []
        self._moment_fence = moment.version
        receipts = self.end("replaced", now)
        self.showing = Showing(moment, until)
        return [*receipts, self._receipt(moment, now)]

    def clear(self, clear: MomentClear, now: datetime) -> list[MomentShown]:
        """Take away the moment that is meant, if it stands there."""
        if clear.display != self._display or clear.version <= self._moment_fence:
            self.refused += 1
            return []
        self._moment_fence = clear.version
        if self.showing is None:
            return []
        moment = self.showing.moment
        meant = clear.decision in (None, moment.decision) and clear.visit in (None, moment.visit)
        return self.end("clear", now) if meant else []

    def end_visits(self, ended: VisitEnded, now: datetime) -> list[MomentShown]:
        """Take away the moment of a visit that is over."""
        if self.showing is None or self.showing.moment.visit not in ended.visits:
            return []
        return self.end("clear", now)

    def tick(self, now: datetime) -> list[MomentShown]:
        """End what has had its time."""
        return self.end("ttl", now) if self.showing is not None and self.showing.until <= now else []

    def end(self, ended_by: EndedBy, now: datetime) -> list[MomentShown]:
        """Wipe the moment."""
        if self.showing is None:
            return []
        moment, self.showing = self.showing.moment, None
        return [self._receipt(moment, now, ended_by)]

    def _receipt(self, moment: MomentSet, now: datetime, ended_by: EndedBy | None = None) -> MomentShown:
        return MomentShown(
            display=self._display,
            decision=moment.decision,
            content=moment.content,
            phase="ended" if ended_by else "started",
            at=now,
            cause_at=moment.cause_at,
            ended_by=ended_by,
        )
