"""The Modbus master: one question at a time, and only its own answer is one."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from pymodbus.pdu import ReadCoilsRequest, ReadHoldingRegistersRequest

from readers.errors import ReaderDisconnected, ReaderTimeout
from readers.modbus_rtu.codec import Frame
from readers.modbus_rtu.master import Master, ModbusSettings
from readers.ports import SerialPort
from tests.readers.peers import Peer
from tests.support.patience import WAIT_S

SETTINGS = ModbusSettings(baud=115200)
TWO_WORDS = ReadHoldingRegistersRequest(address=0, count=2)
ASKED = bytes.fromhex("010300000002c40b")
ANSWER = Frame(1, 3, bytes.fromhex("0400010002")).to_bytes()


@asynccontextmanager
async def asking(script, answer_s: float = 0.05):
    async with Peer(script) as peer, SerialPort(peer.path, 115200) as port:
        yield Master("w-1", port, SETTINGS, lambda: 0, answer_s), peer


async def test_the_answer_is_what_the_unit_says():
    async with asking(lambda _: [ANSWER]) as (master, peer):
        assert (await master.ask(TWO_WORDS)).registers == [1, 2]
        assert peer.heard == ASKED


@pytest.mark.parametrize(
    ("request_", "wrong"),
    [
        (TWO_WORDS, Frame(1, 3, bytes.fromhex("020001"))),
        (TWO_WORDS, Frame(1, 4, bytes.fromhex("0400010002"))),
        (TWO_WORDS, Frame(2, 3, bytes.fromhex("0400010002"))),
        (TWO_WORDS, Frame(2, 0x83, b"\x02")),
        (TWO_WORDS, Frame(1, 0x84, b"\x02")),
        (ReadCoilsRequest(address=0, count=8), Frame(1, 1, bytes.fromhex("020000"))),
    ],
)
async def test_what_does_not_fit_the_question_is_no_answer(request_, wrong):
    async with asking(lambda _: [wrong.to_bytes()]) as (master, _):
        with pytest.raises(ReaderTimeout, match=f"another one came: unit {wrong.unit}, function {wrong.function:02x}"):
            await master.ask(request_)
        assert master.health.bad_frames == 1


async def test_the_right_answer_behind_a_wrong_one_is_found():
    async with asking(lambda _: [Frame(2, 3, b"\2\0\1").to_bytes() + ANSWER]) as (master, _):
        assert (await master.ask(TWO_WORDS)).registers == [1, 2]


async def test_what_was_left_half_said_does_not_hold_up_the_answer():
    async with asking(lambda _: [ANSWER], answer_s=60) as (master, peer):
        peer.say(b"\x01\x03\xfa")
        async with asyncio.timeout(WAIT_S):
            assert (await master.ask(TWO_WORDS)).registers == [1, 2]
        assert master.health.discarded_bytes == 3


@pytest.mark.parametrize("is_given_up", [False, True])
async def test_an_answer_that_comes_after_all_is_not_taken_for_that_of_another_register(is_given_up):
    """A weight and a status look alike on the wire, so a status that came late would be weighed."""
    weight, status = (ReadHoldingRegistersRequest(address=address, count=1) for address in (0, 9))
    late, right = (Frame(1, 3, b"\2\0" + value).to_bytes() for value in (b"\7", b"\1"))
    questions, saying = [0], [late, right]

    def answer(_: bytes) -> list[bytes]:
        questions[0] += 1
        return saying if questions[0] > 1 else []

    async with asking(answer, answer_s=0.5) as (master, peer):
        first = asyncio.create_task(master.ask(status))
        if is_given_up:
            await peer.hears(Frame(1, 3, b"\0\x09\0\1").to_bytes())
            first.cancel()
        await asyncio.wait([first])
        asyncio.get_running_loop().call_later(0.1, lambda: peer.say(saying.pop(0)))
        assert (await master.ask(weight)).registers == [1]
        assert master.health.bad_frames == 1


async def test_the_line_carries_one_question_at_a_time():
    async with asking(lambda _: [], answer_s=60) as (master, peer), asyncio.TaskGroup() as tasks:
        both = [tasks.create_task(master.ask(TWO_WORDS)) for _ in range(2)]
        await peer.hears(ASKED)
        await asyncio.sleep(0.05)  # time enough for a second one to slip in
        assert peer.heard == ASKED
        peer.say(ANSWER)
        await peer.hears(ASKED + ASKED)
        assert both[0].done()
        peer.say(ANSWER)


class RestlessPort:
    """Somebody else talks without end."""

    overrun_bytes = 0

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        return b"wn 1.00kg"

    async def send(self, data: bytes) -> None:
        raise AssertionError("never quiet, so nothing may be said")

    def close(self) -> None: ...


async def test_a_line_that_is_never_quiet_is_not_talked_into():
    master = Master("w-1", RestlessPort(), SETTINGS, lambda: 0)
    with pytest.raises(ReaderTimeout, match="the line is never quiet: is there another master on it"):
        await master.ask(TWO_WORDS)


async def test_an_unplugged_line():
    async with asking(lambda _: []) as (master, peer):
        peer.unplug()
        with pytest.raises(ReaderDisconnected):
            await master.ask(TWO_WORDS)
