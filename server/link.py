"""The link to the broker: what comes in goes to one bounded queue, what goes out waits while the link is down, up to its expiry."""

import asyncio
import logging
import secrets
import socket
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import aiomqtt

from broker_config.backoff import Backoff
from broker_config.identity import Credential
from broker_config.length_guard import LengthGuard
from broker_config.link_certificate import LinkCertificate
from broker_config.messages import HOST_EVERY_S, Data, Envelope, HostState, encode
from broker_config.mqtt_client import fail_fast
from broker_config.site import AgentId, Site
from broker_config.topics import BY_NAME, filters_for, topic_for
from server.clock import NS_PER_S, ClockNs, to_datetime
from server.commands.keys import CommandKeys
from server.commands.retelling import Retelling, Said
from server.config import BrokerAddress
from server.errors import TooLarge

log = logging.getLogger(__name__)

MAX_INCOMING = 4_000
MAX_OUTGOING = 10_000
MAX_TOGETHER = 100
TIMEOUT_S = 5.0
KEEPALIVE_S = 15
FIRST_BACKOFF_S, MAX_BACKOFF_S = 0.1, 10.0
GOODBYE_S = 1.0


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as it came.

    Args:
        publisher: the agent that posted it over HTTP; None for the broker's, which has checked who may publish what.
    """

    topic: str
    payload: bytes
    received_ns: int
    publisher: AgentId | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message on its way out; dropped and counted after `expires_ns`; `delivered` is set once the broker has it."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    expires_ns: int | None
    delivered: asyncio.Event | None = None


class Link:
    """The server's MQTT connection.

    Args:
        incoming: where messages go; when it is full the reader waits, and the agents' outboxes hold what is meant for it.
    """

    def __init__(
        self, broker: BrokerAddress, credential: Credential, site: Site, keys: CommandKeys, clock_ns: ClockNs
    ) -> None:
        self._broker, self._credential, self._site, self._clock_ns = broker, credential, site, clock_ns
        self._keys = keys
        self.incoming: asyncio.Queue[Incoming] = asyncio.Queue(MAX_INCOMING)
        self.connected = False
        self.expired_outgoing = 0
        self.guard = LengthGuard()
        self._retelling = Retelling()
        self.on_connect: list[Callable[[], None]] = []
        self._outgoing: deque[Outgoing] = deque(maxlen=MAX_OUTGOING)
        self._in_flight: list[Outgoing] = []
        self._waiting = asyncio.Event()
        self._certificate = LinkCertificate(broker)
        self._session, self._since = "", to_datetime(clock_ns())

    def send(self, data: Data, *, subject: str | None = None, **levels: str) -> None:
        """Queue a message for its topic, with the quality, retention and expiry of its row in the topic table.

        Args:
            levels: the topic's variable level, e.g. `display="d-door"`.
        """
        self._queue(data, subject, levels, None)

    async def deliver(self, data: Data, *, within_s: float, subject: str | None = None, **levels: str) -> None:
        """As `send`, and return once the broker has acknowledged it.

        Raises:
            TooLarge: no broker takes it.
            TimeoutError: it has not within `within_s`; the message goes on waiting for its turn.
        """
        delivered = asyncio.Event()
        if not self._queue(data, subject, levels, delivered):
            raise TooLarge("this is too much for one message; nothing was sent, send it in parts")
        async with asyncio.timeout(within_s):
            await delivered.wait()

    def _queue(self, data: Data, subject: str | None, levels: dict[str, str], delivered: asyncio.Event | None) -> bool:
        """Whether it will be sent."""
        row, now_ns = BY_NAME[data.topic], self._clock_ns()
        topic, payload = self._unsigned(data, now_ns, subject, levels)
        expires_ns = now_ns + row.expiry_s * NS_PER_S if row.expiry_s else None
        signed = self._keys.sign(row, levels, topic, payload) if row.signed else payload
        will_go = self._push(Outgoing(topic, signed, row.qos, row.retained, expires_ns, delivered))
        if will_go and expires_ns is not None:
            self._retelling.note(data, Said(row, topic, payload, expires_ns))
        return will_go

    def _push(self, out: Outgoing) -> bool:
        if self.guard.refuses(out.topic, out.payload):
            return False
        if len(self._outgoing) == MAX_OUTGOING:
            self.expired_outgoing += 1
        self._outgoing.append(out)
        self._waiting.set()
        return True

    def tell_again(self) -> None:
        """A receiver has another key: sign for it what it may have missed under the one before."""
        for said in self._retelling.unexpired(self._clock_ns()):
            signed = self._keys.sign(said.row, {}, said.topic, said.payload)
            self._push(Outgoing(said.topic, signed, said.row.qos, said.row.retained, said.expires_ns))

    def _message(self, data: Data, now_ns: int, subject: str | None, levels: dict[str, str]) -> tuple[str, bytes]:
        row = BY_NAME[data.topic]
        topic, payload = self._unsigned(data, now_ns, subject, levels)
        return topic, self._keys.sign(row, levels, topic, payload) if row.signed else payload

    def _unsigned(self, data: Data, now_ns: int, subject: str | None, levels: dict[str, str]) -> tuple[str, bytes]:
        row, now = BY_NAME[data.topic], to_datetime(now_ns)
        envelope = Envelope(
            specversion="1.0",
            id=uuid.uuid4().hex,
            source=f"/tacet/{self._site.id}/server",
            type=data.type_name,
            time=now,
            subject=subject,
            expires=now + timedelta(seconds=row.expiry_s) if row.expiry_s else None,
            data=data,
        )
        return topic_for(data.topic, self._site.id, **levels), encode(envelope)

    def _host(self, state: str) -> tuple[str, bytes]:
        """What the server says of itself."""
        said = HostState(state=state, session=self._session, since=self._since)
        return self._message(said, self._clock_ns(), None, {})

    async def run(self) -> None:
        """Stay connected until cancelled, with back-off."""
        backoff = Backoff(FIRST_BACKOFF_S, MAX_BACKOFF_S)
        while True:
            try:
                async with self._client() as client:
                    await client.subscribe([(name, 1) for name in filters_for("server", self._site)[1]])
                    backoff.reset()
                    self._up()
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._receive(client), name="link receive")
                        tasks.create_task(self._publish(client), name="link publish")
                        tasks.create_task(self._say_alive(client), name="link alive")
                        tasks.create_task(self._certificate.watch(), name="link certificate")
            except* aiomqtt.MqttError as trouble:
                reason = await self._certificate.explain(str(trouble.exceptions[0]))
                log.warning(
                    "broker %s:%s lost: %s; trying again",
                    self._broker.host,
                    self._broker.port,
                    reason,
                )
            finally:
                self.connected = False
            await asyncio.sleep(backoff.next_delay_s())

    def _client(self) -> aiomqtt.Client:
        self._session, self._since = secrets.token_hex(8), to_datetime(self._clock_ns())
        will_topic, will = self._host("lost")
        client = aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            identifier=self._credential.user,
            username=self._credential.user,
            password=self._credential.password,
            protocol=aiomqtt.ProtocolVersion.V311,
            clean_session=False,
            timeout=TIMEOUT_S,
            keepalive=KEEPALIVE_S,
            will=aiomqtt.Will(will_topic, will, qos=1, retain=True),
            max_queued_incoming_messages=MAX_INCOMING,
            max_queued_outgoing_messages=MAX_OUTGOING,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            tls_context=self._certificate.context(),
        )
        client.pending_calls_threshold = MAX_OUTGOING  # we bound them ourselves
        fail_fast(client)
        return client

    def _up(self) -> None:
        self.connected = True
        log.info("broker %s:%s connected", self._broker.host, self._broker.port)
        self._outgoing.extendleft(reversed(self._in_flight))
        self._in_flight = []
        for tell in self.on_connect:
            tell()

    async def _say_alive(self, client: aiomqtt.Client) -> None:
        """Tell agents and screens that the server is there, again and again; and good-bye, when it stops in order."""
        own = asyncio.current_task()
        assert own is not None
        try:
            while not own.cancelling():  # a publish may have swallowed the cancellation, see `server.runtime.end`
                topic, payload = self._host("ready")
                await client.publish(topic, payload, qos=1, retain=True)
                if not own.cancelling():
                    await asyncio.sleep(HOST_EVERY_S)
        finally:
            topic, payload = self._host("disconnected")
            client.timeout = GOODBYE_S
            with suppress(aiomqtt.MqttError):
                await client.publish(topic, payload, qos=1, retain=True)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else b""
            await self.incoming.put(Incoming(str(message.topic), payload, self._clock_ns()))

    async def _publish(self, client: aiomqtt.Client) -> None:
        while True:
            await self._waiting.wait()
            while self._outgoing:
                self._in_flight = self._take()
                async with asyncio.TaskGroup() as tasks:
                    for out in self._in_flight:
                        tasks.create_task(client.publish(out.topic, out.payload, qos=out.qos, retain=out.retain))
                for out in self._in_flight:
                    if out.delivered is not None:
                        out.delivered.set()
                self._in_flight = []
            self._waiting.clear()

    def _take(self) -> list[Outgoing]:
        """The next few that are still worth sending."""
        batch: list[Outgoing] = []
        now_ns = self._clock_ns()
        while self._outgoing and len(batch) < MAX_TOGETHER:
            out = self._outgoing.popleft()
            if out.expires_ns is not None and out.expires_ns < now_ns:
                self.expired_outgoing += 1
            else:
                batch.append(out)
        return batch
