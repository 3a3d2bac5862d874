"""What the times of events have to be put right by: a gateway may start without knowing what day it is.

Each start numbers its events in a generation of its own and stamps them by one clock that never steps, so one figure per
generation turns all its times into the server's: how far that clock is from the server's, which the signed /time tells.  It
is written beside the events once known, since the generation may have to be sent by a later start.  What was never found
out follows from another start of the same boot, whose monotonic clock is the same.  Only what was stamped before a reboot
and never put right goes by guess: as long as the host's clock went on over the reboot, it was as wrong before as after.
"""

import secrets
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from edge.clock import NS_PER_MS, NS_PER_S, Clock, to_ns
from edge.outbox import Outbox

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
KEY = "clocks"
TELL_FROM_MS = 1_000  # less is within what networks and quartzes do anyway
NEWS_MS = 500
MAX_KEPT = 64
SANE_FROM_NS = 1_577_836_800 * NS_PER_S  # 2020: before, a clock without a battery that nobody has set yet


class Base(msgspec.Struct, frozen=True):
    """The clock of one start.

    Args:
        boot: which boot of the host.
        offset_ns: its UTC less the monotonic clock.
        skew_ms: the server's UTC less its own; None: never found out.
    """

    boot: str
    offset_ns: int
    skew_ms: int | None = None


class Skew(Protocol):
    """The part of `edge.server_clock.ServerClock` that is used here."""

    on_synced: Callable[[], None]

    @property
    def skew_ns(self) -> int | None: ...


class _Stamped(msgspec.Struct):
    time: datetime


_bases = msgspec.json.Decoder(dict[str, Base])
_stamped = msgspec.json.Decoder(_Stamped)


class Timebase:
    """The clocks of an outbox's generations.

    Args:
        server_clock: knows how far ours is from the server's, once it was found out.
        boot: which boot this is.
    """

    def __init__(self, outbox: Outbox, clock: Clock, server_clock: Skew, boot: str | None = None) -> None:
        self._outbox, self._clock, self._server_clock = outbox, clock, server_clock
        self._bases: dict[str, Base] = {}
        self._own = Base(boot or boot_id(), clock.offset_ns)

    async def begin(self) -> None:
        """Read what earlier starts left, and write this one down; before the first event."""
        kept = await self._outbox.state(KEY)
        if kept is not None:
            known = _bases.decode(kept)
            wanted = {*self._outbox.generations[-MAX_KEPT:], *list(known)[-MAX_KEPT:]}
            self._bases = {each: base for each, base in known.items() if each in wanted}
        self._bases[self._outbox.generation] = self._own
        self._keep()
        self._server_clock.on_synced = self.synced

    def synced(self) -> None:
        """The server's time was just found out: keep what follows for as long as the events are kept."""
        skew_ms = self._own_skew_ms()
        if skew_ms is None:
            return
        before = self._own.skew_ms
        if before is None or abs(skew_ms - before) >= NEWS_MS:
            self._own = msgspec.structs.replace(self._own, skew_ms=skew_ms)
            self._bases[self._outbox.generation] = self._own
            self._keep()

    def put_right(self, payload: bytes, generation: str | None = None) -> bytes:
        """The message with what its receiver needs to know its times: nothing where they are right.

        Args:
            generation: the one that stamped it; None: this start.  One of which nothing is known is left as it is.
        """
        base = self._own if generation is None else self._bases.get(generation)
        if base is None:
            return payload  # an earlier release stamped it; nothing is known of its clock
        skew_ms = self._skew_ms(base)
        if skew_ms is None:
            at_ns = to_ns(_stamped.decode(payload).time)
            skew_ms = self._own_skew_ms() if self._is_by_own_clock(base, at_ns) else None
            if skew_ms is None:
                return _with_member(payload, "agems", self._age_ms(base, at_ns))
        return payload if abs(skew_ms) < TELL_FROM_MS else _with_member(payload, "clockms", skew_ms)

    def by_own_clock(self, at_ns: int, generation: str) -> int | None:
        """A time that another start's clock said, by this one's; None where nobody knows how far they are apart.

        Args:
            generation: that start's.
        """
        base, own_ms = self._bases.get(generation), self._own_skew_ms()
        skew_ms = None if base is None else self._skew_ms(base)
        return None if skew_ms is None or own_ms is None else at_ns + (skew_ms - own_ms) * NS_PER_MS

    def _skew_ms(self, base: Base) -> int | None:
        if base.boot == self._own.boot:
            own_ms = self._own_skew_ms()
            if own_ms is not None:
                return own_ms + (self._own.offset_ns - base.offset_ns) // NS_PER_MS
        return base.skew_ms

    def _own_skew_ms(self) -> int | None:
        skew_ns = self._server_clock.skew_ns
        return None if skew_ns is None else skew_ns // NS_PER_MS

    def _is_by_own_clock(self, base: Base, at_ns: int) -> bool:
        """Whether an earlier boot's clock seems to have gone on into this one: what it stamped was before this boot."""
        return base.boot == self._own.boot or (at_ns <= self._own.offset_ns and _was_set(at_ns, self._own.offset_ns))

    def _age_ms(self, base: Base, at_ns: int) -> int:
        """How long ago it was stamped: across a reboot as far as the host's clock went on, else since this boot."""
        if base.boot == self._own.boot:
            at_ns += self._own.offset_ns - base.offset_ns
        elif not self._is_by_own_clock(base, at_ns):
            at_ns = self._own.offset_ns
        return max((self._clock() - at_ns) // NS_PER_MS, 0)

    def _keep(self) -> None:
        self._outbox.append([], {KEY: msgspec.json.encode(self._bases)})


def boot_id() -> str:
    """Which boot of the host this is; where the system does not tell, each start counts as one."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return secrets.token_hex(16)


def _was_set(at_ns: int, later_ns: int) -> bool:
    """Whether both times come from a clock that was set, or both from one that was not."""
    return (at_ns >= SANE_FROM_NS) == (later_ns >= SANE_FROM_NS)


def _with_member(payload: bytes, name: str, value: int) -> bytes:
    return payload[:-1] + f',"{name}":{value}}}'.encode()
