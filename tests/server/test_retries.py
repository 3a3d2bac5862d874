"""Orders to actuators: sent again under the same version until somebody says what became of them."""

import asyncio

import pytest
from sqlalchemy import select

from broker_config.messages import ActuatorCommand, ActuatorResult
from server.commands.retries import keep_retrying
from server.decisions.rules import ActuatorAction
from server.tables import CommandRow
from tests.server.harness import Edge
from tests.support.patience import WAIT_S, eventually


async def retried(edge: Edge) -> list[ActuatorCommand]:
    async with edge.state.ledger.transaction() as work:
        await edge.state.commands.retry(work)
    return edge.orders()


async def ordered(edge: Edge) -> ActuatorCommand:
    await edge.deliver(edge.picked())
    (order,) = edge.orders()
    return order


async def answer(edge: Edge, order: ActuatorCommand, result: str, reason: str | None = None) -> None:
    said = ActuatorResult(
        actuator=order.actuator, version=order.version, decision=order.decision, result=result, reason=reason
    )
    await edge.deliver(edge.event(said, actuator=order.actuator))


async def result_of(edge: Edge) -> str | None:
    async with edge.state.db.session() as session:
        return await session.scalar(select(CommandRow.result).where(CommandRow.target == "actuator/lamp-s1"))


async def test_an_order_without_an_answer_is_sent_again_ever_more_rarely_and_then_given_up(edge, clock):
    order = await ordered(edge)
    assert await retried(edge) == []
    sent = []
    for _ in range(400):
        clock.pass_s(0.1)
        sent += await retried(edge)
    assert sent == [order] * 5  # after 0.7, 2.1, 4.9, 10.5 and 21.7 s
    assert await result_of(edge) == "no-answer"
    assert edge.state.commands.retries.unanswered == 1


@pytest.mark.parametrize("result", ["done", "expired", "stale", "wrong-target", "device-lost", "unknown"])
async def test_a_final_answer_ends_it_and_no_later_one_changes_it(edge, clock, result):
    order = await ordered(edge)
    await answer(edge, order, result)
    await answer(edge, order, "stale")
    clock.pass_s(5)
    assert await retried(edge) == []
    assert await result_of(edge) == result


async def test_an_order_refused_for_want_of_a_clock_is_tried_again(edge, clock):
    order = await ordered(edge)
    await answer(edge, order, "refused", "the agent does not know the server's time")
    assert await result_of(edge) == "refused"
    clock.pass_s(1)
    assert await retried(edge) == [order]
    await answer(edge, order, "done")
    assert await result_of(edge) == "done"
    clock.pass_s(5)
    assert await retried(edge) == []


async def fail_after(edge: Edge, action: ActuatorAction) -> None:
    async with edge.state.ledger.transaction() as work:
        edge.state.commands.actuate(work, action, "d" * 32)
        raise OSError("disk full")


async def test_what_a_failed_transaction_ordered_is_never_sent(edge, clock):
    with pytest.raises(OSError, match="disk full"):
        await fail_after(edge, ActuatorAction(id="lamp-s1", on=True, hold_s=None))
    clock.pass_s(5)
    assert await retried(edge) == []


async def test_it_goes_on_by_itself(edge, clock):
    task = asyncio.create_task(keep_retrying(edge.state.ledger, edge.state.commands))
    order = await ordered(edge)
    clock.pass_s(1)
    sent = []
    await eventually(lambda: sent.extend(edge.orders()) or sent)  # counted in the transaction, sent after it
    assert sent == [order]
    task.cancel()
    await asyncio.wait([task])


async def test_an_order_forgotten_in_the_instant_it_began_does_not_end_the_server(edge, clock):
    order, retries = await ordered(edge), edge.state.commands.retries
    retries.forget()
    waiter = asyncio.create_task(retries.next_due())
    await asyncio.sleep(0)
    retries.begin(order)
    retries.forget()
    await asyncio.sleep(0)
    retries.begin(order)
    clock.pass_s(1)
    await asyncio.wait_for(waiter, WAIT_S)
