"""How the agent speaks MQTT: the client's settings, and what an incoming message must be."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable
from typing import Any, TypeVar

import aiomqtt

from broker_config.command_mac import NotAuthentic, open_command
from broker_config.errors import MessageError
from broker_config.identity import Credential
from broker_config.length_guard import LengthGuard
from broker_config.messages import Data, Envelope, decode
from broker_config.mqtt_client import fail_fast
from broker_config.topics import parse_topic
from edge.config_parts import BrokerAddress
from edge.delivery import IN_FLIGHT
from edge.health import Health

log = logging.getLogger(__name__)
T = TypeVar("T")
KEEPALIVE_S = 10  # paho gives a silent connection up after twice that
TIMEOUT_S = 10.0
CONNECT_S = 3.0  # for TCP alone; a stop waits for the thread that does it
MAX_INCOMING = 1000
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # without it p99 is 17 ms instead of 0.7


class GuardedClient(aiomqtt.Client):
    """Holds back what is too long for the broker, which would end the connection, this one and each after it.

    Args:
        guard: counts it, over all connections.
    """

    def __init__(self, *arguments: Any, guard: LengthGuard, **options: Any) -> None:  # noqa: ANN401 - aiomqtt's own
        super().__init__(*arguments, **options)
        self._guard = guard

    async def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> None:  # type: ignore[override]
        """Send a message, and wait for the broker's answer where there is one."""
        if not self._guard.refuses(topic, payload):
            await super().publish(topic, payload, qos=qos, retain=retain)


def make_client(
    broker: BrokerAddress,
    credential: Credential,
    will: aiomqtt.Will,
    tls_context: ssl.SSLContext | None,
    guard: LengthGuard,
) -> aiomqtt.Client:
    """A client that is not connected yet.  Its queues are bounded; nothing durable waits in them."""
    client = GuardedClient(
        broker.host,
        broker.port,
        username=credential.user,
        password=credential.password,
        identifier=credential.user,
        protocol=aiomqtt.ProtocolVersion.V311,
        clean_session=False,  # what ended a visit while we were away must still reach us
        will=will,
        tls_context=tls_context,
        timeout=TIMEOUT_S,
        keepalive=KEEPALIVE_S,
        max_queued_incoming_messages=MAX_INCOMING,
        max_queued_outgoing_messages=IN_FLIGHT * 4,
        max_inflight_messages=IN_FLIGHT * 2,
        socket_options=[NO_DELAY],
        logger=log,
        guard=guard,
    )
    client.pending_calls_threshold = IN_FLIGHT * 4
    fail_fast(client)
    client._client.connect_timeout = CONNECT_S  # noqa: SLF001 - aiomqtt offers no way to set paho's
    return client


async def heeded(call: Awaitable[T]) -> T:
    """The call's result, unless this task was cancelled meanwhile.

    aiomqtt waits by `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that comes with the answer.
    """
    result = await call
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return result


def lost_link(group: BaseExceptionGroup[BaseException]) -> aiomqtt.MqttError:
    """Why the connection ended, of all that its tasks raised then.

    Raises:
        BaseExceptionGroup: there is a bug among it.
    """
    lost, bugs = group.split(aiomqtt.MqttError)
    if bugs is not None or lost is None:
        raise group
    return aiomqtt.MqttError(str(lost.exceptions[0]))


def hear(message: aiomqtt.Message, credential: Credential, health: Health) -> tuple[Envelope[Data], str] | None:
    """As `understand`; None, and counted, where the message is not one to act on."""
    try:
        return understand(message, credential)
    except NotAuthentic as error:
        health.refuse_order(message.topic.value, str(error))
    except MessageError as error:
        health.tally.bad_messages += 1
        log.warning("message on %s ignored: %s", message.topic, error)
    return None


def understand(message: aiomqtt.Message, credential: Credential) -> tuple[Envelope[Data], str]:
    """The envelope of a message and the variable level of its topic.

    Raises:
        NotAuthentic: an order that the server has not signed for us.
        MessageError: no message of ours, or one that does not belong on its topic, or an order that a broker kept.
    """
    if not isinstance(message.payload, bytes):
        raise MessageError("no bytes")
    found = parse_topic(message.topic.value)
    if found is None:
        raise MessageError("no topic of ours")
    row, _, level = found
    payload = message.payload
    if row.signed:
        payload = open_command(
            message.topic.value, payload, credential.user, bytes.fromhex(credential.command_key or "")
        )
    if message.retain and not row.retained:
        raise MessageError("an order of the past: it was retained, which the server never asks for")
    envelope = decode(payload)
    if row.name != envelope.data.topic:
        raise MessageError(f"{envelope.type} does not belong on this topic")
    return envelope, level
