"""The simulated network: connections that are slow, stall, break, or break without telling anybody.

Inside a connection bytes keep their order and none is missing, as TCP has it; while a machine is cut off they wait.  What
an MQTT broker may do to messages between its connections, to repeat them and to change their order, is in `broker`.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.simulation.clockwork import World

Packet = tuple[Any, ...]
RESET_S = 0.002
"""How soon the other side hears that a connection was torn down."""


@dataclass(slots=True)
class Network:
    """Who can reach whom.

    Args:
        delay_s: shortest and longest time on the way.
        cut_off: machines without a network now.
    """

    world: World
    delay_s: tuple[float, float] = (0.0005, 0.005)
    cut_off: set[str] = field(default_factory=set)
    connections: list["Connection"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._dice = self.world.dice("network")

    _dice: Any = None

    def delay(self) -> float:
        """The time of one packet on its way."""
        return float(self._dice.uniform(*self.delay_s))

    def cut(self, machine: str) -> None:
        """Its cable is out."""
        self.world.note("cut off", machine)
        self.cut_off.add(machine)

    def heal(self, machine: str) -> None:
        """Its cable is in again: what TCP held back comes now."""
        self.world.note("reachable", machine)
        self.cut_off.discard(machine)
        for connection in list(self.connections):
            connection.thaw()

    def reaches(self, machine: str) -> bool:
        """Whether packets go between it and the broker and the server."""
        return machine not in self.cut_off


class Connection:
    """One TCP connection of a machine with the broker.

    Args:
        machines: whose it is, and through whom it goes.
    """

    def __init__(self, network: Network, *machines: str) -> None:
        self.network, self.machines, self.open, self.half_open = network, machines, True, False
        self.up = _Way(self)
        self.down = _Way(self)
        self.on_lost: list[Callable[[], None]] = []
        """Told when it is known at an end that it is gone: first the broker's, then the client's."""
        network.connections.append(self)

    @property
    def passes(self) -> bool:
        """Whether packets get through now."""
        return not self.half_open and all(map(self.network.reaches, self.machines))

    def reset(self) -> None:
        """It breaks, and who can be told is told."""
        if not self.open:
            return
        self.close()
        if self.passes:
            for tell in self.on_lost:
                self.network.world.after(RESET_S, tell)

    def close(self) -> None:
        """Nothing passes any more."""
        self.open = False
        if self in self.network.connections:
            self.network.connections.remove(self)

    def thaw(self) -> None:
        """The way is free again."""
        for way in (self.up, self.down):
            way.thaw()


class _Way:
    """One direction: first in, first out."""

    def __init__(self, connection: Connection) -> None:
        self.deliver: Callable[[Packet], None] = lambda _packet: None
        self._connection, self._packets, self._last_ns, self._frozen = connection, deque[Packet](), 0, 0

    def send(self, packet: Packet) -> None:
        if not self._connection.open:
            return
        network = self._connection.network
        self._packets.append(packet)
        due_ns = network.world.now_ns + round(network.delay() * 1e9)
        self._last_ns = max(self._last_ns, due_ns)
        network.world.at(self._last_ns, self._arrive)

    def thaw(self) -> None:
        frozen, self._frozen = self._frozen, 0
        for _ in range(frozen):
            self._connection.network.world.after(self._connection.network.delay(), self._arrive)

    def _arrive(self) -> None:
        if not self._connection.open:
            return
        if not self._connection.passes:
            self._frozen += 1
            return
        self.deliver(self._packets.popleft())
