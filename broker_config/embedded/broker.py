"""amqtt 0.12.1 as a broker that keeps its promises on loopback.

What is overridden, and why (each has a test that fails without it):
- retained messages went to sessions that never subscribed to them;
- a CONNECT was obeyed before it was authenticated: it deleted or took over the session of whatever client id it named;
- a second connection of a client left the first one open, or marked the new one as disconnected;
- a client that subscribed while a message was on its way lost it to others ("dictionary changed size during iteration");
- connections that broke the protocol were never closed, silent ones never dropped, offline queues never bounded;
- anybody could open any number of connections, hold a packet half sent, ask never to be given up, and publish faster than
  the others take;
- one session could hold any number of filters, each of which every message is compared with, and given-up ones were kept.

The version is pinned: private methods are overridden.  Nothing is kept on disk; a restart forgets retained messages,
which every client of ours publishes again when it connects.
"""

import asyncio
import logging
import math
from collections.abc import ItemsView, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig, ListenerConfig
from amqtt.errors import AMQTTError, BrokerError, CodecError, MQTTError, NoDataError, ProtocolHandlerError
from amqtt.mqtt.connack import IDENTIFIER_REJECTED, NOT_AUTHORIZED, ConnackPacket
from amqtt.session import Session

from broker_config.access import Access
from broker_config.embedded.connection import SILENCE_FACTOR, BoundedWriter, FramedReader, Handler
from broker_config.limits import MAX_CONNECTIONS, MAX_KEEPALIVE_S, MAX_SUBSCRIPTIONS

log = logging.getLogger(__name__)
LISTENER = "default"
PLUGINS = ("broker_config.embedded.plugins.CredentialAuth", "broker_config.embedded.plugins.TopicRights")
CONNECT_WITHIN_S = 10.0
END_WITHIN_S = 5.0
MAX_UNKNOWN = 100
"""Connections that have not said who they are; one more, and the oldest of them goes."""
MAX_OFFLINE_MESSAGES = 10_000
MAX_OFFLINE_BYTES = 16 * 1024 * 1024
MAX_WAITING = 1_000
"""Messages that are published and not handed out yet; with more, nobody's next packet is read."""
LOOK_EVERY_S = 0.005
REFUSED_FILTER = 0x80
SESSION_EXPIRY_S = 7 * 24 * 3600
BROKEN_PEER = (AMQTTError, BrokerError, CodecError, MQTTError, NoDataError, ProtocolHandlerError, OSError, EOFError,
               TimeoutError, ValueError)  # fmt: skip
"""What a peer can raise that speaks no MQTT, breaks it, or goes away half-way."""


class Subscriptions(dict[str, list[tuple[Session, int]]]):
    """Sessions by filter, walked as they were when the walk began: amqtt awaits between its steps."""

    def __iter__(self) -> Iterator[str]:
        return iter(list(super().keys()))

    def items(self) -> ItemsView[str, list[tuple[Session, int]]]:  # type: ignore[override]  # a copy's view serves as well
        return {topic_filter: list(sessions) for topic_filter, sessions in super().items()}.items()


@dataclass(slots=True)
class Connection:
    """One TCP connection, from its first byte; `session` once its CONNECT was accepted."""

    task: "asyncio.Task[Any]"
    transport: asyncio.WriteTransport
    session: Session | None = None
    handler: Handler | None = None


class EmbeddedBroker(Broker):  # type: ignore[misc]  # amqtt is not followed by mypy
    """A broker on one loopback address that admits the clients of `access` and nobody else."""

    def __init__(self, host: str, port: int, access: Access) -> None:
        super().__init__(
            BrokerConfig(
                listeners={LISTENER: ListenerConfig(bind=f"{host}:{port}")},
                session_expiry_interval=SESSION_EXPIRY_S,
                plugins={path: {"access": access} for path in PLUGINS},
            )
        )
        self._subscriptions = Subscriptions()
        self._connections: dict[int, Connection] = {}
        self._by_client: dict[str, Connection] = {}

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """Serve one connection to its end, and leave nothing of it behind."""
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this in a task"
        connection = Connection(task, writer.transport)
        self._make_room()
        self._connections[id(connection)] = connection
        ends = FramedReader(reader, partial(self._has_room, connection)), BoundedWriter(writer)
        try:
            if await self._is_welcome(connection, *ends):
                server = self._servers[listener_name]
                await self._handle_client_session(*ends, connection.session, connection.handler, server, listener_name)
        except BROKEN_PEER as error:
            log.debug("connection ended: %r", error)
        finally:
            await self._forget(connection)
            writer.close()

    def _make_room(self) -> None:
        """Close the oldest connection that has not said who it is, where there are too many of these, or too many at all.

        Nobody who is known is put out for a stranger; with `MAX_CONNECTIONS` of the known a stranger is still asked.
        """
        strangers = [
            each for each in self._connections.values() if each.session is None and not each.transport.is_closing()
        ]
        if strangers and (len(strangers) >= MAX_UNKNOWN or len(self._connections) >= MAX_CONNECTIONS):
            strangers[0].transport.abort()

    async def _has_room(self, connection: Connection) -> None:
        """Return once what was published before, by this client and by all, is being handed out."""
        while self._waiting(connection) >= MAX_WAITING:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)  # the queues are amqtt's, and tell nobody

    def _waiting(self, connection: Connection) -> int:
        own = 0 if connection.session is None else connection.session.delivered_message_queue.qsize()
        return int(self._broadcast_queue.qsize() + own)

    async def _is_welcome(self, connection: Connection, reader: FramedReader, writer: BoundedWriter) -> bool:
        """Read the CONNECT and check it before anything is done for it; then make this the client's only connection."""
        async with asyncio.timeout(CONNECT_WITHIN_S):
            handler, incoming = await Handler.init_from_connect(reader, writer, self.plugins_manager)
            if not await self._authenticate(incoming, self.listeners_config[LISTENER]):
                log.warning("refused: user %.60r as client %.60r", incoming.username, incoming.client_id)
                await ConnackPacket.build(0, NOT_AUTHORIZED).to_stream(writer)
                return False
            if not 0 < incoming.keep_alive <= MAX_KEEPALIVE_S:
                log.warning("refused: %s asks for a keep-alive of %d s", incoming.client_id, incoming.keep_alive)
                await ConnackPacket.build(0, IDENTIFIER_REJECTED).to_stream(writer)
                return False
        client: str = incoming.client_id
        while previous := self._by_client.get(client):
            previous.transport.abort()
            await asyncio.wait([previous.task], timeout=END_WITHIN_S)
        self._by_client[client] = connection
        incoming.keep_alive = math.ceil(incoming.keep_alive * SILENCE_FACTOR)
        connection.handler, connection.session = handler, await self._session_for(incoming)
        return True

    async def _session_for(self, incoming: Session) -> Session:
        """The client's persistent session with this connection's will and credentials, or the new one where there is none."""
        known, _ = self._sessions.get(incoming.client_id, (None, None))
        if incoming.clean_session or known is None or known.clean_session:
            await self._delete_session(incoming.client_id)
            return incoming
        for name in (
            "will_flag",
            "will_topic",
            "will_message",
            "will_qos",
            "will_retain",
            "keep_alive",
            "username",
            "password",
        ):
            setattr(known, name, getattr(incoming, name))
        known.parent = 1
        return known

    async def _forget(self, connection: Connection) -> None:
        """Send the will of a connection that amqtt dropped without an end, and free its client id."""
        session = connection.session
        try:
            if session is not None and session.transitions.state == "connected":
                gone = asyncio.get_running_loop().create_future()
                gone.set_result(None)
                await self._handle_disconnect(session, connection.handler, gone)
        finally:
            del self._connections[id(connection)]
            if session is not None and self._by_client.get(session.client_id) is connection:
                del self._by_client[session.client_id]

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """The quality granted, or `REFUSED_FILTER`; also to a session that holds `MAX_SUBSCRIPTIONS` others."""
        held = session.attributes.setdefault("filters", set())
        if subscription[0] not in held and len(held) >= MAX_SUBSCRIPTIONS:
            log.warning("%s asks for more than %d filters; refused", session.client_id, MAX_SUBSCRIPTIONS)
            return REFUSED_FILTER
        granted = int(await super().add_subscription(subscription, session))
        if granted != REFUSED_FILTER:
            held.add(subscription[0])
        return granted

    def _del_subscription(self, a_filter: str, session: Session) -> int:
        """Forget one filter of a session; how many that were."""
        session.attributes.get("filters", set()).discard(a_filter)
        count = int(super()._del_subscription(a_filter, session))
        if not self._subscriptions.get(a_filter, True):
            del self._subscriptions[a_filter]  # or who subscribes and unsubscribes without end fills the memory
        return count

    async def _del_all_subscriptions(self, session: Session) -> None:
        for a_filter in list(session.attributes.get("filters", ())):
            self._del_subscription(a_filter, session)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        """Retained messages for a session that holds this filter; amqtt asks it of every filter it knows."""
        if any(holder is session for holder, _ in self._subscriptions.get(subscription[0], [])):
            await super()._publish_retained_messages_for_subscription(subscription, session)

    async def _retain_broadcast_message(self, broadcast: dict[str, Any], qos: int, target_session: Session) -> None:
        """Keep a message for a client that is away, up to a bound; after it, the newest are lost, as Mosquitto does."""
        waiting, own = target_session.retained_messages.qsize(), target_session.attributes
        waiting_bytes = (own.get("waiting_bytes", 0) if waiting else 0) + len(broadcast["data"])
        if waiting < MAX_OFFLINE_MESSAGES and waiting_bytes <= MAX_OFFLINE_BYTES:
            own["waiting_bytes"] = waiting_bytes
            await super()._retain_broadcast_message(broadcast, qos, target_session)
        elif not target_session.attributes.setdefault("said_full", False):
            target_session.attributes["said_full"] = True
            log.warning("%s is away with %d messages waiting; more are dropped", target_session.client_id, waiting)

    async def shutdown(self) -> None:
        """Close every connection, also those that never said who they are, and the listener."""
        for server in self._servers.values():
            server.instance.close()
        connections = list(self._connections.values())
        for connection in connections:
            connection.transport.abort()
        if connections:
            await asyncio.wait([connection.task for connection in connections], timeout=END_WITHIN_S)
        await super().shutdown()
