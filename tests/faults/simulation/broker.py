"""A simulated MQTT broker, with the habits of Mosquitto that hurt.

It acknowledges before anybody has anything, drops what does not fit its queues without a word, forgets sessions and
retained messages when it dies without persistence, sends again what was in flight when a client comes back, publishes
wills late, and, as a cluster or a bridge would, repeats messages and changes their order.
"""

import functools
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import topic_matches_sub

from tests.faults.simulation.clockwork import Turn, World
from tests.faults.simulation.network import Connection, Network, Packet

PATIENCE = 1.5
"""Of a client's keep-alive time, after which it is given up.  Source: MQTT 3.1.1, 3.1.2.10."""


@functools.lru_cache(4096)
def matches(pattern: str, topic: str) -> bool:
    """Whether a filter takes a topic in."""
    return topic_matches_sub(pattern, topic)


@dataclass(frozen=True, slots=True)
class Message:
    """What was published."""

    topic: str
    payload: bytes
    qos: int
    retain: bool = False


@dataclass(slots=True)
class Habits:
    """How bad it is.

    Args:
        max_queued: messages that wait for a client that is away or slow; beyond it they are dropped in silence.
        max_in_flight: sent to a client and not acknowledged by it.
        twice: share of messages that come twice.
        spread_s: how much later than its turn a message may come.
        persistent: whether a restart leaves sessions and retained messages as they were.
    """

    max_queued: int = 1000
    max_in_flight: int = 20
    twice: float = 0.0
    spread_s: float = 0.0
    persistent: bool = True


@dataclass(slots=True)
class Session:
    """What is known of a client, also while it is away."""

    filters: dict[str, int] = field(default_factory=dict)
    waiting: deque[Message] = field(default_factory=deque)
    in_flight: dict[int, Message] = field(default_factory=dict)
    last_number: int = 0
    client: "Client | None" = None


class Broker:
    """The broker's process."""

    def __init__(self, world: World, network: Network, habits: Habits) -> None:
        self.world, self.network, self.habits = world, network, habits
        self.up, self.dropped = True, 0
        self.dropped_topics: set[str] = set()
        self.sessions: dict[str, Session] = {}
        self.retained: dict[str, Message] = {}
        self.heard: list[Any] = []
        """Told of each published message, before anything else is done with it."""
        self._clients: list[Client] = []
        self._life = 0
        self._dice = world.dice("broker")

    def accept(self, connection: Connection) -> None:
        """A client has connected by TCP."""
        Client(self, connection)

    def crash(self) -> None:
        """It dies.  Connections break; what was not persistent is gone, wills among it."""
        self.world.note("broker dies")
        self.up = False
        self._life += 1
        for client in list(self._clients):
            client.forget()
            client.connection.reset()
        if not self.habits.persistent:
            self.sessions.clear()
            self.retained.clear()

    def start(self) -> None:
        """It is back."""
        self.world.note("broker is up")
        self.up = True

    def publish(self, message: Message) -> None:
        """Route a message to everybody who has subscribed, now or with a delay, once or twice."""
        self.world.note("published", message.topic, message.payload)
        for hear in self.heard:
            hear(message)
        if message.retain:
            if message.payload:
                self.retained[message.topic] = message
            else:
                self.retained.pop(message.topic, None)
        for name, session in sorted(self.sessions.items()):
            qos = [q for pattern, q in session.filters.items() if matches(pattern, message.topic)]
            if qos:
                self._deliver(name, Message(message.topic, message.payload, min(message.qos, max(qos))))

    def session(self, name: str, *, clean: bool) -> Session:
        """A client's session, begun anew where it wants that."""
        if clean or name not in self.sessions:
            self.sessions[name] = Session()
        return self.sessions[name]

    def _deliver(self, name: str, message: Message) -> None:
        habits, dice, life = self.habits, self._dice, self._life
        for _ in range(1 + (dice.random() < habits.twice)):
            if not habits.spread_s:
                self._enqueue(name, message, life)
                continue
            later_s = dice.random() ** 3 * habits.spread_s  # mostly soon, now and then very late
            self.world.after(later_s, lambda: self._enqueue(name, message, life))

    def _enqueue(self, name: str, message: Message, life: int) -> None:
        session = self.sessions.get(name)
        if life != self._life or session is None:
            return
        if session.client is None and message.qos == 0:
            return
        if len(session.waiting) >= self.habits.max_queued:
            self.dropped += 1
            self.dropped_topics.add(message.topic)
            return
        session.waiting.append(message)
        if session.client is not None:
            session.client.pump()

    def came(self, client: "Client") -> None:
        """A client is there."""
        self._clients.append(client)

    def gone(self, client: "Client") -> None:
        """It is not any more."""
        if client in self._clients:
            self._clients.remove(client)


class Client:
    """The broker's end of one connection."""

    def __init__(self, broker: Broker, connection: Connection) -> None:
        self.connection = connection
        self._broker, self._name, self._will = broker, "", None
        self._clean = True
        self._session: Session | None = None
        self._timer: Turn | None = None
        self._keepalive_s = 60.0
        connection.up.deliver = self._take
        connection.on_lost.insert(0, self._lost)

    def pump(self) -> None:
        """Send what waits, as far as the window allows."""
        session = self._session
        assert session is not None
        while session.waiting and len(session.in_flight) < self._broker.habits.max_in_flight:
            self._send(session, session.waiting.popleft(), again=False)

    def forget(self) -> None:
        """The broker is dead: no will, no timer."""
        self._will = None
        self._leave()

    def _send(self, session: Session, message: Message, *, again: bool, number: int = 0) -> None:
        if message.qos and not again:
            session.last_number = number = session.last_number % 65535 + 1
            session.in_flight[number] = message
        self.connection.down.send(("publish", number, message))

    def _take(self, packet: Packet) -> None:
        self._alive()
        match packet:
            case ("connect", name, clean, will, keepalive_s):
                self._connect(name, clean, will, keepalive_s)
            case ("subscribe", number, filters):
                self._subscribe(number, filters)
            case ("unsubscribe", number, filters):
                for each in filters:
                    self._session.filters.pop(each, None)  # type: ignore[union-attr]
                self.connection.down.send(("unsuback", number))
            case ("publish", number, message):
                if message.qos:
                    self.connection.down.send(("puback", number))
                self._broker.publish(message)
            case ("puback", number):
                if self._session is not None and self._session.in_flight.pop(number, None) is not None:
                    self.pump()
            case ("ping",):
                self.connection.down.send(("pong",))
            case ("disconnect",):
                self._will = None
                self.connection.close()
                self._leave()

    def _connect(self, name: str, clean: bool, will: Message | None, keepalive_s: float) -> None:
        broker = self._broker
        old = broker.sessions[name].client if name in broker.sessions else None
        if old is not None:
            old._lost()  # the newer connection of a name takes over
            old.connection.reset()
        self._name, self._clean, self._will, self._keepalive_s = name, clean, will, keepalive_s
        self._session = broker.session(name, clean=clean)
        self._session.client = self
        broker.came(self)
        self._alive()
        self.connection.down.send(("connack",))
        for number, message in list(self._session.in_flight.items()):
            self._send(self._session, message, again=True, number=number)
        self.pump()

    def _subscribe(self, number: int, filters: list[tuple[str, int]]) -> None:
        assert self._session is not None
        self._session.filters |= dict(filters)
        self.connection.down.send(("suback", number, [qos for _, qos in filters]))
        for topic, kept in sorted(self._broker.retained.items()):
            if any(matches(pattern, topic) for pattern, _ in filters):
                self._session.waiting.append(Message(topic, kept.payload, kept.qos, retain=True))
        self.pump()

    def _alive(self) -> None:
        """It gave a sign of life."""
        if self._timer is not None:
            self._timer.cancel()
        if self._session is not None:
            self._timer = self._broker.world.after(self._keepalive_s * PATIENCE, self._too_long)

    def _too_long(self) -> None:
        self._lost()
        self.connection.reset()

    def _lost(self) -> None:
        """The connection is gone without a good-bye: publish the will."""
        will, self._will = self._will, None
        self._leave()
        if will is not None and self._broker.up:
            self._broker.publish(will)

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._broker.gone(self)
        session, self._session = self._session, None
        if session is not None and session.client is self:
            session.client = None
            if self._clean:
                self._broker.sessions.pop(self._name, None)
