"""The server's clock was ahead, and is right again at its next start; an agent's clock is ahead all the time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker_config.errors import ConfigError
from broker_config.messages import ItemArrived, MembersOffered
from broker_config.service_notify import ServiceNotifier
from broker_config.site import AgentId, load_site
from server.clock import NS_PER_S, to_datetime
from server.config import load_config
from server.link import Incoming
from server.members.tables import LEASE_NS
from server.runtime import opened
from server.state import ServerState
from server.waiting import clock_is_set
from tests.server.harness import EVIDENCE, NOON_NS, RIVER, Clock, Edge, token
from tests.support.member_tables import unpack_members

DAY_S = 24 * 3600.0
ITEM = "3034257bf400cb0000000001"


@asynccontextmanager
async def started_again(store: Path, clock: Clock) -> AsyncIterator[ServerState]:
    async with opened(load_config(store / "server.toml"), load_site(store / "site.toml"), clock) as state:
        yield state


def seen(edge: Edge, zone: str) -> Incoming:
    at = to_datetime(edge.clock())
    return edge.event(ItemArrived(zone=zone, epc=ITEM, detected_at=at, last_read_at=at, evidence=EVIDENCE), zone=zone)


async def test_a_server_whose_clock_was_never_set_does_not_start_and_loses_nothing(edge, state, store, clock):
    """It took what agents say, put right by its clock, for messages of before 1970: set aside, acknowledged, lost."""
    with pytest.raises(ConfigError, match="clock shows 1970-01-01, so it was never set"):
        async with started_again(store, Clock(now_ns=60 * NS_PER_S)):
            pass
    async with started_again(store, clock) as again:
        later = Edge(again, clock, seqs=edge.seqs)
        await later.deliver(seen(later, "shoes"))
        assert again.items.counts() == {"shoes": 1}


async def test_a_start_waits_for_a_clock_that_was_never_set_and_says_so_once(caplog, monkeypatch):
    monkeypatch.setattr("server.waiting.LOOK_EVERY_S", 0.0)
    shows = [60 * NS_PER_S, 61 * NS_PER_S, NOON_NS]
    await clock_is_set(ServiceNotifier(), lambda: shows.pop(0))
    assert not shows
    assert [record.getMessage().count("never set") for record in caplog.records] == [1]


async def test_goods_and_people_move_on_after_the_servers_clock_was_set_back(edge, state, store, clock):
    await edge.deliver(seen(edge, "shoes"))
    await edge.visit(RIVER, "door", token(1))
    clock.pass_s(-DAY_S)
    async with started_again(store, clock) as again:
        later = Edge(again, clock, seqs=edge.seqs)
        clock.pass_s(1)
        await later.deliver(seen(later, "till"))
        await later.visit(RIVER, "shoes", token(1))
        assert (again.items.counts(), again.visits.counts()) == ({"till": 1}, {"shoes": 1})


async def test_a_table_leased_by_a_clock_that_was_ahead_is_leased_anew_once(edge, state, store, clock):
    clock.pass_s(-DAY_S)
    async with started_again(store, clock) as again:
        later = Edge(again, clock)
        for offers in (1, 0):
            async with again.ledger.transaction() as work:
                await again.member_tables.renew_aged(work)
            assert len(later.sent(MembersOffered)) == offers
        _, data = await again.member_tables.table(AgentId("gw-1"))
        assert unpack_members(data).leased_until_ns == clock() + LEASE_NS


async def test_who_comes_back_is_there_though_the_agents_clock_was_ahead_when_they_left(edge, state, store, clock):
    """Its events say by how much; what is read back at a start has to be put right as well."""
    day_ms = round(DAY_S * 1000)

    def ahead(message: Incoming) -> Incoming:
        payload = message.payload[:-1] + f',"clockms":{-day_ms}}}'.encode()
        return Incoming(message.topic, payload, message.received_ns - day_ms * 1_000_000)

    handle = await edge.handle_of(RIVER)
    clock.pass_s(DAY_S)
    messages = [edge.entered("shoes", handle, token(1)), edge.left("shoes", token(1))]
    clock.pass_s(-DAY_S)
    await edge.deliver(*map(ahead, messages))
    async with started_again(store, clock) as again:
        later = Edge(again, clock, seqs=edge.seqs)
        clock.pass_s(DAY_S + 5)
        back = later.entered("shoes", handle, token(1))
        clock.pass_s(-DAY_S)
        await later.deliver(ahead(back))
        assert again.visits.counts() == {"shoes": 1}
