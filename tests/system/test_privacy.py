"""Nothing personal crosses the broker, and a card without consent causes nothing at all."""

import base64
import csv
import json
import re
from pathlib import Path

import pytest

from broker_config.identity import load_credential, siphash_2_4_128
from simulators.scene_people import CHIP_MAKERS
from tests.support.chain import Chain, running_chain
from tests.support.erasing import live_through
from tests.support.seeds import find_in, find_seeds

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.xdist_group("system")]

MOSS = "2d14257bf5985fb4e7000000"
RIVER = "2d14257bf52cb6916d000000"


SHORT_WALK = """
[[walks]]
goals = [
    { at = [2.0, 2.2], seconds = 2, does = "look" },
    { at = [7.0, 1.6], seconds = 3, does = "pick" },
    { at = [12.0, 8.2], seconds = 1, does = "leave" },
]
"""


def only_cards(*cards: str):
    """A store in which only these cards come, and come again soon."""

    def edit(folder: Path) -> None:
        scene, site = folder / "scene.toml", folder / "site.toml"
        text = re.sub(r"cards = \[.*?\]", f"cards = {json.dumps(list(cards))}", scene.read_text(), flags=re.DOTALL)
        text = re.sub(r"(?m)^(every_s|speed_m_s) = \S+", r"\1 = 4.0", text)
        text = re.sub(r"(?m)^rest_s = \S+", "rest_s = 14.0", text)  # unseen for 8 s a person has left; the gap is 2 s
        scene.write_text(text.partition("[[walks]]")[0] + SHORT_WALK)
        site.write_text(re.sub(r"(?m)^visit_gap_s = \d+", "visit_gap_s = 2", site.read_text()))

    return edit


def truth(chain: Chain) -> list[dict]:
    path = chain.state.folder / "sim" / "truth.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


async def test_a_card_without_consent_causes_nothing_at_all(warm_folder) -> None:
    async with running_chain(warm_folder("silent"), only_cards(MOSS)) as chain:

        async def picked() -> bool:
            return (await chain.client.summary())["actuations"] >= 1

        await chain.until(picked)  # a shopper has been at the shelf, and the chain saw goods move
        assert any(MOSS in json.dumps(fact) for fact in truth(chain)), "the card was in the store"
        summary = await chain.client.summary()
        assert summary["moments_shown"] == 0
        assert chain.rows("SELECT count(*) FROM event WHERE type LIKE 'tacet.visit.%'") == [(0,)]
        assert chain.rows("SELECT count(*) FROM visit") == [(0,)]
        decisions = await chain.client.decisions(50)
        assert {decision["rule"] for decision in decisions} <= {"shelf-lamp"}
        assert re.search(rb"zone/\w+/visit/", chain.recorder.crossed) is None
        strays = {"a card without consent": bytes.fromhex(MOSS)}
        strays |= {f"a visitor's tag {maker}": maker.encode() for each in CHIP_MAKERS for maker in (each, each.upper())}
        folder = chain.state.folder
        programs = [folder / name for name in ("server", "edge", "broker")]
        logs = [path for path in chain.state.logs.iterdir() if path.name.startswith(("agent", "server", "broker"))]
        assert [str(hit) for hit in find_seeds([path for path in [*programs, *logs] if path.exists()], strays)] == []
        assert find_in("the traffic", chain.recorder.crossed, strays) == []


async def test_nothing_that_names_a_member_crosses_the_broker(warm_folder) -> None:
    async with running_chain(warm_folder("wire"), only_cards(RIVER)) as chain:

        async def came_twice() -> bool:
            return chain.rows("SELECT count(*) FROM visit") >= [(2,)]

        await chain.until(came_twice)
        crossed = chain.recorder.crossed
        for name, secret in identities(chain).items():
            for form in forms(secret):
                assert form not in crossed, f"{name} crossed the broker as {form!r}"
        sealed = re.findall(rb'"who":"([^"]+)"', crossed)
        assert len(sealed) >= 2
        handles = {base64.urlsafe_b64decode(who)[12:] for who in set(sealed)}
        assert len(handles) == len(set(sealed)), "a sealed handle repeats: it is a pseudonym"
        tokens = {row[0] for row in chain.rows("SELECT id FROM visit")}
        assert len(tokens) >= 2, "the second visit goes by the token of the first"


def identities(chain: Chain) -> dict[str, bytes]:
    """Everything that stands for a member: cards, their keyed hashes, aliases, member ids, handles."""
    agent = load_credential(chain.state.folder / "identity" / "agent-gw-1.toml")
    assert agent.match_key
    assert agent.seal_key
    found = {"match key": bytes.fromhex(agent.match_key), "seal key": bytes.fromhex(agent.seal_key)}
    with (chain.state.folder / "members.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            card = bytes.fromhex(row["card"])
            found |= {
                f"card {row['card']}": card,
                f"hash of {row['card']}": siphash_2_4_128(bytes.fromhex(agent.match_key), card),
            }
            found |= {f"alias {row['alias']}": row["alias"].encode()}
    for number, row in enumerate(chain.rows("SELECT id FROM member")):
        found[f"member id {number}"] = str(row[0]).encode()
    for number, row in enumerate(chain.rows("SELECT handle FROM member_handle")):
        found[f"handle {number}"] = bytes(row[0])
    return found


def forms(secret: bytes) -> list[bytes]:
    """How bytes may look on a wire: raw, hex in both cases, base64 at each alignment."""
    if len(secret) < 5:
        return [b'"' + secret + b'"']  # a short alias is a word like any other; as a whole JSON value it is not
    aligned = [base64.b64encode(bytes(shift) + secret)[4 if shift else 0 : -4] for shift in range(3)]
    return [secret, secret.hex().encode(), secret.hex().upper().encode(), *(form for form in aligned if len(form) >= 8)]


async def test_withdrawn_is_dark_and_erased_is_gone_also_from_a_gateway_that_was_off(warm_folder) -> None:
    seen = await live_through(warm_folder("erased"))
    assert seen.ended_by == "clear", "the moment ended by itself"
    assert seen.waiting == ["gw-1 waiting"]
    assert {hit.seed for hit in seen.control} >= {"alias", "id", "handle 0", "token 0"}, (
        "the search finds nothing at all"
    )
    assert [str(hit) for hit in seen.stolen] == [], "a stolen gateway tells of members"
    assert [str(hit) for hit in seen.hits] == []
    assert (seen.entered_after, seen.lost) == (0, 0)
