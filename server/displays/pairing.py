"""Pairing a browser with a display: the browser shows a code, the owner approves it, the browser's cookie becomes valid.

The cookie holds a random secret; only its SHA-256 is kept (32 random bytes need no salt).  Codes live in memory: after a
restart of the server an unpaired browser just shows another one.
"""

import hashlib
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from broker_config.site import DisplayId
from server.clock import ClockNs, to_datetime
from server.errors import NotFound, TooMany

CODE_ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without I L O 0 1, which people mistake for one another
CODE_LENGTH = 6
CODE_LIFE_NS = 600 * 10**9
CODES_PER_MINUTE = 20
WRONG_CODES_PER_MINUTE = 10
MINUTE_NS = 60 * 10**9
COOKIE_PREFIX = "tacet-display-"


class PairedStore(Protocol):
    """Where the hashes of valid secrets are kept."""

    async def add(self, display: DisplayId, secret_hash: bytes, at_ns: int) -> None:
        """Make one secret valid for a display."""

    async def holds(self, display: DisplayId, secret_hash: bytes) -> bool:
        """Whether that secret is valid for the display."""


@dataclass(frozen=True, slots=True)
class PendingPairing:
    """A code on a screen that waits for the owner."""

    code: str
    display: DisplayId
    secret_hash: bytes
    asked_at_ns: int

    @property
    def asked_at(self) -> datetime:
        """When the screen asked."""
        return to_datetime(self.asked_at_ns)


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer to a browser: paired already, or a code to show; `secret` is to be set as its cookie when not None."""

    paired: bool
    code: str | None = None
    secret: str | None = None


class PairingService:
    """Codes and the secrets they make valid."""

    def __init__(self, displays: frozenset[DisplayId], store: PairedStore, clock_ns: ClockNs) -> None:
        self._displays, self._store, self._clock_ns = displays, store, clock_ns
        self._pending: dict[str, PendingPairing] = {}
        self._new_codes = RateLimit(CODES_PER_MINUTE, MINUTE_NS, clock_ns)
        self._wrong_codes = RateLimit(WRONG_CODES_PER_MINUTE, MINUTE_NS, clock_ns)

    async def ask(self, display: DisplayId, secret: str | None) -> Asked:
        """A code for this browser: the one it shows already, where that is still good.

        Args:
            secret: its cookie, if it has one.
        Raises:
            NotFound: the site has no such display.
            TooMany: more new codes in a minute than any shop has screens.
        """
        if await self.is_paired(display, secret):
            return Asked(paired=True)
        if code := self.code_of(display, secret):
            return Asked(paired=False, code=code)
        self._new_codes.count("new pairing codes")
        fresh = secrets.token_urlsafe(32)
        code = self._unused_code()
        self._pending[code] = PendingPairing(code, display, hash_secret(fresh), self._clock_ns())
        return Asked(paired=False, code=code, secret=fresh)

    async def is_paired(self, display: DisplayId, secret: str | None) -> bool:
        """Whether the cookie is a valid one of this display.

        Raises:
            NotFound: the site has no such display.
        """
        self._check(display)
        return secret is not None and await self._store.holds(display, hash_secret(secret))

    async def is_one_of(self, cookies: Mapping[str, str], display: DisplayId) -> bool:
        """Whether a browser's cookies make it this display; false also for a display the site does not have."""
        return display in self._displays and await self.is_paired(display, cookies.get(cookie_name(display)))

    async def any_paired(self, cookies: Mapping[str, str]) -> bool:
        """Whether a browser's cookies make it any display at all."""
        named = [DisplayId(name.removeprefix(COOKIE_PREFIX)) for name in cookies if name.startswith(COOKIE_PREFIX)]
        for display in named:
            if await self.is_one_of(cookies, display):
                return True
        return False

    def code_of(self, display: DisplayId, secret: str | None) -> str | None:
        """The code that this browser is showing; None when it has none or the ten minutes are over."""
        if secret is None:
            return None
        wanted = hash_secret(secret)
        return next((p.code for p in self.pending() if p.display == display and p.secret_hash == wanted), None)

    def pending(self) -> list[PendingPairing]:
        """The codes that wait for the owner, oldest first."""
        oldest_ns = self._clock_ns() - CODE_LIFE_NS
        self._pending = {code: p for code, p in self._pending.items() if p.asked_at_ns > oldest_ns}
        return list(self._pending.values())

    async def approve(self, code: str) -> DisplayId:
        """Make the secret behind a code valid; the display it is for.  A code works once.

        Raises:
            NotFound: no screen shows this code now.
            TooMany: too many wrong codes in a minute.
        """
        wanted = code.strip().upper()
        found = next((p for p in self.pending() if secrets.compare_digest(p.code.encode(), wanted.encode())), None)
        if found is None:
            self._wrong_codes.count("wrong pairing codes")
            raise NotFound(f"no screen shows the code {wanted[:12]!r} now; codes last ten minutes")
        await self._store.add(found.display, found.secret_hash, self._clock_ns())
        self._pending.pop(found.code, None)
        return found.display

    def _check(self, display: DisplayId) -> None:
        if display not in self._displays:
            raise NotFound(f"the site file has no display {display[:40]!r}")

    def _unused_code(self) -> str:
        while (code := "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))) in self._pending:
            pass
        return code


class RateLimit:
    """At most `limit` in any `window_ns`."""

    def __init__(self, limit: int, window_ns: int, clock_ns: ClockNs) -> None:
        self._limit, self._window_ns, self._clock_ns = limit, window_ns, clock_ns
        self._times: deque[int] = deque(maxlen=limit)

    def count(self, what: str) -> None:
        """Count one more.

        Raises:
            TooMany: that would be over the limit; it is not counted.
        """
        self.check(what)
        self._times.append(self._clock_ns())

    def check(self, what: str) -> None:
        """Whether there is room for one more.

        Raises:
            TooMany: there is none.
        """
        if len(self._times) == self._limit and self._clock_ns() - self._times[0] < self._window_ns:
            raise TooMany(f"too many {what}; try again in a minute")


def cookie_name(display: DisplayId) -> str:
    """The cookie a display's browser keeps."""
    return COOKIE_PREFIX + display


def hash_secret(secret: str) -> bytes:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()
