"""Two agents under one identity: a disk that was copied, and runs twice.

Each start of an agent speaks in a generation of its own, under session numbers that only grow.  A restart, and a disk put
back from a backup, end the earlier generation for ever.  So a generation that speaks anew, in a session not heard before,
after another one has begun to speak for the same agent, is alive beside it: that is no restart.  From then on nobody can
say which of the two stands in this store.  What both say is stored and acknowledged, and has no effect, until the owner has
taken one of them away and says so.
"""

import logging
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from broker_config.messages import EdgeQuarantined
from broker_config.site import AgentId
from server.errors import NotFound
from server.feed import Happening
from server.link import Link
from server.tables import QuarantineRow, SpeakerRow
from server.work import Work

log = logging.getLogger(__name__)
KEPT_SPEAKERS = 20
"""Of each agent, the newest; an older one that speaks again would be taken for a new start."""


@dataclass(frozen=True, slots=True)
class Speech:
    """That a process has spoken for an agent.

    Args:
        session: as the agent numbers them; compares as text.
        spoken_ns: what waited in a broker was said long before it came, perhaps by a start that has ended since.
    """

    agent: AgentId
    generation: str
    session: str
    received_ns: int
    spoken_ns: int


@dataclass(slots=True)
class Speaker:
    """A process that has spoken for an agent: its newest session, and when it was first heard."""

    generation: str
    session: str
    first_ns: int


class Clones:
    """Who has spoken for each agent, and which agents are in quarantine."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._speakers: dict[AgentId, list[Speaker]] = {}  # in the order of their first word
        self._why: dict[AgentId, str] = {}

    async def load(self, session: AsyncSession) -> None:
        """Read who has spoken."""
        self._speakers = {}
        for row in await session.scalars(select(SpeakerRow).order_by(SpeakerRow.first_ns)):
            speaker = Speaker(row.generation, row.session, row.first_ns)
            self._speakers.setdefault(AgentId(row.agent), []).append(speaker)
        self._why = {AgentId(row.agent): row.why for row in await session.scalars(select(QuarantineRow))}

    def quarantined(self, agent: AgentId) -> bool:
        """Whether what this agent says has no effect."""
        return agent in self._why

    @property
    def agents(self) -> dict[AgentId, str]:
        """Those in quarantine, and why."""
        return dict(self._why)

    async def hear(self, work: Work, speech: Speech) -> bool:
        """Take note of who speaks; true when that shows that there are two."""
        agent = speech.agent
        speakers = self._speakers.setdefault(agent, [])
        known = next((each for each in speakers if each.generation == speech.generation), None)
        if known is None:
            await self._add(work, speech)
            return False
        if speech.session <= known.session:
            return False  # told again: by the broker after a lost connection, or in a retried call
        newest = speakers[-1]
        known.session = speech.session
        _write(work, agent, known)
        if known is newest or speech.spoken_ns <= newest.first_ns or agent in self._why:
            return False
        self._quarantine(work, agent, known, newest)
        return True

    def tell(self, agent: AgentId) -> None:
        """Tell whoever is connected under this agent's name whether it is in quarantine."""
        said = EdgeQuarantined(quarantined=agent in self._why, why=self._why.get(agent, ""))
        self._link.send(said, agent=agent)

    async def release(self, work: Work, agent: AgentId) -> None:
        """The owner has seen to it that there is one only; whoever speaks next is that one.

        Raises:
            NotFound: it is not in quarantine.
        """
        if agent not in self._why:
            raise NotFound(f"agent {agent!r} is not in quarantine")
        del self._why[agent]
        self._speakers.pop(agent, None)
        for table in (QuarantineRow, SpeakerRow):
            await work.session.execute(delete(table).where(table.agent == agent))
        work.send(EdgeQuarantined(quarantined=False), agent=agent)
        work.happenings.append(Happening("agent", "released", work.now, agent))
        log.warning("agent %s is released from quarantine", agent)

    @property
    def alarm(self) -> str | None:
        """What the owner has to do."""
        if not self._why:
            return None
        names = ", ".join(sorted(self._why))
        return (
            f"two agents run under one identity: {names}; what they say is stored and has no effect.  Switch the copy off, give "
            f"the agent a new credential (tacet broker add agent NAME --force), then: tacet server clones --release {min(self._why)}"
        )

    async def _add(self, work: Work, speech: Speech) -> None:
        agent, speakers = speech.agent, self._speakers[speech.agent]
        speakers.append(Speaker(speech.generation, speech.session, speech.received_ns))
        _write(work, agent, speakers[-1])
        for old in speakers[:-KEPT_SPEAKERS]:
            gone = SpeakerRow.agent == agent, SpeakerRow.generation == old.generation
            await work.session.execute(delete(SpeakerRow).where(*gone))
        del speakers[:-KEPT_SPEAKERS]

    def _quarantine(self, work: Work, agent: AgentId, one: Speaker, other: Speaker) -> None:
        why = f"generations {one.generation} and {other.generation} speak by turns"
        self._why[agent] = why
        work.write(QuarantineRow, agent=agent, since_ns=max(one.first_ns, other.first_ns), why=why)
        work.happenings.append(Happening("agent", "quarantined", work.now, agent))
        log.error("agent %s is there twice (%s): %s", agent, why, self.alarm)


def _write(work: Work, agent: AgentId, speaker: Speaker) -> None:
    work.write(
        SpeakerRow, agent=agent, generation=speaker.generation, session=speaker.session, first_ns=speaker.first_ns
    )
