"""Whether a zone is covered: its agent's own word, as long as the agent is there to stand by it."""

import pytest

from broker_config.messages import EdgeState, ZoneCoverage
from server.clock import to_datetime
from server.metrics import ServerCollector
from server.summary import status
from tests.server.harness import NOON_NS, Edge

SINCE = to_datetime(NOON_NS - 90_000_000_000)


def said(edge: Edge, covered: bool):
    return edge.said(ZoneCoverage(zone="shoes", covered=covered, since=SINCE), zone="shoes")


def be(edge: Edge, state: str):
    return edge.said(EdgeState(state=state, session="s", since=to_datetime(NOON_NS)), agent="gw-1")


def shoes(state) -> tuple[object, ...]:
    (zone,) = [zone for zone in status(state).zones if zone.zone == "shoes"]
    return zone.covered, zone.covered_since


async def test_nobody_has_spoken_of_a_zone_yet(edge, state):
    assert shoes(state) == (None, None)


@pytest.mark.parametrize("covered", [True, False])
async def test_the_agents_word_holds_while_it_is_there(edge, state, covered):
    await edge.deliver(be(edge, "alert"), said(edge, covered))
    assert shoes(state) == (covered, SINCE)


async def test_an_agent_that_has_gone_covers_nothing(edge, state):
    await edge.deliver(be(edge, "ready"), said(edge, True))
    await edge.deliver(be(edge, "disconnected"))
    assert shoes(state) == (False, to_datetime(NOON_NS))
    await edge.deliver(be(edge, "ready"))
    assert shoes(state) == (True, SINCE)
    await edge.deliver(be(edge, "lost"))
    assert shoes(state) == (False, None)  # its last will does not know when


async def test_a_zone_that_is_not_covered_can_raise_an_alarm(edge, state):
    await edge.deliver(be(edge, "ready"), said(edge, False))
    families = {family.name: family for family in ServerCollector(state).collect()}
    samples = [(sample.labels["zone"], sample.value) for sample in families["tacet_zone_covered"].samples]
    assert samples == [("shoes", 0.0)]  # nobody has spoken of the others
