"""Whether the way from the server to each screen was open, looked at twice a second for the whole run."""

from tests.faults.simulation.clockwork import NS_PER_S
from tests.faults.simulation.network import Connection
from tests.faults.simulation.screen import Screen
from tests.faults.simulation.store import Store

LOOK_S = 0.5
Way = tuple[Connection, Connection]


class Paths:
    """The ways to the screens.

    Args:
        store: as it is; its broker has to be one that hands on what it gets, at once and in order.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ways: dict[str, Way | None] = dict.fromkeys(store.screens)
        self._since_ns: dict[str, int] = {}
        self._open: dict[str, list[tuple[int, int]]] = {name: [] for name in store.screens}

    def watch(self) -> None:
        """Look now, and again and again."""
        now_ns = self._store.world.utc_ns
        for name, screen in self._store.screens.items():
            way = self._way(screen)
            if way != self._ways[name]:
                self._close(name, now_ns)
                self._ways[name], self._since_ns[name] = way, now_ns
        self._store.world.after(LOOK_S, self.watch)

    def longest_open_ns(self, screen: str, from_ns: int, until_ns: int) -> int:
        """For how long without a break the server could reach the screen, within a stretch of true time."""
        now_ns = self._store.world.utc_ns
        stretches = [*self._open[screen]]
        if self._ways[screen] is not None:
            stretches.append((self._since_ns[screen], now_ns))
        return max((min(end, until_ns) - max(begin, from_ns) for begin, end in stretches), default=0)

    def _close(self, name: str, now_ns: int) -> None:
        if self._ways[name] is not None:
            self._open[name].append((self._since_ns[name], now_ns - round(LOOK_S * NS_PER_S)))

    def _way(self, screen: Screen) -> Way | None:
        server, state = self._store.server, self._store.server.state
        if not self._store.broker.up or state is None or not state.link.connected:
            return None
        own = [each for each in server.connections if each.machines == (server.name,) and each.open and each.passes]
        there = screen.connection
        if not own or there is None or not there.open or not there.passes:
            return None
        return own[-1], there
