"""The Modbus relay driver against its simulated board over a real pty."""

from contextlib import asynccontextmanager

import pytest

from edge.actuators import registry
from edge.actuators.modbus_relay.relay import ModbusRelay, ModbusRelaySettings
from readers.errors import FrameError, ReaderDisconnected, ReaderRefused, ReaderTimeout, SettingsError
from readers.ports import SerialPort
from simulators.modbus_relay import Board, ModbusRelayDevice
from simulators.modbus_rtu import Manners
from tests.readers.simulated import simulated

FAST = 115200
ORDINARY = Board(baud=FAST)
ON_1, OFF_1, READ_1 = bytes.fromhex("050000ff00"), bytes.fromhex("0500000000"), bytes.fromhex("0100000001")


class Lamps:
    """A board of lamps that notes every switch."""

    def __init__(self, board: Board = ORDINARY, **manners) -> None:
        self.moves: list[tuple[int, bool]] = []
        self.device = ModbusRelayDevice(
            lambda channel, on, _: self.moves.append((channel, on)), board=board, manners=Manners(**manners)
        )


@asynccontextmanager
async def opened(lamps: Lamps, folder, **settings):
    async with (
        simulated(lamps.device, folder / "port") as line,
        SerialPort(folder / "port", FAST) as port,
        ModbusRelay(port, ModbusRelaySettings(baud=FAST, **settings), answer_s=0.1) as relay,
    ):
        yield relay, line


async def test_opening_and_leaving_put_it_into_its_safe_state_and_each_order_is_read_back(tmp_path):
    lamps = Lamps()
    async with opened(lamps, tmp_path) as (relay, _):
        await relay.switch(on=True)
        assert lamps.moves == [(1, True)]
    assert lamps.moves == [(1, True), (1, False)]
    assert lamps.device.requests == [OFF_1, READ_1, ON_1, READ_1, OFF_1, READ_1]


async def test_safe_may_be_on_and_several_coils_may_be_the_way_to_write_one(tmp_path):
    lamps = Lamps(Board(baud=FAST, first_coil=16, functions=(1, 15)))
    async with opened(lamps, tmp_path, safe="on", channel=3, first_coil=16, function=15) as (relay, _):
        assert relay.safe
        assert lamps.moves == [(3, True)]
        await relay.switch(on=False)
    assert lamps.moves == [(3, True), (3, False), (3, True)]


async def test_a_board_opened_by_its_type(tmp_path):
    lamps = Lamps()
    async with (
        simulated(lamps.device, tmp_path / "port"),
        registry.open_relay("modbus-relay", str(tmp_path / "port"), {"baud": FAST, "channel": 2}) as relay,
    ):
        await relay.set(8, on=True)
        assert lamps.moves == [(8, True)]
        with pytest.raises(ValueError, match="channel 9 is not on a board of 8"):
            await relay.set(9, on=True)


async def test_a_relay_that_does_not_obey_is_not_believed(tmp_path):
    lamps = Lamps(Board(baud=FAST, stuck=(1,)))
    async with opened(lamps, tmp_path) as (relay, _):
        with pytest.raises(FrameError, match=r"channel 1 is off although told on; .*relay power"):
            await relay.switch(on=True)


async def test_a_board_that_cannot_tell_its_coils_is_believed_only_when_told_so(tmp_path):
    board = Board(baud=FAST, functions=(5,))
    lamps = Lamps(board)
    with pytest.raises(
        ReaderRefused,
        match=r"refuses function 01 at address 0: .*; if the board cannot tell its coils, set read_back = false",
    ) as refusal:
        async with opened(lamps, tmp_path):
            pass
    assert refusal.value.code == 1
    assert lamps.device.requests == [OFF_1, READ_1]
    lamps = Lamps(board)
    async with opened(lamps, tmp_path, read_back=False) as (relay, _):
        await relay.switch(on=True)
    assert lamps.device.requests == [OFF_1, ON_1, OFF_1]


async def test_a_wrong_echo_is_no_answer(tmp_path):
    lamps = Lamps(Board(baud=FAST, wrong_echo=True))
    with pytest.raises(ReaderTimeout, match="another one came: unit 1, function 05"):
        async with opened(lamps, tmp_path):
            pass
    assert lamps.device.requests.count(OFF_1) == 3


@pytest.mark.parametrize("busy_for", [0, 9])
async def test_another_unit_that_answers_or_refuses_is_named(tmp_path, busy_for):
    with pytest.raises(ReaderTimeout, match="no answer of unit 1, but another one came: unit 7"):
        async with opened(Lamps(answers_as=7, busy_for=busy_for), tmp_path):
            pass


async def test_an_adapter_that_hears_itself_does_not_pass_for_the_board(tmp_path):
    lamps = Lamps(echoes_line=True)
    async with opened(lamps, tmp_path) as (relay, _):
        await relay.switch(on=True)
    assert lamps.moves == [(1, True), (1, False)]
    with pytest.raises(
        ReaderTimeout, match="no answer of unit 1, only 8 bytes that are no frame; check `baud`, `line`"
    ):
        async with opened(Lamps(echoes_line=True, deaf_for=9), tmp_path):
            pass


@pytest.mark.parametrize("trouble", [{"deaf_for": 2}, {"wrong_crc_for": 2}, {"busy_for": 1}, {"noise": b"\x00\x01"}])
async def test_an_order_that_got_no_right_answer_is_given_again(tmp_path, trouble):
    lamps = Lamps(**trouble)
    async with opened(lamps, tmp_path) as (relay, _):
        await relay.switch(on=True)
        assert lamps.moves == [(1, True)]


async def test_an_unplugged_board_is_told_when_it_is_switched_and_found_again(tmp_path):
    async with opened(Lamps(), tmp_path) as (relay, line):
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await relay.switch(on=True)
    lamps = Lamps()
    async with opened(lamps, tmp_path) as (relay, _):
        await relay.switch(on=True)
        assert lamps.moves == [(1, True)]


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ({"unit": 0}, "^unit: "),
        ({"unit": 248}, "^unit: "),
        ({"safe": "maybe"}, "^safe: "),
        ({"function": 6}, "^function: "),
        ({"channel": 3, "channels": 2}, "channel 3 is not on a board of 2"),
        ({"first_coil": 65535}, "leaves no room for 8 channels"),
        ({"chanel": 1}, "unknown field `chanel`"),
    ],
)
def test_a_wrong_setting_is_named(stanza, message):
    with pytest.raises(SettingsError, match=message):
        registry.check_relay("modbus-relay", stanza)
