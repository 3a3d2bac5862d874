"""How often somebody may ask, and how long a guesser waits: held in memory, in tables that do not grow."""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from server.clock import NS_PER_S, ClockNs
from server.displays.limits import Allowance
from server.errors import TooMany

MOST_KEPT = 4_096
FREE_TRIES = 3
V = TypeVar("V")


class Recent(Generic[V]):
    """The values of the keys used last; the rest are forgotten."""

    def __init__(self, make: Callable[[], V], most: int = MOST_KEPT) -> None:
        self._make, self._most = make, most
        self._kept: OrderedDict[str, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, key: str) -> V:
        value = self._kept.pop(key, None)
        if value is None:
            value = self._make()
        self._kept[key] = value
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return value

    def forget(self, key: str) -> None:
        """As if it had never been used."""
        self._kept.pop(key, None)


class Pace:
    """Requests per second of each sender."""

    def __init__(self, per_s: float, burst: float, clock_ns: ClockNs) -> None:
        self._per_s = per_s
        self._allowances = Recent(lambda: Allowance(per_s, burst, clock_ns))

    def spend(self, key: str) -> None:
        """One more request.

        Raises:
            TooMany: too fast.
        """
        allowance = self._allowances[key]
        if not allowance.spend(1):
            raise TooMany("too many requests; slow down", retry_after_s=max(1.0, -allowance.left / self._per_s))


@dataclass(slots=True)
class _Tries:
    failed: int = 0
    not_before_ns: int = 0


class Patience:
    """Wrong passwords of one account or one address: the wait doubles with each, up to a limit.

    Args:
        longest_s: nobody waits longer, so that a stranger's guesses do not lock an account for good.
    """

    def __init__(self, longest_s: float, clock_ns: ClockNs) -> None:
        self._longest_s, self._clock_ns = longest_s, clock_ns
        self._tries: Recent[_Tries] = Recent(_Tries)

    def check(self, key: str) -> None:
        """Whether the next try may come now.

        Raises:
            TooMany: not yet; says when.
        """
        left_ns = self._tries[key].not_before_ns - self._clock_ns()
        if left_ns > 0:
            seconds = -(-left_ns // NS_PER_S)
            raise TooMany(f"too many wrong passwords; try again in {seconds} s", retry_after_s=seconds)

    def count(self, key: str) -> None:
        """One more try begins; the first few are free.  Counted before the password is looked at, so that many at once are many."""
        tries = self._tries[key]
        tries.failed += 1
        if tries.failed > FREE_TRIES:
            wait_s = min(self._longest_s, 2.0 ** min(tries.failed - FREE_TRIES - 1, 30))
            tries.not_before_ns = self._clock_ns() + round(wait_s * NS_PER_S)

    def forgive(self, key: str) -> None:
        """The right password came."""
        self._tries.forget(key)


def address_key(host: str) -> str:
    """An address as a sender; of IPv6 the network that one customer gets."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"address:{host[:64]}"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return f"address:{address.ipv4_mapped}"
        return f"address:{ipaddress.ip_network((address, 64), strict=False).network_address}/64"
    return f"address:{address}"
