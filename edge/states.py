"""What an agent says of itself and its places, retained: of each topic the newest, and all of it anew at each connection."""

import asyncio
from datetime import datetime
from importlib.metadata import version

import aiomqtt

from broker_config.messages import Data, EdgeDescription, EdgeState
from edge.broker_link import heeded
from edge.clock import to_datetime
from edge.config import EdgeConfig
from edge.events import Announcer
from edge.health import Health
from edge.outbox import Outbox
from readers.model import ClockNs

MAX_GENERATIONS = 100  # told at birth, the newest


class States:
    """The agent's retained messages.

    Args:
        health: its changes are told at once.
    """

    def __init__(
        self, config: EdgeConfig, announcer: Announcer, outbox: Outbox, health: Health, clock_ns: ClockNs
    ) -> None:
        self.session = ""
        """Of the connection."""
        self.started_at: datetime | None = None
        """Since when the agent knows who is where, by this start's clock; None until that can be dated."""
        self._config, self._announcer, self._outbox = config, announcer, outbox
        self._health, self._clock_ns = health, clock_ns
        self._payloads: dict[str, bytes] = {}  # the newest, by topic
        self._unsent: dict[str, None] = {}  # their topics, in the order of change
        self._wake = asyncio.Event()
        self._sessions = 0
        health.on_change = self._announce_health

    def date(self, started_ns: int | None) -> None:
        """The server's time is known: from now on say since when we know who is where.

        Not before: a birth that waits in the broker with its age alone would be dated by its arrival, and whoever came in
        meanwhile would count as seen by an earlier start.

        Args:
            started_ns: by this start's clock; None: nobody knows how wrong the clock was that said so.
        """
        if self.started_at is None and started_ns is not None:
            self.started_at = to_datetime(started_ns)
            self._announce_health()

    def next_session(self) -> str:
        """The number of a connection, or of a post: higher than any this agent has had."""
        self._sessions += 1
        return f"{self._outbox.starts:08x}{self._sessions:08x}"

    def show(self, data: Data, subject: str, **levels: str) -> None:
        """Publish a retained state now, and again at each connection; only the newest of a topic is sent."""
        topic, payload = self._announcer.passing(data, subject, **levels)
        self._payloads[topic] = payload
        self._unsent[topic] = None
        self._wake.set()

    def introduce(self) -> None:
        """Say what we are and how our devices are; with the states already known these make the birth message."""
        agent, zones = self._config.agent, tuple(z.id for z in self._config.site.zones if z.agent == self._config.agent)
        software = f"tacet {version('tacet')}"
        self.show(EdgeDescription(software=software, zones=zones, devices=self._health.devices), agent, agent=agent)
        self._announce_health()
        self._unsent = dict.fromkeys(self._payloads)
        self._wake.set()

    def own(self, state: str) -> tuple[str, bytes]:
        """Topic and payload that say so of the agent itself: for its will and its good-bye."""
        return self._announcer.passing(self._state(state), self._config.agent, agent=self._config.agent)

    async def send(self, client: aiomqtt.Client) -> None:
        """Send what changes, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._unsent:
                topic = next(iter(self._unsent))
                del self._unsent[topic]
                await heeded(client.publish(topic, self._payloads[topic], qos=1, retain=True))

    def _announce_health(self) -> None:
        self.show(self._state(self._health.state), self._config.agent, agent=self._config.agent)

    def _state(self, state: str) -> EdgeState:
        return EdgeState(
            state=state,
            session=self.session,
            since=to_datetime(self._clock_ns()),
            devices=self._health.devices,
            started=self.started_at,
            generation=self._outbox.generation,
            generations=self._outbox.generations[-MAX_GENERATIONS:],
        )
