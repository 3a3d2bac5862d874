"""An agent without readers: says on the bus what a test wants a store to have seen."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiomqtt
import httpx

from broker_config.identity import Credential, seal_handle, siphash_2_4_128
from broker_config.member_table import RECORD_BYTES
from broker_config.messages import (
    Data,
    Device,
    EdgeState,
    EdgeStats,
    Envelope,
    Evidence,
    SensorReport,
    VisitEntered,
    VisitLeft,
    encode,
)
from broker_config.site import Site
from broker_config.topics import BY_NAME, topic_for
from tests.support.brokers import TestBroker
from tests.support.member_tables import unpack_members
from tests.support.patience import WAIT_S

EVIDENCE = Evidence(reads=9, rssi_dbm=-51.5, margin_db=8.0)


class FakeAgent:
    """`gw-1` of the demo store, its events numbered from 1."""

    def __init__(self, client: aiomqtt.Client, credential: Credential, site: Site) -> None:
        self._client, self._credential, self._site = client, credential, site
        self._generation, self._seq, self._session = secrets.token_hex(8), 0, secrets.token_hex(8)
        self._handles: dict[bytes, bytes] = {}

    async def fetch_members(self, url: str) -> None:
        """Take the member table, as an agent does."""
        async with httpx.AsyncClient(
            base_url=url, auth=(self._credential.user, self._credential.password), timeout=WAIT_S
        ) as client:
            table = unpack_members(
                (await client.get(f"/api/edge/{self._credential.id}/members")).raise_for_status().content
            )
        for start in range(0, len(table.records), RECORD_BYTES):
            record = table.records[start : start + RECORD_BYTES]
            self._handles[record[:16]] = record[16:]

    async def say(self, data: Data, **levels: str) -> None:
        """Publish one message; a durable one with its number."""
        row, event_id = BY_NAME[data.topic], secrets.token_hex(8)
        numbered: dict[str, str] = {}
        if row.durable:
            self._seq += 1
            event_id = self.next_id(0)
            numbered = {"gateway": self._credential.id, "generation": self._generation, "seq": str(self._seq)}
        envelope = Envelope(
            specversion="1.0", id=event_id, source="/tacet/demo/edge/gw-1", type=data.type_name, time=now(), sim=True, data=data, **numbered
        )  # fmt: skip
        await self._client.publish(
            topic_for(data.topic, self._site.id, **levels), encode(envelope), row.qos, row.retained
        )

    def next_id(self, ahead: int = 1) -> str:
        """The id of a coming durable event."""
        return f"{self._credential.id}.{self._generation}.{self._seq + ahead}"

    async def enter(self, visit: str, card: str, zone: str) -> None:
        """A member with this card comes into a zone."""
        handle = self._handles[siphash_2_4_128(bytes.fromhex(str(self._credential.match_key)), bytes.fromhex(card))]
        who = seal_handle(bytes.fromhex(str(self._credential.seal_key)), handle, self.next_id())
        entered = VisitEntered(
            zone=zone, visit=visit, who=who, detected_at=now(), last_read_at=now(), evidence=EVIDENCE
        )
        await self.say(entered, zone=zone)

    async def leave(self, visit: str, zone: str) -> None:
        """The visit is no longer in the zone."""
        left = VisitLeft(zone=zone, visit=visit, detected_at=now(), last_read_at=now(), dwell_s=4.2, reason="moved")
        await self.say(left, zone=zone)

    async def be(self, state: str, devices: tuple[Device, ...] = ()) -> None:
        """Say the agent's own state."""
        said = EdgeState(state=state, session=self._session, since=now(), devices=devices)
        await self.say(said, agent=self._credential.id)

    async def count(self, reads: int, reads_per_s: float, outbox: int, sensors: tuple[SensorReport, ...] = ()) -> None:
        """Say the agent's counters."""
        stats = EdgeStats(
            reads=reads, reads_per_s=reads_per_s, present_items=0, present_visits=0, strays=14, bad_frames=0, dropped_reads=0,
            events=self._seq, outbox=outbox, dropped_events=0, members_version=1, member_lease_s=259_200,
            sensors=sensors,
        )  # fmt: skip
        await self.say(stats, agent=self._credential.id)


@asynccontextmanager
async def fake_agent(broker: TestBroker, site: Site) -> AsyncIterator[FakeAgent]:
    """The agent, connected."""
    async with broker.client("agent-gw-1") as client:
        yield FakeAgent(client, broker.credential("agent-gw-1"), site)


def now() -> datetime:
    return datetime.now(UTC)
