"""Receipt printers by type name, the same shape as `edge.actuators.registry`.

    settings = stanza without id, type, port
    printers.check_printer("escpos-label", settings)                    # at start: SetupError ends the program
    async with printers.open_printer("escpos-label", "/dev/serial/by-path/…", settings) as printer:
        await printer.print_label(Label(("Thank you",), Code("qr", "https://…")))

A printer is no relay: it has no state to hold and no safe one to go back to, and a label that was printed twice stays printed.
There is no message yet that orders a label, so an agent opens none by itself; `tacet doctor` asks each how it is.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, cast

from readers.model import PrinterStatus
from readers.plugins import load_driver
from readers.ports import SerialPort
from readers.settings import DeviceSettings, decode_settings

PRINTERS = {"escpos-label": "edge.actuators.escpos_label.printer:EscposPrinter"}
GROUP = "tacet.printers"


class LabelError(ValueError):
    """A label that this printer can never print: our own misuse.  The message tells no text of it."""


@dataclass(frozen=True, slots=True)
class Code:
    """A code on a label.

    Args:
        kind: `ean13` takes 13 digits with a right check digit, the others printable ASCII.
    """

    kind: Literal["qr", "code128", "ean13"]
    data: str


@dataclass(frozen=True, slots=True)
class Label:
    """A small receipt.

    Args:
        lines: of text, from the top; an empty one is a gap.
        code: below the text.
    """

    lines: tuple[str, ...]
    code: Code | None = None


class Printer(Protocol):
    """An open printer."""

    async def status(self) -> PrinterStatus:
        """How it is now.

        Raises:
            ReaderDisconnected, ReaderTimeout: close and open again.
        """

    async def print_label(self, label: Label) -> None:
        """Print and cut.  Returns once the printer has taken it and reports no trouble; that is not yet paper in a hand.

        Raises:
            LabelError: it does not fit, or has a letter that the printer lacks; nothing was sent.
            ReaderRefused: the printer has no paper, is open, off-line or broken; says whether anything was sent.
            ReaderDisconnected, ReaderTimeout: nobody knows whether it was printed; close and open again.
        """


class Driver(Protocol):
    """The class behind a type name."""

    settings_type: ClassVar[type[DeviceSettings]]

    def __call__(self, port: SerialPort, settings: DeviceSettings) -> AbstractAsyncContextManager[Printer]: ...


def check_printer(type_name: str, settings: Mapping[str, object]) -> None:
    """Refuse a stanza that can never work, before anything opens.

    Raises:
        UnknownDevice, SettingsError: one line each; the caller adds which stanza.
    """
    decode_settings(settings, _find(type_name).settings_type)


def open_printer(
    type_name: str, port_path: str, settings: Mapping[str, object]
) -> AbstractAsyncContextManager[Printer]:
    """A printer that answers.

    Raises:
        UnknownDevice, SettingsError: at the call.
        ReaderDisconnected, ReaderTimeout: on entering.
    """
    driver = _find(type_name)
    decoded = decode_settings(settings, driver.settings_type)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Printer]:
        async with SerialPort(port_path, decoded.baud) as port, driver(port, decoded) as printer:
            yield printer

    return opened()


def _find(type_name: str) -> Driver:
    return cast("Driver", load_driver(type_name, "printer", PRINTERS, GROUP))
