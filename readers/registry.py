"""Readers, scales and presence sensors by type name, so that the agent needs no device knowledge.

    settings = stanza without id, type, port and the agent's own keys
    registry.check_reader("magicrf-m100", settings)                     # at start: SetupError ends the program
    async with registry.open_reader("magicrf-m100", "r-door", "/dev/serial/by-id/…", settings, clock_ns) as reader:
        async for read in reader.reads(): ...

A third party adds a device by the entry point group `tacet.readers`, `name = "package.module:DriverClass"`; the class
has a `settings_type` (a `DeviceSettings`) and the constructor of `Driver`.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar, Protocol, TypeVar, cast, runtime_checkable

from readers.errors import UnknownDevice
from readers.health import ReaderHealth
from readers.model import Chunk, ClockNs, Proximity, Read, ReaderId, Scanned, Weight
from readers.plugins import load_driver
from readers.ports import SerialPort
from readers.settings import DeviceSettings, decode_settings
from readers.wire_format import WireFormat

READERS = {
    "line-cards": "readers.line_cards.reader:LineCardReader",
    "magicrf-m100": "readers.magicrf_m100.reader:M100Reader",
    "mercury": "readers.mercury.reader:MercuryReader",
    "pn532-hsu": "readers.pn532_hsu.reader:Pn532Reader",
    "r2000-a0": "readers.r2000_a0.reader:R2000Reader",
    "rdm6300": "readers.rdm6300.reader:Rdm6300Reader",
    "uhfreader18": "readers.uhfreader18.reader:UhfReader18",
    "uhfreader288": "readers.uhfreader18.reader:UhfReader288",
}
SCALES = {
    "line-weight": "readers.line_weight.reader:LineScale",
    "modbus-weight": "readers.modbus_weight.reader:ModbusScale",
    "mt-sics": "readers.mt_sics.reader:MtSicsScale",
}
SENSORS = {
    "hlk-ld2410": "readers.hlk_ld2410.reader:Ld2410Sensor",
    "tfmini": "readers.tfmini.reader:TfMiniSensor",
}
GROUP = "tacet.readers"


class Reader(Protocol):
    """An open RFID reader."""

    @property
    def reader_id(self) -> ReaderId: ...
    @property
    def health(self) -> ReaderHealth: ...

    def reads(self) -> AsyncIterator[Read]:
        """Reads as they come, without end.

        Raises:
            ReaderDisconnected, ReaderTimeout, ReaderRefused: close it, wait, open it again.
        """


@runtime_checkable
class StreamingReader(Reader, Protocol):
    """A reader whose bytes the wire scan can take, which is much cheaper than `reads`; use one or the other."""

    @property
    def wire(self) -> WireFormat: ...

    def chunks(self) -> AsyncIterator[Chunk]:
        """Bytes as they come, without end.  Raises as `Reader.reads`."""

    def scanned(self, found: Scanned) -> None:
        """What the chunk just yielded held: call it before asking for the next, for the driver lives by it.

        Raises: as `chunks`.
        """


class Scale(Protocol):
    """An open scale."""

    @property
    def reader_id(self) -> ReaderId: ...
    @property
    def health(self) -> ReaderHealth: ...

    def weights(self) -> AsyncIterator[Weight]:
        """Weights as they come, without end.  Raises as `Reader.reads`."""


class Sensor(Protocol):
    """An open presence sensor: it tells whether somebody is there, not who, and not how many."""

    @property
    def reader_id(self) -> ReaderId: ...
    @property
    def health(self) -> ReaderHealth: ...

    def proximities(self) -> AsyncIterator[Proximity]:
        """Changes at once, the rest about ten times a second, without end.  Raises as `Reader.reads`."""


D = TypeVar("D", covariant=True)


class Driver(Protocol[D]):
    """The class behind a type name: constructed on an open port, entered to set the device up, left to stop it."""

    settings_type: ClassVar[type[DeviceSettings]]

    def __call__(
        self, reader_id: ReaderId, port: SerialPort, settings: DeviceSettings, clock_ns: ClockNs
    ) -> AbstractAsyncContextManager[D]: ...


def settings_for(type_name: str) -> type[DeviceSettings]:
    """The settings class of a reader, scale or sensor type, whose fields are the keys a stanza may have.

    Raises:
        UnknownDevice: no such type.
    """
    table = next((table for table in (SCALES, SENSORS) if type_name in table), READERS)
    return cast("Driver[object]", load_driver(type_name, "reader", table, GROUP)).settings_type


def bauds_of(type_name: str) -> tuple[int, ...]:
    """The speeds at which a device of this type may be; none where its driver finds the speed by itself, or cannot ask.

    Raises:
        UnknownDevice: no such type.
    """
    table = next((table for table in (SCALES, SENSORS) if type_name in table), READERS)
    bauds: tuple[int, ...] = getattr(load_driver(type_name, "reader", table, GROUP), "bauds", ())
    return bauds


def check_reader(type_name: str, settings: Mapping[str, object]) -> None:
    """Refuse a stanza that can never work, before anything opens.

    Raises:
        UnknownDevice, SettingsError: one line each; the caller adds which stanza.
    """
    decode_settings(settings, _find_reader(type_name).settings_type)


def antennas_of(type_name: str, settings: Mapping[str, object]) -> tuple[int, ...]:
    """The antennas that a reader reads with because of its settings, counted from 1.  Raises as `check_reader`."""
    return decode_settings(settings, _find_reader(type_name).settings_type).active_antennas


def check_scale(type_name: str, settings: Mapping[str, object]) -> None:
    """As `check_reader`, for a scale."""
    decode_settings(settings, _find_scale(type_name).settings_type)


def check_sensor(type_name: str, settings: Mapping[str, object]) -> None:
    """As `check_reader`, for a presence sensor."""
    decode_settings(settings, _find_sensor(type_name).settings_type)


def open_reader(
    type_name: str, reader_id: str, port_path: str, settings: Mapping[str, object], clock_ns: ClockNs
) -> AbstractAsyncContextManager[Reader]:
    """A reader, opened and set up on entering, stopped and closed on leaving.

    Args:
        settings: the device's own keys of the stanza; `baud` overrides the device's default.

    Raises:
        UnknownDevice, SettingsError: at the call.
        ReaderDisconnected, ReaderTimeout, ReaderRefused: on entering; each says what to do.
    """
    return _open(_find_reader(type_name), reader_id, port_path, settings, clock_ns)


def open_scale(
    type_name: str, scale_id: str, port_path: str, settings: Mapping[str, object], clock_ns: ClockNs
) -> AbstractAsyncContextManager[Scale]:
    """As `open_reader`, for a scale."""
    return _open(_find_scale(type_name), scale_id, port_path, settings, clock_ns)


def open_sensor(
    type_name: str, sensor_id: str, port_path: str, settings: Mapping[str, object], clock_ns: ClockNs
) -> AbstractAsyncContextManager[Sensor]:
    """As `open_reader`, for a presence sensor."""
    return _open(_find_sensor(type_name), sensor_id, port_path, settings, clock_ns)


def _find_reader(type_name: str) -> Driver[Reader]:
    driver = load_driver(type_name, "reader", READERS, GROUP)
    if not hasattr(driver, "reads"):
        raise UnknownDevice(f"type {type_name!r} is no reader; known: {', '.join(READERS)}")
    return cast("Driver[Reader]", driver)


def _find_scale(type_name: str) -> Driver[Scale]:
    driver = load_driver(type_name, "scale", SCALES, GROUP)
    if not hasattr(driver, "weights"):
        raise UnknownDevice(f"type {type_name!r} is no scale; known: {', '.join(SCALES)}")
    return cast("Driver[Scale]", driver)


def _find_sensor(type_name: str) -> Driver[Sensor]:
    driver = load_driver(type_name, "sensor", SENSORS, GROUP)
    if not hasattr(driver, "proximities"):
        raise UnknownDevice(f"type {type_name!r} is no sensor; known: {', '.join(SENSORS)}")
    return cast("Driver[Sensor]", driver)


def _open(
    driver: Driver[D], device_id: str, port_path: str, stanza: Mapping[str, object], clock_ns: ClockNs
) -> AbstractAsyncContextManager[D]:
    settings = decode_settings(stanza, driver.settings_type)

    @asynccontextmanager
    async def opened() -> AsyncIterator[D]:
        async with (
            SerialPort(port_path, settings.baud, line=settings.line) as port,
            driver(ReaderId(device_id), port, settings, clock_ns) as device,
        ):
            yield device

    return opened()
