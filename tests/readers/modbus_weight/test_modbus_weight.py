"""The Modbus scale: what registers mean, and the driver against its simulator over a real pty."""

import asyncio
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers import registry
from readers.errors import FrameError, ReaderDisconnected, ReaderRefused, ReaderTimeout, SettingsError
from readers.modbus_weight.reader import ModbusScale, Patience
from readers.modbus_weight.registers import FORMATS, Value
from readers.modbus_weight.settings import ModbusWeightSettings
from readers.model import Weight
from readers.ports import SerialPort
from simulators.modbus_rtu import Manners
from simulators.modbus_weight import ModbusWeightDevice, Transmitter
from simulators.scene_shelf import LoadReading
from tests.readers.simulated import simulated
from tests.support.patience import WAIT_S

FAST, NOW_NS = 115200, 1_700_000_000_000_000_000
SOON = Patience(answer_s=0.1, dead_s=0.4)
STANZA = {"baud": FAST, "address": 0, "value_type": "int32", "capacity_g": 15000, "poll_ms": 10}
FT13 = {**STANZA, "status_address": 2, "stable_bit": 0, "overload_bit": 1, "fault_bit": 2}


@dataclass
class Pan:
    grams: float = 1000.0
    stable: bool = True

    def weigh(self, _now_ns: int) -> LoadReading:
        return LoadReading(self.grams, self.stable)


class Shelf:
    """A transmitter on its line."""

    def __init__(self, pan: Pan | None = None, make: dict | None = None, **manners) -> None:
        self.pan = pan or Pan()
        self.device = ModbusWeightDevice(
            self.pan.weigh, make=Transmitter(baud=FAST, **(make or {})), manners=Manners(**manners)
        )


@asynccontextmanager
async def opened(shelf: Shelf, folder, stanza=FT13, patience=SOON):
    registry.check_scale("modbus-weight", stanza)
    async with (
        simulated(shelf.device, folder / "port") as line,
        SerialPort(folder / "port", FAST) as port,
        ModbusScale("w-1", port, settings_of(stanza), lambda: NOW_NS, patience) as scale,
    ):
        yield scale, line


def settings_of(stanza) -> ModbusWeightSettings:
    return registry.decode_settings(stanza, ModbusWeightSettings)


async def take(scale: ModbusScale, count: int) -> list[Weight]:
    weights: list[Weight] = []
    async with asyncio.timeout(WAIT_S):
        async for weight in scale.weights():
            weights.append(weight)
            if len(weights) == count:
                break
    return weights


async def test_weight_and_status_come_with_one_question(tmp_path):
    shelf = Shelf(Pan(1234.0, stable=False))
    async with opened(shelf, tmp_path) as (scale, _):
        assert await take(scale, 1) == [Weight("w-1", Decimal(1234), False, NOW_NS)]
        shelf.pan.stable = True
        assert (await take(scale, 1))[0].stable
        assert set(shelf.device.requests) == {bytes.fromhex("0300000003")}
        assert scale.health.signs_of_life == scale.health.frames == 3


async def test_a_status_elsewhere_is_asked_for_by_itself_and_input_registers_by_04(tmp_path):
    shelf = Shelf(make={"status_address": 40, "value_type": "float32", "reads": (4,)})
    stanza = {**STANZA, "function": 4, "value_type": "float32", "status_address": 40, "moving_bit": 0}
    async with opened(shelf, tmp_path, stanza) as (scale, _):
        assert await take(scale, 1) == [Weight("w-1", Decimal(1000), False, NOW_NS)]
        assert set(shelf.device.requests) == {bytes.fromhex("0400000002"), bytes.fromhex("0400280001")}


async def test_a_status_before_the_weight(tmp_path):
    shelf = Shelf(make={"address": 4, "status_address": 3, "value_type": "int16"})
    stanza = {**STANZA, "address": 4, "value_type": "int16", "status_address": 3, "stable_bit": 0}
    async with opened(shelf, tmp_path, stanza) as (scale, _):
        assert await take(scale, 1) == [Weight("w-1", Decimal(1000), True, NOW_NS)]
        assert set(shelf.device.requests) == {bytes.fromhex("0300030002")}


async def test_without_a_status_rest_is_told_from_the_last_weights(tmp_path):
    shelf = Shelf()
    async with opened(shelf, tmp_path, {**STANZA, "stable_count": 3, "stable_spread_g": 2}) as (scale, _):
        assert [weight.stable for weight in await take(scale, 4)] == [False, False, True, True]
        shelf.pan.grams += 3
        assert [weight.stable for weight in await take(scale, 4)] == [False, False, True, True]


async def test_a_transmitter_opened_by_its_type_weighs_in_its_own_unit(tmp_path):
    shelf = Shelf(Pan(1234.0), make={"division_g": 0.5})
    stanza = {**STANZA, "scale": "0.0005", "mass_unit": "kg"}
    async with (
        simulated(shelf.device, tmp_path / "port"),
        registry.open_scale("modbus-weight", "w-1", str(tmp_path / "port"), stanza, lambda: 5) as scale,
    ):
        async for weight in scale.weights():
            assert weight == Weight("w-1", Decimal("1234.0000"), False, 5)
            break


@pytest.mark.parametrize(
    ("make", "told"),
    [
        ({"low_word_first": True}, 'word_order = "little", byte_order = "big" would read 1235 g'),
        ({"low_byte_first": True}, 'word_order = "big", byte_order = "little" would read 1235 g'),
        (
            {"low_word_first": True, "value_type": "float32"},
            'word_order = "little", byte_order = "big" would read 1235 g',
        ),
    ],
)
async def test_swapped_words_are_no_weight_and_the_alarm_says_what_to_set(tmp_path, make, told):
    stanza = {**STANZA, "value_type": make.get("value_type", "int32")}
    async with opened(Shelf(Pan(1235.0), make), tmp_path, stanza) as (scale, _):
        with pytest.raises(FrameError) as error:
            await take(scale, 1)
        assert told in str(error.value)
        assert scale.health.bad_frames > 3
        assert (scale.health.alarms, told in scale.health.alarm) == (1, True)
    right = {**stanza, "word_order": "little" if "low_word_first" in make else "big"}
    right["byte_order"] = "little" if "low_byte_first" in make else "big"
    async with opened(Shelf(Pan(1235.0), make), tmp_path, right) as (scale, _):
        assert (await take(scale, 1))[0].grams == 1235


async def test_overload_is_counted_and_a_good_weight_ends_it(tmp_path):
    shelf = Shelf(Pan(20_000.0))
    async with opened(shelf, tmp_path, patience=Patience(0.1, dead_s=0.05)) as (scale, _):
        weights = asyncio.create_task(take(scale, 1))
        while scale.health.no_value < 10:
            await asyncio.sleep(0.005)
        shelf.pan.grams = 7.0
        assert (await weights)[0].grams == 7


async def test_a_broken_cell_is_a_fault_not_zero(tmp_path):
    async with opened(Shelf(make={"broken": True}), tmp_path) as (scale, _):
        with pytest.raises(ReaderRefused, match="reports a fault: check the wires"):
            await take(scale, 1)
        assert (scale.health.alarms, scale.health.bad_frames) == (1, 0)
        assert scale.health.no_value > 1


async def test_a_broken_cell_without_a_status_is_no_number(tmp_path):
    shelf = Shelf(make={"broken": True, "value_type": "float32"})
    async with opened(shelf, tmp_path, {**STANZA, "value_type": "float32"}) as (scale, _):
        with pytest.raises(FrameError, match="7fc0 0000 read nan as float32"):
            await take(scale, 1)


@pytest.mark.parametrize("trouble", [{"deaf_for": 2}, {"wrong_crc_for": 2}, {"noise": b"\x01\x03\x00\xff"}])
async def test_a_bad_line_costs_answers_and_no_weight(tmp_path, trouble):
    async with opened(Shelf(**trouble), tmp_path, patience=Patience(answer_s=0.3, dead_s=9)) as (scale, _):
        assert {weight.grams for weight in await take(scale, 3)} == {Decimal(1000)}
        assert scale.health.bad_frames == 0


async def test_a_busy_transmitter_is_asked_again_and_what_it_weighed_before_is_no_measure_for_rest(tmp_path):
    shelf = Shelf()
    async with opened(shelf, tmp_path, {**STANZA, "stable_count": 2}, Patience(0.1, dead_s=0.3)) as (scale, _):
        assert (await take(scale, 40))[-1].stable  # for longer than the patience with trouble
        shelf.device.manners = Manners(busy_for=shelf.device._answered + 2)
        assert [weight.stable for weight in await take(scale, 2)] == [False, True]
        assert scale.health.no_value == 2


async def test_rest_begins_anew_after_an_overload(tmp_path):
    shelf = Shelf()
    stanza = {**STANZA, "status_address": 2, "overload_bit": 1, "stable_count": 2}
    async with opened(shelf, tmp_path, stanza) as (scale, _):
        await take(scale, 2)
        shelf.pan.grams = 20_000.0
        weights = asyncio.create_task(take(scale, 1))
        while not scale.health.no_value:
            await asyncio.sleep(0.002)
        shelf.pan.grams = 1000.0
        assert [weight.stable for weight in await weights] == [False]


async def test_silence_is_borne_for_a_while(tmp_path):
    shelf = Shelf()
    async with opened(shelf, tmp_path) as (scale, _):
        await take(scale, 1)
        shelf.device.manners = Manners(deaf_for=10**6)
        with pytest.raises(ReaderTimeout, match="unit 1 does not answer; check power, wiring"):
            await take(scale, 1)
        assert scale.health.rearms >= 2


async def test_a_weight_may_be_looked_at_for_longer_than_trouble_is_borne(tmp_path):
    shelf = Shelf()
    async with opened(shelf, tmp_path, patience=Patience(answer_s=0.02, dead_s=0.3)) as (scale, _):
        weights = scale.weights()
        await anext(weights)
        await asyncio.sleep(0.35)
        shelf.device.manners = Manners(deaf_for=shelf.device._answered + 1)
        assert (await anext(weights)).grams == 1000
        assert scale.health.rearms == 1
        await weights.aclose()


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next(tmp_path):
    shelf = Shelf(Pan(1.0))
    patience = Patience(answer_s=0.02, dead_s=9)
    async with opened(shelf, tmp_path, {**FT13, "poll_ms": 150}, patience) as (scale, _):
        shelf.device.manners = Manners(slow_ns=90_000_000)
        weights = asyncio.create_task(take(scale, 1))
        while len(shelf.device.requests) < 2:
            await asyncio.sleep(0.002)
        shelf.device.manners = Manners()
        shelf.pan.grams = 2.0
        assert (await weights)[0].grams == 2
        assert scale.health.bad_frames == 1


async def test_another_unit_that_answers_is_named(tmp_path):
    with pytest.raises(ReaderTimeout, match="no answer of unit 1, but another one came: unit 7"):
        async with opened(Shelf(answers_as=7), tmp_path):
            pass


async def test_nothing_there_says_what_to_check(tmp_path):
    with pytest.raises(ReaderTimeout, match=r"unit 2 does not answer; check power, wiring \(A and B swapped\?\)"):
        async with opened(Shelf(), tmp_path, {**FT13, "unit": 2}):
            pass


async def test_registers_that_are_not_there_are_refused_with_what_to_check(tmp_path):
    with pytest.raises(ReaderRefused, match="refuses function 03 at address 100: illegal data address") as refusal:
        async with opened(Shelf(), tmp_path, {**STANZA, "address": 100}):
            pass
    assert refusal.value.code == 2


async def test_a_transmitter_that_talks_unasked_is_told_from_a_silent_one(tmp_path):
    class Chatter(ModbusWeightDevice):
        def tick(self, now_ns: int) -> bytes:
            return b"wn 1.00kg\r\n"

    shelf = Shelf()
    shelf.device = Chatter(shelf.pan.weigh, make=Transmitter(baud=FAST))
    with pytest.raises(
        ReaderTimeout, match=r"never quiet: is there another master on it|only [0-9]+ bytes that are no frame"
    ):
        async with opened(shelf, tmp_path):
            pass


async def test_unplugged_and_plugged_in_again(tmp_path):
    shelf = Shelf()
    async with opened(shelf, tmp_path) as (scale, line):
        await take(scale, 1)
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await take(scale, 1)
    async with opened(shelf, tmp_path) as (scale, _):
        assert len(await take(scale, 1)) == 1


async def test_what_a_crashed_host_had_asked_for_is_not_taken_for_an_answer(tmp_path):
    shelf = Shelf(Pan(5.0), make={"value_type": "int16", "status_address": 7})
    device = shelf.device
    asked_by_the_dead = bytes.fromhex("010300000001840a")
    device.manners = Manners(slow_ns=30_000_000)
    async with simulated(device, tmp_path / "port"), SerialPort(tmp_path / "port", FAST) as port:
        await port.send(asked_by_the_dead)
        while not device.requests:
            await asyncio.sleep(0.001)
        device.manners = Manners()
        stanza = {**STANZA, "value_type": "int16", "status_address": 7, "stable_bit": 0}
        async with ModbusScale("w-1", port, settings_of(stanza), lambda: 0, SOON) as scale:
            assert [weight.grams for weight in await take(scale, 2)] == [5, 5]


@given(
    st.sampled_from(list(FORMATS)), st.sampled_from(["big", "little"]), st.sampled_from(["big", "little"]), st.data()
)
def test_every_order_gives_back_what_was_put_in(value_type, word_order, byte_order, data):
    bits = struct.calcsize(FORMATS[value_type]) * 8
    low, high = (0, 2**bits - 1) if value_type.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if value_type == "float32":
        number = Decimal(data.draw(st.integers(-999999, 999999))).scaleb(-3)
    else:
        number = Decimal(data.draw(st.integers(low, high)))
    packed = struct.pack(FORMATS[value_type], float(number) if value_type == "float32" else int(number))
    words = [int.from_bytes(packed[at : at + 2], byte_order) for at in range(0, len(packed), 2)]
    if word_order == "little":
        words.reverse()
    value = Value(value_type, word_order, byte_order, Decimal("0.1"), Decimal(10**12))
    assert value.to_grams(words) == number / 10


@pytest.mark.parametrize(("value_type", "words"), [("float32", [0x7F7F, 0xFFFF]), ("int16", [0x8000])])
def test_a_number_beyond_all_weights_is_refused_in_both_directions(value_type, words):
    with pytest.raises(FrameError, match="no weight up to 15000 g"):
        Value(value_type, "big", "big", Decimal(1), Decimal(15000)).to_grams(words)


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_any_registers_are_a_weight_within_capacity_or_a_clear_no(high, low):
    value = Value("float32", "big", "big", Decimal(1), Decimal(15000))
    number = struct.unpack(">f", struct.pack(">HH", high, low))[0]
    if number == 0 or 1e-12 <= abs(number) <= 15000:
        assert value.to_grams([high, low]) == pytest.approx(Decimal(number), rel=Decimal("1e-7"))
    else:
        with pytest.raises(FrameError, match=f"registers {high:04x} {low:04x} read"):
            value.to_grams([high, low])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unit": 0}, "^unit: "),
        ({"function": 6}, "^function: "),
        ({"address": 65536}, "^address: "),
        ({"address": 65535}, "address 65535 is the last register, and int32 takes two"),
        ({"value_type": "bcd"}, "^value_type: "),
        ({"word_order": "middle"}, "^word_order: "),
        ({"scale": 0}, "scale 0 must be a number other than 0"),
        ({"scale": "nan"}, "scale NaN must be"),
        ({"mass_unit": "stone"}, "'stone' is no unit of mass: none of mg, g, kg"),
        ({"capacity_g": 0}, "capacity_g 0 must be more than 0"),
        ({"stable_spread_g": -1}, "stable_spread_g -1 must be 0 or more"),
        ({"stable_bit": 3}, "status_address goes with"),
        ({"status_address": 9}, "status_address goes with"),
        ({"status_address": 9, "stable_bit": 1, "fault_bit": 1}, "two meanings"),
        ({"status_address": 9, "stable_bit": 1, "moving_bit": 2}, "stable_bit or moving_bit, not both"),
        ({"status_address": 1, "stable_bit": 1}, "status_address 1 is a register of the weight itself"),
        ({"colour": 1}, "unknown field `colour`"),
    ],
)
def test_a_wrong_setting_is_named(change, message):
    with pytest.raises(SettingsError, match=message):
        registry.check_scale("modbus-weight", {**STANZA, **change})


@pytest.mark.parametrize("key", ["address", "value_type", "capacity_g"])
def test_what_no_default_can_know_is_required(key):
    with pytest.raises(SettingsError, match=key):
        registry.check_scale("modbus-weight", {name: value for name, value in STANZA.items() if name != key})
