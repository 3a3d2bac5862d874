"""Connected, but no tags?  What the doctor finds at a reader: each reason for itself, with its next step.

Reads are judged as the presence engine judges them: by the antenna's floor, its zone, and whose tag it is.  No tag's number
leaves this module, since it may be a member's card.
"""

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack

from edge.device_config import ReaderConfig
from edge.doctor_findings import LOOK, WRONG, Finding, answers, celsius, troubled, warned
from edge.doctor_silence import examine_silence
from readers.errors import ReaderError, ReaderRefused, ReaderTimeout
from readers.health import ReaderHealth
from readers.model import Read
from readers.registry import Reader, open_reader

OPEN_S = 60.0
"""A driver may try every speed there is."""
LISTEN_S = 8.0
LISTEN_ON_S = 1.0
"""After the first tag, so that the other antennas have their turn."""
ROOM_DB = 3
"""So much below the strongest signal a floor would let it pass, also when it fades a little."""


class Survey:
    """What one reader has reported, as far as it tells why presence would have none of it.

    Args:
        own_goods: EPC prefixes; without any, every tag is the site's own.
    """

    def __init__(self, config: ReaderConfig, own_goods: tuple[bytes, ...]) -> None:
        self.good: Read | None = None
        """The first read that presence would use."""
        self.weak: dict[int, float] = {}
        """The strongest signal below the floor, by antenna, in dBm."""
        self.unnamed: set[int] = set()
        """Antennas without an entry in `antennas`."""
        self.strays: set[bytes] = set()
        self._floors = {antenna.number: antenna.floor_dbm for antenna in config.antennas}
        self._own_goods = own_goods

    def note(self, read: Read) -> None:
        """One more read; one with a wrong check of its own is none."""
        floor_dbm = self._floors.get(read.antenna)
        if read.crc_ok is False:
            return
        if floor_dbm is None:
            self.unnamed.add(read.antenna)
        elif read.rssi_dbm < floor_dbm:
            self.weak[read.antenna] = max(self.weak.get(read.antenna, -math.inf), read.rssi_dbm)
        elif self._is_ours(read.epc):
            self.good = self.good or read
        else:
            self.strays.add(read.epc)

    def floor_of(self, antenna: int) -> float:
        """The configured floor, in dBm."""
        return self._floors[antenna]

    def _is_ours(self, epc: bytes) -> bool:
        """Whether it is own goods, or a card held to a card reader, whose number is never whole words."""
        return not self._own_goods or len(epc) % 2 == 1 or epc.startswith(self._own_goods)


async def examine_reader(config: ReaderConfig, own_goods: tuple[bytes, ...]) -> list[Finding]:
    """Open the reader, set it up and listen; the agent must not be running on it."""

    def opened(settings: Mapping[str, object]) -> AbstractAsyncContextManager[Reader]:
        return open_reader(config.type, config.id, str(config.port), settings, time.time_ns)

    try:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(OPEN_S):
                reader = await stack.enter_async_context(opened(config.settings))
            survey = Survey(config, own_goods)
            return _judge(config, survey, reader.health, await _listen(reader, survey))
    except ReaderTimeout as error:
        settings = config.settings
        return [await examine_silence(config.type, config.id, config.port, settings, opened, error, is_reader=True)]
    except ReaderRefused as error:
        return [troubled(config.id, f"{config.type} answers, but ", error)]
    except ReaderError as error:
        return [troubled(config.id, "", error)]
    except TimeoutError:
        return [Finding(WRONG, f"{config.id}: {config.type} is not ready after {OPEN_S:.0f} s", "switch it off and on")]


async def _listen(reader: Reader, survey: Survey) -> ReaderError | None:
    """Hear the reader for a while; what it failed with, if it did."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LISTEN_S) as limit:
            async for read in reader.reads():
                is_first = survey.good is None
                survey.note(read)
                if is_first and survey.good is not None:
                    limit.reschedule(min(limit.when() or 0.0, loop.time() + LISTEN_ON_S))
    except TimeoutError:
        return None
    except ReaderError as error:
        return error
    return None


def _judge(config: ReaderConfig, survey: Survey, health: ReaderHealth, failure: ReaderError | None) -> list[Finding]:
    """What to say of what was heard; never nothing."""
    found: list[Finding] = []
    if failure is not None:
        found.append(troubled(config.id, f"{config.type} answered, but ", failure))
    if survey.good is not None:
        tag = f"a tag at {survey.good.rssi_dbm:.0f} dBm on antenna {survey.good.antenna}"
        found.append(answers(config.id, config.type, tag, health))
    else:
        found += [*_weak(config, survey), *_strays(config, survey)]
    found += _unnamed(config, survey)
    if not found:
        return [_no_tag(config, health)]
    alarm = None if survey.good is not None else warned(f"{config.id}: {config.type}", health.alarm)
    return [*found, alarm] if alarm is not None else found


def _weak(config: ReaderConfig, survey: Survey) -> list[Finding]:
    if not survey.weak:
        return []
    antenna, strongest_dbm = max(survey.weak.items(), key=lambda each: each[1])
    floor_dbm, would_do_dbm = survey.floor_of(antenna), math.floor(strongest_dbm) - ROOM_DB
    return [
        Finding(
            WRONG,
            f"{config.id}: {config.type} reads, but everything is below the floor: the strongest is "
            f"{strongest_dbm:.0f} dBm on antenna {antenna}, whose floor_dbm is {floor_dbm:g}",
            f"floor_dbm = {would_do_dbm} would let it pass; or bring tag and antenna nearer, or raise power_dbm",
        )
    ]


def _strays(config: ReaderConfig, survey: Survey) -> list[Finding]:
    if not survey.strays:
        return []
    return [
        Finding(
            LOOK,
            f"{config.id}: {config.type} reads, but none of its {len(survey.strays)} tags is of the store's own goods; "
            "unless it is a member's card, such a tag is ignored on purpose",
            "if they are yours, add what their EPCs begin with to `own_goods` in the site file; `tacet epc decode` reads one",
        )
    ]


def _unnamed(config: ReaderConfig, survey: Survey) -> list[Finding]:
    return [
        Finding(
            LOOK if survey.good is not None else WRONG,
            f"{config.id}: {config.type} reads on antenna {antenna}, which has no entry in `antennas`, so in no zone",
            f'add {{ number = {antenna}, zone = "…" }} to its `antennas`, or let it use its other antennas only',
        )
        for antenna in sorted(survey.unnamed)
    ]


def _no_tag(config: ReaderConfig, health: ReaderHealth) -> Finding:
    if health.signs_of_life is None:
        return _no_card(config, health)
    what = f"{config.id}: {config.type} answers, but no tag in {LISTEN_S:.0f} s{celsius(health.temperature_c)}"
    if health.rearms and not health.alarm:
        step = "it may lose its power whenever it sends: give it a stronger supply, or lower power_dbm"
        return Finding(WRONG, f"{what}; it stopped reading {health.rearms} times and had to be set going again", step)
    step = "hold a tag of the store's goods near each antenna; then check antenna, cable and power_dbm"
    return warned(what, health.alarm, WRONG) or Finding(LOOK, what, step)


def _no_card(config: ReaderConfig, health: ReaderHealth) -> Finding:
    """A reader that cannot be asked: only what it says by itself can tell anything."""
    if health.discarded_bytes:
        what = (
            f"{config.id}: something speaks, but not as a {config.type} does ({health.discarded_bytes} bytes of noise)"
        )
        return Finding(WRONG, what, "check `type` and `baud`, and `pattern` where it has one")
    what = f"{config.id}: {config.type} says nothing in {LISTEN_S:.0f} s, as it does without a card, or without power"
    return Finding(LOOK, what, "hold a card to it while this runs")
