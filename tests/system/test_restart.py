"""A real agent, killed outright with somebody in the store: nobody comes twice, nobody is lost, who went departs."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from broker_config.identity import load_credential
from edge.at_rest import AtRest
from edge.presence_file import unpack
from simulators.children import Child, running
from tests.support.chain import Chain, running_chain

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.xdist_group("system")]

RIVER = "2d14257bf52cb6916d000000"
LIMIT_S = 15.0  # unseen for more than this at a shelf, a person departs
STAY = """
[[walks]]
goals = [
    { at = [2.0, 2.2], seconds = 2, does = "look" },
    { at = [7.0, 1.6], seconds = 100000, does = "look" },
]
"""


def one_who_stays(folder: Path) -> None:
    """River comes, goes to the shoes and stays there; the agent keeps what is present twice a second."""
    scene, edge = folder / "scene.toml", folder / "edge.toml"
    text = re.sub(r"cards = \[.*?\]", f"cards = {json.dumps([RIVER])}", scene.read_text(), flags=re.DOTALL)
    text = re.sub(r"(?m)^most = \d+", "most = 1", re.sub(r"(?m)^every_s = \S+", "every_s = 1.0", text))
    scene.write_text(text.partition("[[walks]]")[0] + STAY)
    edge.write_text(edge.read_text().replace("[broker]", "[snapshot]\nevery_s = 0.5\n[broker]", 1))


def visits(chain: Chain) -> list[dict]:
    """The visits' events as the server stored them, in the agent's order; staying makes no difference here."""
    rows = chain.rows("SELECT type, payload FROM event WHERE type LIKE 'tacet.visit.%' ORDER BY at_ns, seq")
    known = {"tacet.visit.entered.v1": "entered", "tacet.visit.left.v1": "left"}
    return [{"kind": known[kind], **json.loads(payload)["data"]} for kind, payload in rows if kind in known]


def said(chain: Chain) -> list[tuple[str, str]]:
    return [(event["kind"], event["zone"]) for event in visits(chain)]


async def kill(child: Child) -> None:
    child.process.kill()
    await child.process.wait()


@asynccontextmanager
async def another(chain: Chain, name: str, *arguments: str) -> AsyncIterator[None]:
    """Start a child again in the place of one that has ended."""
    async with running(name, list(arguments), chain.state.logs) as chain.children[name]:
        yield


async def until_kept(chain: Chain, agent: str) -> None:
    """Until a snapshot written after the latest event holds somebody at the shoes."""
    path, seen = chain.state.folder / "edge" / "presence.snap", set()
    at_rest = AtRest(load_credential(chain.state.folder / "identity" / "agent-gw-1.toml"), "presence")

    async def kept() -> bool:
        if not path.exists():
            return False
        now = unpack(bytes(at_rest.open(memoryview(path.read_bytes()))))
        seen.add(now.taken_ns)
        stays = [stay for visit in now.visits.visits for stay in visit.stays]
        return len(seen) > 2 and [now.zones[stay.zone] for stay in stays] == ["shoes"]

    assert chain.children[agent].process.returncode is None
    await chain.until(kept)


async def zone(chain: Chain, name: str) -> dict:
    return next(each for each in (await chain.client.status())["zones"] if each["zone"] == name)


async def reads(chain: Chain) -> int:
    agents = (await chain.client.status())["agents"]
    return sum((agent["stats"] or {}).get("reads", 0) for agent in agents)


async def test_a_killed_agent_goes_on_with_who_is_there_and_with_who_went_meanwhile(warm_folder) -> None:
    async with running_chain(warm_folder("restart"), one_who_stays) as chain:
        edge = ("edge", "--config", f"{chain.state.folder}/edge.toml")

        async def is_at_the_shoes() -> bool:
            return ("entered", "shoes") in said(chain) and len(said(chain)) % 2 == 1

        await chain.until(is_at_the_shoes)
        await until_kept(chain, "agent")
        before = visits(chain)
        (token,) = {event["visit"] for event in before}
        started = (await chain.client.status())["agents"][0]["since"]

        await kill(chain.children["agent"])  # and River stays
        async with another(chain, "agent", *edge):

            async def reads_again() -> bool:
                agent = (await chain.client.status())["agents"][0]
                stats = agent["stats"] or {}
                return agent["since"] != started and stats.get("counters", {}).get("restored_people") == 1

            await chain.until(reads_again)
            first = await reads(chain)

            async def has_read_a_lot() -> bool:
                return await reads(chain) > first + 300 and (await zone(chain, "shoes"))["covered"] is True

            await chain.until(has_read_a_lot)
            assert visits(chain) == before, "somebody came or left by the restart"
            assert (await zone(chain, "shoes"))["visits"] == 1
            await until_kept(chain, "agent")
            await kill(chain.children["agent"])

        await chain.children["store"].stop()  # River goes while nobody looks
        scene = chain.state.folder / "scene.toml"
        scene.write_text(scene.read_text().replace(RIVER, ""))
        store = ("simulate", "store", str(scene), "--site", f"{chain.state.folder}/site.toml", "--out")
        async with (
            another(chain, "store", *store, f"{chain.state.folder}/sim"),
            another(chain, "agent", *edge),
        ):

            async def has_left() -> bool:
                return len(visits(chain)) > len(before)

            await chain.until(has_left)
            covered_since = datetime.fromisoformat((await zone(chain, "shoes"))["covered_since"])
            assert visits(chain)[:-1] == before
            left = visits(chain)[-1]
            assert (left["kind"], left["zone"], left["visit"], left["reason"]) == ("left", "shoes", token, "timeout")
            waited = datetime.fromisoformat(left["detected_at"]) - covered_since
            assert LIMIT_S - 0.01 <= waited.total_seconds() < 2 * LIMIT_S, "a whole limit to be seen again, and no more"
            assert (await chain.client.summary())["events_lost"] == 0
