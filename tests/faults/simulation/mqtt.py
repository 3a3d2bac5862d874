"""What product code takes for `aiomqtt.Client`: the same interface and the same habits, over the simulated network.

Its habits: a publication is not interrupted by a loss of the connection but times out, a full queue discards what comes and
has it acknowledged all the same, and no more than so many publications are under way at once.
"""

import asyncio
from collections import deque
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import aiomqtt

from broker_config.length_guard import LengthGuard
from tests.faults.simulation.broker import Message
from tests.faults.simulation.clockwork import ProcessLoop, Turn
from tests.faults.simulation.network import Connection, Packet

PAHO_CONNECT_S = 5.0
PAHO_IN_FLIGHT = 20
NO_CONNECTION = 4  # paho's MQTT_ERR_NO_CONN
KEEPALIVE_ERROR = 16  # paho's MQTT_ERR_KEEPALIVE


class SimulatedClient:
    """One connection of the process whose event loop runs."""

    def __init__(
        self,
        hostname: str,
        port: int = 1883,
        *,
        identifier: str | None = None,
        clean_session: bool | None = None,
        will: aiomqtt.Will | None = None,
        timeout: float | None = None,
        keepalive: int = 60,
        max_queued_incoming_messages: int | None = None,
        max_inflight_messages: int | None = None,
        **_others: object,
    ) -> None:
        self.timeout = 10.0 if timeout is None else timeout
        self.pending_calls_threshold = 10
        # What product code reaches of paho below.
        self._client = SimpleNamespace(connect_timeout=PAHO_CONNECT_S, on_disconnect=lambda *_reason: None)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ProcessLoop)
        self._loop: ProcessLoop = loop
        self._connected: asyncio.Future[None] = loop.create_future()
        self._store: Any = loop.host
        self._name, self._clean, self._keepalive_s = identifier or "", clean_session is not False, float(keepalive)
        self._will = None if will is None else Message(will.topic, _bytes(will.payload), will.qos, will.retain)
        self._max_incoming = max_queued_incoming_messages or 0
        self._max_in_flight = max_inflight_messages or PAHO_IN_FLIGHT
        self._connection: Connection | None = None
        self._incoming: deque[aiomqtt.Message] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._lost: aiomqtt.MqttError | None = None
        self._numbers = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._queued: deque[tuple[int, Message]] = deque()
        self._in_flight: set[int] = set()
        self._pinged = False
        self._pinger: Turn | None = None
        self.heard_ns = loop.world.now_ns
        """When the broker's last word came."""

    @property
    def connection(self) -> Connection | None:
        """The way to the broker, unless it is known to be lost."""
        return None if self.is_lost else self._connection

    @property
    def is_lost(self) -> bool:
        """Whether it is known here that the connection is gone."""
        return self._lost is not None

    def hang_up(self) -> None:
        """Nobody is to be heard any more."""
        if self._connection is not None and self._lost is None:
            self._connection.reset()
            self._broke(KEEPALIVE_ERROR)

    async def __aenter__(self) -> Self:
        network, broker = self._store.network, self._store.broker
        await asyncio.sleep(network.delay())
        way = (self._store, *self._store.through)
        if not all(network.reaches(machine.name) for machine in way):
            await asyncio.sleep(self._client.connect_timeout)
            raise aiomqtt.MqttError("timed out")
        if not broker.up or not all(machine.running for machine in way):
            raise aiomqtt.MqttError("[Errno 111] Connection refused")
        self._connection = connection = Connection(network, *(machine.name for machine in way))
        connection.down.deliver = lambda packet: self._loop.alive and self._loop.run(lambda: self._take(packet))
        connection.on_lost.append(lambda: self._loop.alive and self._loop.run(self._broke))
        broker.accept(connection)
        for machine in way:
            machine.connections.append(connection)
        connection.up.send(("connect", self._name, self._clean, self._will, self._keepalive_s))
        try:
            await asyncio.wait_for(self._connected, self.timeout)
        except TimeoutError:
            connection.reset()
            raise aiomqtt.MqttError("Operation timed out") from None
        self._ping_later()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pinger is not None:
            self._pinger.cancel()
        assert self._connection is not None
        if self._lost is None:
            self._connection.up.send(("disconnect",))
            self._lost = aiomqtt.MqttError("Disconnected")
            await asyncio.sleep(0)
        self._wake()

    @property
    def messages(self) -> "SimulatedClient":
        return self

    @property
    def identifier(self) -> str:
        return self._name

    def __aiter__(self) -> Self:
        return self

    def __len__(self) -> int:
        return len(self._incoming)

    async def __anext__(self) -> aiomqtt.Message:
        while not self._incoming:
            if self._lost is not None:
                raise aiomqtt.MqttError("Disconnected during message iteration") from self._lost
            self._reader = self._loop.create_future()
            await self._reader
        return self._incoming.popleft()

    async def subscribe(self, topic: Any, qos: int = 0, *_args: object, **_others: object) -> Any:
        filters = [(topic, qos)] if isinstance(topic, str) else list(topic)
        return await self._ask("subscribe", filters)

    async def unsubscribe(self, topic: str | list[str], *_args: object, **_others: object) -> None:
        await self._ask("unsubscribe", [topic] if isinstance(topic, str) else topic)

    async def publish(
        self,
        topic: str,
        payload: Any = None,
        qos: int = 0,
        retain: bool = False,
        *_args: object,
        timeout: float | None = None,
        **_others: object,
    ) -> None:
        self._check()
        assert self._connection is not None
        message = Message(topic, _bytes(payload), qos, retain)
        if qos == 0:
            self._connection.up.send(("publish", 0, message))
            return
        self._numbers += 1
        self._queued.append((self._numbers, message))
        self._send_queued()
        await self._answer(self._numbers, timeout)

    def _check(self) -> None:
        if self._lost is not None or self._connection is None:
            raise aiomqtt.MqttCodeError(NO_CONNECTION, "Could not publish message")

    async def _ask(self, kind: str, filters: Any) -> Any:
        self._check()
        assert self._connection is not None
        self._numbers += 1
        self._connection.up.send((kind, self._numbers, filters))
        return await self._answer(self._numbers)

    async def _answer(self, number: int, timeout: float | None = None) -> Any:
        answer = self._answers[number] = self._loop.create_future()
        try:
            return await asyncio.wait_for(answer, self.timeout if timeout is None else timeout)
        except TimeoutError:
            raise aiomqtt.MqttError("Operation timed out") from None
        finally:
            self._answers.pop(number, None)

    def _send_queued(self) -> None:
        assert self._connection is not None
        while self._queued and len(self._in_flight) < self._max_in_flight:
            number, message = self._queued.popleft()
            self._in_flight.add(number)
            self._connection.up.send(("publish", number, message))

    def _take(self, packet: Packet) -> None:
        self._pinged = False
        if self._lost is not None or self._connection is None:
            return
        self.heard_ns = self._loop.world.now_ns
        match packet:
            case ("connack",):
                if not self._connected.done():
                    self._connected.set_result(None)
            case ("suback", number, granted):
                self._resolve(number, tuple(granted))
            case ("unsuback", number):
                self._resolve(number, None)
            case ("puback", number):
                self._in_flight.discard(number)
                self._resolve(number, None)
                self._send_queued()
            case ("publish", number, message):
                self._receive(number, message)

    def _receive(self, number: int, message: Message) -> None:
        assert self._connection is not None
        if not self._max_incoming or len(self._incoming) < self._max_incoming:
            self._incoming.append(
                aiomqtt.Message(message.topic, message.payload, message.qos, message.retain, number, None)
            )
            self._wake()
        if message.qos:
            self._connection.up.send(("puback", number))

    def _resolve(self, number: int, result: object) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(result)

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _ping_later(self) -> None:
        self._pinger = self._loop.world.after(self._keepalive_s, self._ping, self._loop)

    def _ping(self) -> None:
        if self._lost is not None or self._connection is None:
            return
        if self._pinged:
            self.hang_up()
            return
        self._pinged = True
        self._connection.up.send(("ping",))
        self._ping_later()

    def _broke(self, code: int = 7) -> None:
        if self._lost is None:
            self._lost = aiomqtt.MqttCodeError(code, "Unexpected disconnection")
            self._wake()
            self._client.on_disconnect(None, None, None, None, None)


def _bytes(payload: Any) -> bytes:
    if payload is None:
        return b""
    return payload.encode() if isinstance(payload, str) else bytes(payload)


class SimulatedGuardedClient(SimulatedClient):
    """As `edge.broker_link.GuardedClient`, which is made of the real one."""

    def __init__(self, *arguments: Any, guard: LengthGuard, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._guard = guard

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> None:  # type: ignore[override]
        if not self._guard.refuses(topic, payload):
            await super().publish(topic, payload, qos=qos, retain=retain)
