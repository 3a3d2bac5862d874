"""Goods that are paid: validated, told to every agent, and only said to be done when the broker has it."""

import pytest

from broker_config.messages import MAX_PAYLOAD_BYTES, TransactionSettled, decode
from server.checkout import service as checkout
from server.checkout.schemas import MAX_EPCS
from server.errors import Unavailable, Unprocessable
from tests.server.harness import RIVER
from tests.server.test_http import api, owner
from tests.server.test_link import connected, first

__all__ = ["api"]
SHOE, OTHER_SHOE = "3034257bf400cb0000000001", "3034257bf400cb0000000002"
PATH = "/api/transactions/settled"


async def test_a_settlement_reaches_an_agent_before_it_is_answered(tmp_path):
    async with connected(tmp_path) as (state, broker), broker.client("agent-gw-1") as agent:
        await agent.subscribe("tacet/1/demo/txn/settled", qos=1)
        done = await state.checkout.settle([SHOE, OTHER_SHOE.upper(), SHOE])
        settled, message = await first(agent, TransactionSettled)
        assert settled.epcs == (SHOE, OTHER_SHOE)
        assert (settled.transaction, done.settled) == (done.transaction, 2)
        assert (message.qos, bool(message.retain)) == (1, False)


async def test_without_a_broker_the_caller_is_told_to_come_again(state, edge, monkeypatch):
    monkeypatch.setattr(checkout, "ANSWER_WITHIN_S", 0.02)
    with pytest.raises(Unavailable, match="call again"):
        await state.checkout.settle([SHOE])
    (waiting,) = edge.sent(TransactionSettled)  # and goes out by itself when the broker is back
    assert waiting.epcs == (SHOE,)


@pytest.mark.parametrize("stranger", [RIVER, "3034257c0000cb0000000001", "30", "aabb"])
async def test_what_is_none_of_our_goods_and_a_card_above_all_is_never_published(state, edge, stranger):
    with pytest.raises(Unprocessable) as caught:
        await state.checkout.settle([SHOE, stranger])
    assert "number 2" in str(caught.value)
    assert stranger not in str(caught.value)
    assert edge.outgoing() == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"epcs": []},
        {"epcs": "3034257bf400cb0000000001"},
        {"epcs": [7]},
        {"epcs": ["3034257bf400cb000000000"]},
        {"epcs": ["no hex"]},
        {"epcs": [""]},
        {"epcs": ["30" * 63]},
        {"epcs": [SHOE] * (MAX_EPCS + 1)},
        {"epcs": [SHOE], "paid": 1},
        [SHOE],
    ],
)
async def test_a_settlement_is_taken_literally(api, body):
    client, state = api
    answer = await client.post(PATH, headers=owner(state), json=body)
    assert answer.status_code == 422
    assert not [out for out in state.link._outgoing if out.topic.endswith("txn/settled")]


async def test_the_longest_settlement_fits_into_one_message(api, monkeypatch):
    client, state = api
    monkeypatch.setattr(checkout, "ANSWER_WITHIN_S", 0.02)
    epcs = [f"3034257b{number:08x}" + "ff" * 54 for number in range(MAX_EPCS)]
    answer = await client.post(PATH, headers=owner(state), json={"epcs": epcs})
    assert answer.status_code == 503
    (out,) = [out for out in state.link._outgoing if out.topic.endswith("txn/settled")]
    assert len(out.payload) <= MAX_PAYLOAD_BYTES
    assert len(decode(out.payload).data.epcs) == MAX_EPCS
