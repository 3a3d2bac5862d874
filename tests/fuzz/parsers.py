"""What takes frames behind their codec: the parsers of answers, and the drivers' own reading of what comes unasked.

Each is fresh for one input, and may refuse a frame with FrameError or, where a reader says that it will not go on,
ReaderRefused.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import msgspec

import readers.hlk_ld2410.commands as ld2410
import readers.magicrf_m100.answers as m100
import readers.mercury.answers as mercury
import readers.mt_sics.commands as mt_sics
import readers.pn532_hsu.commands as pn532
import readers.r2000_a0.answers as r2000
import readers.tfmini.commands as tfmini
import readers.uhfreader18.answers as uhfreader18
from readers.driver import StreamDriver
from readers.errors import FrameError
from readers.hlk_ld2410.codec import ANSWER_BIT, Report
from readers.hlk_ld2410.reader import Ld2410Sensor
from readers.magicrf_m100.reader import M100Reader
from readers.mercury.reader import MercuryReader
from readers.model import ReaderId
from readers.ports import BytePort
from readers.r2000_a0.reader import R2000Reader
from readers.rdm6300.reader import Rdm6300Reader
from readers.settings import DeviceSettings
from readers.tfmini.codec import Command, Measurement, Text
from readers.tfmini.reader import TfMiniSensor
from readers.uhfreader18.commands import Dialect
from readers.uhfreader18.reader import UhfReader18, UhfReader288

Parser = Callable[[Any], object]


def made(driver: Any, model: type[DeviceSettings], **settings: object) -> Any:
    """A driver on no port: it is asked only what waits for nothing."""
    return driver(ReaderId("r-1"), cast("BytePort", None), msgspec.convert(settings, model), lambda: 0)


def streaming(driver: type[StreamDriver[Any]], **settings: object) -> list[Parser]:
    """What a streaming driver makes of a frame."""
    reader = made(driver, driver.settings_type, power_dbm=20, **settings)
    return [_firm(reader._is_sign_of_life), lambda frame: [hash(read) for read in reader._interpret(frame, 0)]]


def passive(driver: Any) -> list[Parser]:
    """What a driver makes of a frame whose reader only speaks."""
    reader = made(driver, driver.settings_type)
    return [lambda frame: reader._reads_of(frame, 0)]


def sensing(driver: Any, **settings: object) -> list[Parser]:
    """What a presence sensor's driver makes of a frame."""
    sensor = made(driver, driver.settings_type, **settings)
    return [_firm(sensor._is_report), _firm(lambda frame: sensor._sense(frame, 0))]


def ld2410_parsers() -> list[Parser]:
    """Of reports, and of answers whatever they answer."""

    def parse(frame: Any) -> None:
        if isinstance(frame, Report):
            target = ld2410.parse_report(frame)
            assert target.distance_cm is None or target.distance_cm > 0
            assert target.moving is None or target.occupied is not None

    answers = (
        ld2410.status_of,
        ld2410.parse_firmware,
        ld2410.parse_parameters,
        lambda frame: ld2410.parse_words(frame, 1),
    )
    asked = [_where(lambda frame: not isinstance(frame, Report) and frame.code & ANSWER_BIT, each) for each in answers]
    return [parse, *asked, *sensing(Ld2410Sensor)]


def m100_parsers() -> list[Parser]:
    """Of any frame."""
    parsers: list[Parser] = [m100.parse_tag_notice, m100.parse_error, m100.parse_power_cdbm, m100.parse_info]
    return [*parsers, *streaming(M100Reader, region="europe")]


def mercury_parsers() -> list[Parser]:
    """Of any answer."""
    parsers: list[Parser] = [
        mercury.is_sign_of_life,
        mercury.parse_search,
        mercury.parse_tag,
        mercury.parse_streamed_temperature,
        mercury.parse_found,
        mercury.parse_tag_buffer,
        lambda answer: mercury.parse_version(answer).model,
        mercury.parse_serial_number,
        mercury.parse_in_bootloader,
        mercury.parse_power,
        mercury.parse_antennas,
        mercury.parse_temperature,
    ]
    return [*parsers, *streaming(MercuryReader, region="eu3")]


def mt_sics_parsers() -> list[Parser]:
    """Of any line of the scale."""
    return [lambda line: mt_sics.to_grams(mt_sics.parse(line))]


def pn532_parsers() -> list[Parser]:
    """Of any information frame."""
    return [
        pn532.is_error,
        *(
            _where(lambda frame: hasattr(frame, "body"), each)
            for each in (
                pn532.parse_firmware,
                pn532.parse_targets,
                lambda frame: pn532.is_answer(frame, pn532.poll()),
            )
        ),
    ]


def r2000_parsers() -> list[Parser]:
    """Of any answer."""
    parsers: list[Parser] = [
        r2000.parse_inventory,
        r2000.parse_buffered_tag,
        r2000.parse_firmware,
        r2000.parse_byte,
        r2000.parse_temperature_c,
        r2000.parse_powers_dbm,
    ]
    return [*parsers, *streaming(R2000Reader, region="europe", active_antennas=[1, 2])]


def rdm6300_parsers() -> list[Parser]:
    """Of any report."""
    return passive(Rdm6300Reader)


def tfmini_parsers() -> list[Parser]:
    """Of measurements and versions."""
    return [
        _where(lambda frame: isinstance(frame, Measurement), lambda frame: tfmini.parse(frame, tfmini.MIN_STRENGTH)),
        _where(lambda frame: isinstance(frame, Text), tfmini.parse_text),
        _where(lambda frame: isinstance(frame, Command), tfmini.parse_version),
        *sensing(TfMiniSensor, occupied_within_cm=100),
    ]


def uhfreader_parsers() -> list[Parser]:
    """Of any answer, in both dialects."""
    parsers: list[Parser] = [
        *(lambda frame, dialect=dialect: uhfreader18.parse_sighting(frame, dialect) for dialect in Dialect),
        *(lambda frame, dialect=dialect: uhfreader18.is_acknowledgement(frame, dialect) for dialect in Dialect),
        uhfreader18.meaning,
        uhfreader18.parse_info,
        _where(uhfreader18.is_mode, uhfreader18.parse_mode),
    ]
    for driver in (UhfReader18, UhfReader288):
        for mode in ("poll", "active"):
            parsers += streaming(driver, region="europe", mode=mode)
    return parsers


def _firm(parse: Parser) -> Parser:
    """A parser whose refusal nobody would catch."""

    def parse_all(frame: Any) -> object:
        try:
            return parse(frame)
        except FrameError as error:
            raise AssertionError(f"{frame} is refused: {error}") from error

    return parse_all


def _where(fits: Parser, parse: Parser) -> Parser:
    return lambda frame: parse(frame) if fits(frame) else None


PARSERS: Mapping[str, Callable[[], list[Parser]]] = {
    "hlk-ld2410": ld2410_parsers,
    "magicrf-m100": m100_parsers,
    "mercury": mercury_parsers,
    "mt-sics": mt_sics_parsers,
    "pn532-hsu": pn532_parsers,
    "r2000-a0": r2000_parsers,
    "rdm6300": rdm6300_parsers,
    "tfmini": tfmini_parsers,
    "uhfreader18": uhfreader_parsers,
    "uhfreader288": uhfreader_parsers,
}
"""By protocol, what its drivers do with a device's frames."""
