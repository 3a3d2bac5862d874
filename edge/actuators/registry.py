"""Actuators by type name, the same shape as `readers.registry`.

settings = stanza without id, type, port: `channel` and `safe` belong to the device
registry.check_relay("lcus-relay", settings)                        # at start: SetupError ends the program
async with registry.open_relay("lcus-relay", "lamp-s1", "/dev/serial/by-path/…", settings) as relay:
    await relay.switch(on=True)                                     # its configured channel
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar, Protocol, cast

from readers.plugins import load_driver
from readers.ports import SerialPort
from readers.settings import DeviceSettings, decode_settings

RELAYS = {
    "lcus-relay": "edge.actuators.lcus_relay.relay:LcusRelay",
    "modbus-relay": "edge.actuators.modbus_relay.relay:ModbusRelay",
}
GROUP = "tacet.actuators"


class Relay(Protocol):
    """An open relay.  Opening it puts its configured channel into its safe state."""

    @property
    def safe(self) -> bool:
        """The state to be in when nobody is in charge: True is on."""

    async def set(self, channel: int, on: bool) -> None:
        """Put one channel, counted from 1, into a state.

        Raises:
            ReaderDisconnected, ReaderTimeout: the order may not have arrived; close and open again.
            ValueError: no such channel.
        """

    async def switch(self, *, on: bool) -> None:
        """Put the configured channel into a state.  Raises as `set`."""


class Driver(Protocol):
    """The class behind a type name."""

    settings_type: ClassVar[type[DeviceSettings]]

    def __call__(self, port: SerialPort, settings: DeviceSettings) -> AbstractAsyncContextManager[Relay]: ...


def settings_for(type_name: str) -> type[DeviceSettings]:
    """The settings class of a relay type.

    Raises:
        UnknownDevice: no such type.
    """
    return _find(type_name).settings_type


def check_relay(type_name: str, settings: Mapping[str, object]) -> None:
    """Refuse a stanza that can never work, before anything opens.

    Raises:
        UnknownDevice, SettingsError: one line each; the caller adds which stanza.
    """
    decode_settings(settings, settings_for(type_name))


def open_relay(type_name: str, port_path: str, settings: Mapping[str, object]) -> AbstractAsyncContextManager[Relay]:
    """A relay, opened and put into its safe state on entering, again on leaving.

    Raises:
        UnknownDevice, SettingsError: at the call.
        ReaderDisconnected, ReaderTimeout: on entering.
    """
    driver = _find(type_name)
    decoded = decode_settings(settings, driver.settings_type)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Relay]:
        async with SerialPort(port_path, decoded.baud, line=decoded.line) as port, driver(port, decoded) as relay:
            yield relay

    return opened()


def _find(type_name: str) -> Driver:
    return cast("Driver", load_driver(type_name, "actuator", RELAYS, GROUP))
