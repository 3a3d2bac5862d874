"""What agents, displays, actuators and shelves last said of themselves.  In memory: the broker retains it and tells it again."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from broker_config.messages import (
    ActuatorState,
    Data,
    Device,
    DisplayState,
    EdgeDescription,
    EdgeState,
    EdgeStats,
    ShelfState,
    ZoneCoverage,
)
from broker_config.site import ActuatorId, AgentId, DisplayId, ShelfId, Site, ZoneId
from server.feed import Feed, Happening

log = logging.getLogger(__name__)
RUNNING = ("ready", "alert")


@dataclass(frozen=True, slots=True)
class AgentView:
    """An agent as last heard; `state` is `unknown` before that."""

    agent: AgentId
    state: str = "unknown"
    since: datetime | None = None
    session: str = ""
    generations: tuple[str, ...] = ()
    software: str = ""
    devices: tuple[Device, ...] = ()
    stats: EdgeStats | None = None


@dataclass(frozen=True, slots=True)
class DisplayView:
    """A display as last heard; `refused`: orders that came to it and were not ours."""

    display: DisplayId
    state: str = "unknown"
    since: datetime | None = None
    session: str = ""
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """A zone's readers: `covered` None where no agent spoke of the zone; `since` None where nobody can tell."""

    covered: bool | None
    since: datetime | None


class Fleet:
    """The latest word of every device."""

    def __init__(self, site: Site, feed: Feed) -> None:
        self.agents = {agent: AgentView(agent) for agent in site.agents}
        self.displays = {DisplayId(d.id): DisplayView(DisplayId(d.id)) for d in site.displays}
        self.actuators: dict[ActuatorId, ActuatorState] = {}
        self.shelves: dict[ShelfId, ShelfState] = {}
        self._owners = {ZoneId(zone.id): AgentId(zone.agent) for zone in site.zones}
        self._coverage: dict[ZoneId, ZoneCoverage] = {}
        self._feed = feed

    def coverage(self, zone: ZoneId) -> Coverage:
        """Whether the zone's readers deliver.  What an agent that has gone said of its zones no longer holds."""
        said, agent = self._coverage.get(zone), self.agents[self._owners[zone]]
        if said is None:
            return Coverage(None, None)
        if agent.state not in RUNNING:
            return Coverage(False, agent.since if agent.state == "disconnected" else None)
        return Coverage(said.covered, said.since)

    def hear(self, data: Data, owner: str, at: datetime) -> bool:
        """Take note of a state message; true when it is an agent's birth, which is when it wants to be told things again.

        Args:
            owner: the agent's or display's id, from the topic.
        """
        match data:
            case EdgeState():
                return self._hear_agent(AgentId(owner), data)
            case EdgeDescription():
                agent = AgentId(owner)
                self.agents[agent] = replace(self.agents[agent], software=data.software)
            case EdgeStats():
                agent = AgentId(owner)
                self.agents[agent] = replace(self.agents[agent], stats=data)
            case DisplayState():
                self._hear_display(DisplayId(owner), data)
            case ShelfState():
                self.shelves[data.shelf] = data
                facts: dict[str, object] = {"grams": data.grams, "items": data.items, "sensor": data.sensor}
                self._feed.publish(Happening("shelf", "state", at, data.shelf, facts))
            case ZoneCoverage():
                self._coverage[data.zone] = data
            case ActuatorState():
                self.actuators[data.actuator] = data
                self._feed.publish(
                    Happening("actuator", "state", at, data.actuator, {"on": data.on, "link": data.link})
                )
        return False

    def _hear_agent(self, agent: AgentId, said: EdgeState) -> bool:
        before = self.agents[agent]
        if said.state == "lost" and before.session and said.session != before.session:
            return False  # the last will of a connection that a newer one has replaced
        devices = said.devices or before.devices
        generations = said.generations or before.generations
        self.agents[agent] = replace(
            before, state=said.state, since=said.since, session=said.session, devices=devices, generations=generations
        )
        if said.state != before.state:
            self._feed.publish(Happening("agent", said.state, said.since, agent))
        return said.state in RUNNING and said.session != before.session

    def _hear_display(self, display: DisplayId, said: DisplayState) -> None:
        before = self.displays[display]
        if said.state == "lost" and before.session and said.session != before.session:
            return
        self.displays[display] = DisplayView(display, said.state, said.since, said.session, said.refused)
        if said.state != before.state:
            self._feed.publish(Happening("display", said.state, said.since, display))
        if said.refused > before.refused:
            log.warning("display %s refused %d orders that this server had not signed for it", display, said.refused)
