"""Serial ports: bytes in and out of a device file.  The only module that knows pyserial.

pyserial opens, locks and configures; the descriptor is then read by the event loop, without a thread.
"""

import asyncio
import errno
import os
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import serial

from readers.errors import ReaderDisconnected, ReaderTimeout, SettingsError
from readers.settings import LineForm

BUFFER_BYTES = 1 << 20
READ_BYTES = 1 << 16
SEND_TIMEOUT_S = 2.0
LAST_WORDS_S = 0.3


class BytePort(Protocol):
    """A byte stream to and from one device."""

    overrun_bytes: int
    """Bytes lost so far because nobody took them in time."""

    async def receive(self) -> bytes:
        """What has arrived, at least one byte; b"" once the port was closed by us.

        Raises:
            ReaderDisconnected: the port is gone.
        """

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the port.

        Raises:
            ReaderDisconnected: the port is gone.
            ReaderTimeout: the port takes no bytes.
        """

    def set_baud(self, baud: int) -> None:
        """Go on at another speed; what is under way is lost.

        Raises:
            ReaderDisconnected: the port is gone.
            SettingsError: it cannot run at that speed.
        """

    def close(self) -> None:
        """Give the port back.  Harmless when it is closed already."""


class SerialPort:
    """A serial device: exclusive, raw, without flow control.  Works on ptys, which have no baud rate, and 8 bits only.

    Bytes nobody takes are kept up to `buffer_bytes`; then the oldest are dropped and counted in `overrun_bytes`.
    """

    def __init__(
        self, path: str | Path, baud: int, *, line: LineForm = "8N1", buffer_bytes: int = BUFFER_BYTES
    ) -> None:
        self.path = str(path)
        self.overrun_bytes = 0
        self._baud, self._line, self._limit = baud, line, buffer_bytes
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._sending = asyncio.Lock()
        self._device: serial.Serial | None = None
        self._fd = -1
        self._lost: ReaderDisconnected | None = None

    async def __aenter__(self) -> Self:
        """Open the device file.

        Raises:
            ReaderDisconnected: it cannot be opened; the message says what to do.
            SettingsError: the port cannot run at that baud rate, or in that form.
        """
        self._device = _open_device(self.path, self._baud, self._line)
        self._fd = self._device.fileno()
        asyncio.get_running_loop().add_reader(self._fd, self._take_in)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._let_last_words_out()
        finally:
            self.close()

    async def receive(self) -> bytes:
        """All bytes that have arrived since the last call, waiting for the first.  See `BytePort`."""
        while not self._buffer:
            if self._lost is not None:
                raise self._lost
            if self._device is None:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    async def send(self, data: bytes) -> None:
        """Write all of `data`; concurrent calls do not mix.  See `BytePort`."""
        async with self._sending:
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._write_all(data)
            except TimeoutError as error:
                raise ReaderTimeout(f"{self.path}: takes no bytes; is the device stuck or flow control on?") from error

    def set_baud(self, baud: int) -> None:
        """Go on at another speed.  See `BytePort`."""
        if self._lost is not None:
            raise self._lost
        if self._device is None:
            raise ReaderDisconnected(f"{self.path}: closed")
        self._buffer.clear()
        with _explained(self.path, baud):
            self._device.baudrate = baud

    def close(self) -> None:
        """Give the port back; a waiting `receive` returns what is left, then b""."""
        if self._device is None:
            return
        self._stop_listening()
        with suppress(OSError):  # the descriptor of an unplugged device may complain; it is closed all the same
            self._device.close()
        self._device, self._fd = None, -1
        self._arrived.set()

    def _take_in(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(error)
            return
        if not data:  # ready but empty: hung up
            self._lose(None)
            return
        self._buffer += data
        if len(self._buffer) > self._limit:
            excess = len(self._buffer) - self._limit
            del self._buffer[:excess]
            self.overrun_bytes += excess
        self._arrived.set()

    def _lose(self, cause: OSError | None) -> None:
        self._stop_listening()
        self._lost = ReaderDisconnected(explain(self.path, cause.errno if cause else errno.EIO))
        self._lost.__cause__ = cause
        self._arrived.set()

    def _stop_listening(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)

    async def _write_all(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            if self._lost is not None:
                raise self._lost
            if self._device is None:
                raise ReaderDisconnected(f"{self.path}: closed")
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                await self._writable()
            except OSError as error:
                raise ReaderDisconnected(explain(self.path, error.errno)) from error

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(self._fd)

    async def _let_last_words_out(self) -> None:
        """Give the driver's parting command time to leave; the kernel would block us up to 30 s for it on close."""
        if self._device is None or self._lost is not None:
            return
        try:
            deadline = asyncio.get_running_loop().time() + LAST_WORDS_S
            while self._device.out_waiting:
                if asyncio.get_running_loop().time() > deadline:
                    self._device.reset_output_buffer()
                    return
                await asyncio.sleep(0.005)
        except (OSError, termios.error):
            return  # unplugged meanwhile: nobody is left to hear them


async def drain(port: BytePort, quiet_ms: int = 200, limit_ms: int = 3000) -> bool:
    """Throw away what arrives until the line is quiet.

    Args:
        quiet_ms: how long nothing must come.
        limit_ms: give up after this long.

    Returns:
        Whether the line fell quiet.

    Raises:
        ReaderDisconnected: the port is gone.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit_ms / 1000
    while loop.time() < deadline:
        try:
            async with asyncio.timeout(quiet_ms / 1000):
                if not await port.receive():
                    return True
        except TimeoutError:
            return True
    return False


def explain(path: str, code: int | None) -> str:
    """One line: what is wrong with a port, and what to do about it.

    Args:
        code: errno of the failed call, None where pyserial gives none.
    """
    if code in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        return f"{path}: no such device; check the cable, then see what is there with `ls -l /dev/serial/by-id`"
    if code in (errno.EACCES, errno.EPERM):
        return f"{path}: no permission; join the group of the port: `sudo usermod -aG dialout $USER`, log in again"
    if code in (errno.EBUSY, errno.EAGAIN):
        return f"{path}: in use by another program; `fuser -v {path}` names it"
    if code in (errno.ENOTTY, errno.EISDIR, None):
        return f"{path}: not a serial port; `ls -l /dev/serial/by-id` lists those there are"
    return f"{path}: disconnected ({os.strerror(code)}); check the cable and the device's power"


def _open_device(path: str, baud: int, line: LineForm) -> serial.Serial:
    data_bits, parity, stop_bits = int(line[0]), line[1], int(line[2])
    with _explained(path, baud):
        return serial.Serial(path, baud, data_bits, parity, stop_bits, timeout=0, write_timeout=0, exclusive=True)


@contextmanager
def _explained(path: str, baud: int) -> Iterator[None]:
    """Turn what pyserial complains of into our errors."""
    try:
        yield
    except (OSError, termios.error) as error:  # SerialException is an OSError
        code = error.errno if isinstance(error, OSError) else error.args[0]
        raise ReaderDisconnected(explain(path, code)) from error
    except ValueError as error:
        raise SettingsError(f"baud: {path} cannot run at {baud} baud: {error}") from error
