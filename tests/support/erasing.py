"""The life of an erasure, with real processes: a withdrawal that darkens a screen, an erasure while the gateway is off."""

import asyncio
import json
import re
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from broker_config.identity import load_credential, siphash_2_4_128
from simulators.children import running
from tests.support.chain import Chain, running_chain
from tests.support.identities import NAMES, RIVER, XIAOYU, rename_members
from tests.support.seeds import Hit, find_in, find_seeds

SCREENS = ("d-door", "d-shoes")
SHORT_WALK = """
[[walks]]
goals = [
    { at = [2.0, 2.2], seconds = 2, does = "look" },
    { at = [7.0, 1.6], seconds = 3, does = "pick" },
    { at = [12.0, 8.2], seconds = 1, does = "leave" },
]
"""


@dataclass(slots=True)
class Erasing:
    """What was seen.

    Args:
        dark_s: from asking for the withdrawal to the screen's word that it is dark.
        receipts_s: from the gateway's start to its receipt at the server.
        hits: finds of an erased member's identities, where there must be none.
        control: the same search before the erasure, which has to find something.
        stolen: finds in the files of the gateway as it lies there without power, before the erasure.
        entered_after: events of visits after the gateway came back.
    """

    dark_s: float = 0.0
    erase_s: float = 0.0
    receipts_s: float = 0.0
    ended_by: str = ""
    waiting: list[str] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    control: list[Hit] = field(default_factory=list)
    stolen: list[Hit] = field(default_factory=list)
    entered_after: int = 0
    lost: int = 0


def store_of_two(folder: Path) -> None:
    """Only these two come, and come again soon; under names that are no words of the project."""
    scene, site, members = folder / "scene.toml", folder / "site.toml", folder / "members.csv"
    text = re.sub(r"cards = \[.*?\]", f"cards = {json.dumps([RIVER, XIAOYU])}", scene.read_text(), flags=re.DOTALL)
    text = re.sub(r"(?m)^(every_s|speed_m_s) = \S+", r"\1 = 4.0", text)
    text = re.sub(r"(?m)^rest_s = \S+", "rest_s = 14.0", text)  # unseen for 8 s a person has left; the gap is 2 s
    scene.write_text(text.partition("[[walks]]")[0] + SHORT_WALK)
    site.write_text(re.sub(r"(?m)^visit_gap_s = \d+", "visit_gap_s = 2", site.read_text()))
    rename_members(members)


def member_of(chain: Chain, card: str) -> str:
    """The member's id."""
    return str(chain.rows(f"SELECT id FROM member WHERE alias = '{NAMES[card]}'")[0][0])


def seeds_of(chain: Chain, card: str) -> dict[str, bytes]:
    """All that stands for a member: to be taken down while it is there."""
    member, key = member_of(chain, card), load_credential(chain.state.folder / "identity" / "agent-gw-1.toml").match_key
    seeds = {"alias": NAMES[card].encode(), "id": member.encode(), "card": bytes.fromhex(card)}
    seeds["card hash"] = siphash_2_4_128(bytes.fromhex(key or ""), bytes.fromhex(card))
    for number, (handle,) in enumerate(chain.rows(f"SELECT handle FROM member_handle WHERE member = '{member}'")):
        seeds[f"handle {number}"] = bytes(handle)
    for number, (token,) in enumerate(tokens_of(chain, member)):
        seeds[f"token {number}"] = str(token).encode()
    return seeds


def tokens_of(chain: Chain, member: str) -> list[tuple[str]]:
    """The visits' tokens, while it is known whose they are."""
    return chain.rows(
        f"SELECT token FROM visit_token JOIN visit ON visit.id = visit_token.visit WHERE visit.member = '{member}'"
    )


async def live_through(folder: Path) -> Erasing:
    """All of it; the processes have ended when this returns."""
    seen = Erasing()
    async with running_chain(folder, store_of_two) as chain, AsyncExitStack() as stack:
        words = [word for screen in SCREENS for word in ("--display", screen)]
        url = chain.state.server_url
        chain.children["screens"] = await stack.enter_async_context(
            running("screens", ["simulate", "display", "--server", url, *words], chain.state.logs)
        )
        await _withdraw(chain, seen)
        seeds = await _erase_while_off(chain, seen)
        await _come_back(chain, seen, stack, seeds)
    _look(folder, seen, seeds, chain)
    return seen


async def _withdraw(chain: Chain, seen: Erasing) -> None:
    """River withdraws while something is on a screen for her."""
    member = member_of(chain, RIVER)

    async def showing() -> list[tuple[str]]:
        return chain.rows(
            "SELECT decision.id FROM decision JOIN visit ON visit.id = decision.visit JOIN proof ON proof.decision = decision.id"
            f" WHERE visit.member = '{member}' GROUP BY decision.id HAVING count(*) = 1"
        )

    decision = (await chain.until(showing))[0][0]
    asked_ns = time.time_ns()
    await _call(chain, f"/api/members/{member}/consent", {"purpose": "recognise", "granted": False})

    async def dark() -> list[tuple[int, str]]:
        return chain.rows(f"SELECT at_ns, ended_by FROM proof WHERE decision = '{decision}' AND phase = 'ended'")

    ended_ns, seen.ended_by = (await chain.until(dark))[0]
    seen.dark_s = (ended_ns - asked_ns) / 1e9


async def _erase_while_off(chain: Chain, seen: Erasing) -> dict[str, bytes]:
    """The other one has been here; the gateway loses its power; then the erasure."""
    member = member_of(chain, XIAOYU)
    data = chain.state.folder / "edge"

    async def known_at_the_edge() -> bool:
        seeds = seeds_of(chain, XIAOYU)
        tokens = {name: seed for name, seed in seeds.items() if name.startswith("token")}
        return bool(tokens) and bool(find_seeds([data], tokens))

    await chain.until(known_at_the_edge)
    agent = chain.children.pop("agent")
    agent.process.send_signal(signal.SIGKILL)
    await agent.process.wait()
    seeds = seeds_of(chain, XIAOYU)
    seen.stolen = find_seeds([data], _personal(seeds))
    seen.control = find_seeds([data, chain.state.folder / "server"], seeds)
    began_s = time.monotonic()
    answer = await _call(chain, f"/api/members/{member}/erase", None)
    seen.erase_s = time.monotonic() - began_s
    status = await _get(chain, f"/api/privacy/{answer['request']}")
    seen.waiting = [f"{each['agent']} {each['state']}" for each in status["agents"]]
    seen.hits += find_seeds([chain.state.folder / "server"], _personal(seeds))
    seeds["request"] = answer["request"].encode()
    return seeds


async def _come_back(chain: Chain, seen: Erasing, stack: AsyncExitStack, seeds: dict[str, bytes]) -> None:
    """The gateway has power again; whoever was erased walks in, and is nobody."""
    folder, request = chain.state.folder, seeds.pop("request").decode()
    before = chain.rows("SELECT count(*) FROM event WHERE type = 'tacet.visit.entered.v1'")[0][0]
    began_s = time.monotonic()
    chain.children["agent"] = await stack.enter_async_context(
        running("agent-again", ["--log-level", "info", "edge", "--config", f"{folder}/edge.toml"], chain.state.logs)
    )

    async def complete() -> bool:
        return bool((await _get(chain, f"/api/privacy/{request}"))["complete"])

    await chain.until(complete)
    seen.receipts_s = time.monotonic() - began_s
    came = _comings(chain)

    async def came_again() -> bool:
        return _comings(chain) >= came + 2

    await chain.until(came_again)
    await asyncio.sleep(3)  # her card is at the door now; long enough for an event that must not come
    seen.entered_after = chain.rows("SELECT count(*) FROM event WHERE type = 'tacet.visit.entered.v1'")[0][0] - before
    seen.lost = (await chain.client.summary())["events_lost"]


def _comings(chain: Chain) -> int:
    """How often somebody with her card came, by the simulated store's own account."""
    path = chain.state.folder / "sim" / "truth.jsonl"
    facts = [json.loads(line) for line in path.read_text().splitlines() if line]
    return sum(fact["kind"] == "shopper-came" and fact["card"] == XIAOYU for fact in facts)


def _look(folder: Path, seen: Erasing, seeds: dict[str, bytes], chain: Chain) -> None:
    """Every file of every process, and all that crossed the broker."""
    programs = [folder / name for name in ("server", "edge", "broker", "identity")] + [chain.state.logs]
    seen.hits += find_seeds([path for path in programs if path.exists()], _personal(seeds))
    tokens = {name: seed for name, seed in seeds.items() if name.startswith("token")}
    seen.hits += find_seeds([folder / "edge"], tokens)
    seen.hits += find_seeds([chain.state.logs], secrets_of(folder))
    seen.hits += find_in("the broker's traffic", chain.recorder.crossed, _personal(seeds))


def secrets_of(folder: Path) -> dict[str, bytes]:
    """What opens doors: passwords and keys of every client, the owner's token, the keys of the cards."""
    found = {"owner token": (folder / "server" / "owner.token").read_bytes().strip()}
    found["card keys"] = bytes.fromhex((folder / "server" / "card.keys").read_text())
    for path in (folder / "identity").glob("*.toml"):
        credential = load_credential(path)
        found[f"password of {path.stem}"] = credential.password.encode()
        keys = {"match key": credential.match_key, "seal key": credential.seal_key}
        found |= {f"{name} of {path.stem}": bytes.fromhex(key) for name, key in keys.items() if key}
    return found


def _personal(seeds: dict[str, bytes]) -> dict[str, bytes]:
    """Without the visits' tokens, which the server may keep: they are nobody's now."""
    return {name: seed for name, seed in seeds.items() if not name.startswith("token")}


async def _call(chain: Chain, path: str, body: object) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {(chain.state.folder / 'server' / 'owner.token').read_text()}"}
    async with httpx.AsyncClient(base_url=chain.state.server_url, headers=headers, timeout=30) as client:
        answer = await client.post(path, json=body)
        answer.raise_for_status()
        return answer.json() if answer.content else {}


async def _get(chain: Chain, path: str) -> dict[str, object]:
    async with httpx.AsyncClient(base_url=chain.state.server_url, timeout=30) as client:
        answer = await client.get(path)
        answer.raise_for_status()
        return answer.json()
