"""The connection to the broker: events out of the outbox, states, statistics; acknowledgements and commands in.

Nothing durable waits in the MQTT library: a lost connection loses nothing, since the outbox still has it.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import aiomqtt

from broker_config.backoff import Backoff
from broker_config.heartbeats import Heartbeats
from broker_config.link_certificate import LinkCertificate
from broker_config.messages import (
    ActuatorCommand,
    Data,
    EdgeAck,
    EdgeDropped,
    EdgeQuarantined,
    HostState,
    MembersOffered,
    TransactionSettled,
    VisitEnded,
)
from broker_config.topics import BY_NAME, filters_for
from edge.backlog import Backlog, Message
from edge.broker_link import hear, heeded, lost_link, make_client
from edge.config import EdgeConfig
from edge.delivery import IN_FLIGHT, Delivery
from edge.events import Announcer
from edge.health import Health
from edge.outbox import Outbox
from edge.outbox_rows import DropRange, Row
from edge.salvage_delivery import deliver_salvaged
from edge.states import States
from edge.uplink_handlers import Handlers
from readers.model import ClockNs

log = logging.getLogger(__name__)
STATS_EVERY_S = 5.0
CHECK_EVERY_S = 0.5
GOODBYE_S = 1.0
STUCK_S = 90.0  # longer than each packet of a connection may take, and the outbox on a busy disk
QUARANTINED_S = 20.0, 40.0  # between connections: at most three a minute for two agents, by turns


class Uplink:
    """One agent's side of the bus.

    Args:
        heartbeats: where its connection shows that it goes on; without one it rests.
    """

    def __init__(
        self,
        config: EdgeConfig,
        announcer: Announcer,
        outbox: Outbox,
        health: Health,
        handlers: Handlers,
        clock_ns: ClockNs,
        *,
        check_every_s: float = CHECK_EVERY_S,
        heartbeats: Heartbeats | None = None,
    ) -> None:
        self._heartbeat = (heartbeats or Heartbeats()).add("uplink", STUCK_S)
        self.delivery = Delivery()
        self._config, self._announcer, self._outbox = config, announcer, outbox
        self._health, self._handlers, self._clock_ns, self._check_every_s = health, handlers, clock_ns, check_every_s
        self._now_s = asyncio.get_running_loop().time
        self.states = States(config, announcer, outbox, health, clock_ns)
        self.quarantined = False
        """The server holds two agents for this one."""
        self._trouble = ""
        self._away_since_s: float | None = self._now_s()
        self._host = ""  # the server's session
        self._certificate = LinkCertificate(config.broker, partial(health.warn, "broker.tls", "certificate"))
        self._wake_live, self._backlog = asyncio.Event(), Backlog(outbox, announcer, self.delivery)
        self._declared: list[DropRange] = []
        outbox.on_commit = self._committed

    @property
    def away_s(self) -> float:
        """For how long there has been no broker."""
        return 0.0 if self._away_since_s is None else self._now_s() - self._away_since_s

    async def run(self) -> None:
        """Stay connected for ever; a broker that is away is retried with growing delays."""
        backoff = Backoff.among(len({zone.agent for zone in self._config.site.zones}))
        while True:
            self._heartbeat.rest()  # a name server that is away may take more than a minute to be given up
            # A task of its own: a group that breaks and is cancelled at once would swallow our cancellation.
            connection = asyncio.create_task(self._stay(backoff), name="connection")
            try:
                await asyncio.wait([connection])
            finally:
                connection.cancel()
                await asyncio.wait([connection])
            connection.result()
            await asyncio.sleep(random.uniform(*QUARANTINED_S) if self.quarantined else backoff.next_delay_s())  # noqa: S311

    async def _stay(self, backoff: Backoff) -> None:
        """One connection, from its first packet to its loss."""
        address = f"{self._config.broker.host}:{self._config.broker.port}"
        self.states.session = self.states.next_session()
        try:
            async with self._connect() as client:
                log.info("broker %s: connected", address)
                backoff.reset()
                self._trouble = ""
                await self._serve(client)
        except aiomqtt.MqttError as error:
            is_news = str(error) != self._trouble  # the same trouble is said once
            self._trouble = str(error)
            why = await self._certificate.explain(str(error)) if is_news else str(error)
            log.log(logging.WARNING if is_news else logging.DEBUG, "broker %s: %s; trying again", address, why)
        finally:
            if self.delivery.connected:
                self._health.tally.link_losses += 1
                self.delivery.link_down()
                self._away_since_s = self._now_s()
                self._handlers.link_lost()

    def _connect(self) -> aiomqtt.Client:
        will = aiomqtt.Will(*self.states.own("lost"), qos=1, retain=True)
        tls = self._certificate.context()
        return make_client(self._config.broker, self._config.credential, will, tls, self._health.outgoing)

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Everything that goes on while a connection stands.

        Raises:
            aiomqtt.MqttError: it is lost.
        """
        _, subscribe = filters_for("agent", self._config.site, self._config.agent)
        await heeded(client.subscribe([(topic, 1) for topic in subscribe]))
        self.states.introduce()
        self.delivery.link_up(self._outbox.acked_upto, self._now_s())
        self._away_since_s = None
        self._declared = []
        self._backlog.begin_anew()
        # New for each connection: a publisher that is cancelled before its first step gives no slot back.
        slots, backlog_slots = asyncio.Semaphore(IN_FLIGHT), asyncio.Semaphore(IN_FLIGHT // 2)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._receive(client), name="receive")
                tasks.create_task(self.states.send(client), name="states")
                tasks.create_task(self._send_live(client, tasks, slots), name="live")
                tasks.create_task(self._send_backlog(client, tasks, slots, backlog_slots), name="backlog")
                tasks.create_task(self._send_stats(client), name="stats")
                tasks.create_task(self._check(client), name="check")
                tasks.create_task(self._send_salvaged(client), name="salvaged")
                tasks.create_task(self._certificate.watch(), name="certificate")
        except BaseExceptionGroup as group:
            raise lost_link(group) from group
        except asyncio.CancelledError:
            await self._say_goodbye(client)
            raise

    async def _say_goodbye(self, client: aiomqtt.Client) -> None:
        """Leave `disconnected` behind; a broker that does not answer must not hold up the stop."""
        topic, payload = self.states.own("disconnected")
        client.timeout = GOODBYE_S
        with suppress(aiomqtt.MqttError):
            await client.publish(topic, payload, qos=1, retain=True)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            heard = hear(message, self._config.credential, self._health)
            if heard is not None and not self._handlers.is_over(heard[0]):
                await self._take(heard[0].data, heard[1])

    async def _take(self, data: Data, level: str) -> None:
        match data:
            case EdgeAck():
                await self.acknowledge(data)
            case ActuatorCommand():
                self._handlers.command(level, data)
            case MembersOffered():
                self._handlers.members_offered(data.version)
            case VisitEnded():
                self._handlers.visits_ended(data)
            case TransactionSettled():
                self._handlers.settled(data)
            case HostState():
                self._hear_host(data)
                self._handlers.host(data)
            case EdgeQuarantined():
                self.hear_quarantine(data)
            case _:
                self._health.tally.bad_messages += 1

    def _hear_host(self, said: HostState) -> None:
        """A server that comes back has lost what was on its way to it: send that again now, and not when patience ends."""
        if said.state == "ready" and said.session != self._host:
            if self._host:
                self.delivery.start_over(self._now_s())
            self._backlog.begin_anew()
            self._host = said.session

    def hear_quarantine(self, said: EdgeQuarantined) -> None:
        """Two agents push each other off the broker: each comes back rarely, as long as the server says so."""
        if said.quarantined and not self.quarantined:
            log.error("two agents run under this name (%s): switch one off, then: tacet server clones", said.why)
        self.quarantined = said.quarantined

    async def acknowledge(self, ack: EdgeAck) -> None:
        """The server's word after a commit, by whichever way it came."""
        word = await self._outbox.acknowledge(ack)
        if word is not None:
            self.delivery.acknowledged(word, self._now_s())
            self._backlog.heard(together=ack.together)

    def _committed(self, rows: Sequence[Row]) -> None:
        self.delivery.committed(rows, self._now_s())
        self._wake_live.set()
        if self.delivery.backlog_due:
            self._backlog.wake.set()

    async def _send_live(self, client: aiomqtt.Client, tasks: asyncio.TaskGroup, slots: asyncio.Semaphore) -> None:
        await self._handlers.may_send()
        while True:
            await self._wake_live.wait()
            self._wake_live.clear()
            while (row := self.delivery.next_live()) is not None:
                await slots.acquire()
                tasks.create_task(self._publish(client, row, [slots]), name=f"publish {row.seq}")

    async def _send_backlog(
        self,
        client: aiomqtt.Client,
        tasks: asyncio.TaskGroup,
        slots: asyncio.Semaphore,
        backlog_slots: asyncio.Semaphore,
    ) -> None:
        both = [slots, backlog_slots]

        async def publish(what: Message | Row) -> None:
            await backlog_slots.acquire()
            await slots.acquire()
            handing = (
                self._publish(client, what, both) if isinstance(what, Row) else self._hand_over(client, what, both)
            )
            tasks.create_task(handing, name="publish backlog")

        await self._handlers.may_send()
        await self._backlog.send(publish)

    async def _publish(self, client: aiomqtt.Client, row: Row, slots: Sequence[asyncio.Semaphore]) -> None:
        await self._hand_over(client, (row.topic, self._backlog.as_sent(row)), slots)

    async def _hand_over(self, client: aiomqtt.Client, message: Message, slots: Sequence[asyncio.Semaphore]) -> None:
        try:
            await client.publish(*message, qos=1)
        finally:
            for slot in slots:
                slot.release()

    async def _send_stats(self, client: aiomqtt.Client) -> None:
        agent = self._config.agent
        while True:
            topic, payload = self._announcer.passing(self._handlers.stats(), agent, agent=agent)
            await heeded(client.publish(topic, payload, qos=BY_NAME["edge_stats"].qos))
            await asyncio.sleep(STATS_EVERY_S)

    async def _check(self, client: aiomqtt.Client) -> None:
        """Send again what the server does not acknowledge, and declare what will never come."""
        while True:
            self._heartbeat.beat()
            overdue = self.delivery.check_overdue(self._now_s())
            if overdue:
                self._backlog.wake.set()
            drops = await self._outbox.drops()
            if drops != self._declared or overdue:
                await self._declare(client, drops)
            await asyncio.sleep(self._check_every_s)

    async def _send_salvaged(self, client: aiomqtt.Client) -> None:
        publish = partial(client.publish, qos=1)
        await deliver_salvaged(self._outbox, publish, partial(self._say_dropped, client))

    async def _declare(self, client: aiomqtt.Client, drops: list[DropRange]) -> None:
        for drop in drops:
            for place in self._outbox.places(drop.first, drop.last):
                data = EdgeDropped(
                    generation=place.generation, first=place.first, last=place.last, event_class=drop.event_class
                )
                await self._say_dropped(client, data)
                self._heartbeat.beat()  # there may be thousands, each with its answer
        self._declared = drops

    async def _say_dropped(self, client: aiomqtt.Client, dropped: EdgeDropped) -> None:
        agent = self._config.agent
        topic, payload = self._announcer.passing(dropped, agent, agent=agent)
        await heeded(client.publish(topic, payload, qos=1))
