"""Ptys that stand for serial cables: one per device, under a steady name, paced to the line's speed.

A pty has no speed, so the bytes of a device are let through at baud / 10 per second.  While no host has the port open, or
the host does not read, what the device says is lost, as on a real line; the pty tells whether a host is there by a hang-up.
"""

import errno
import os
import select
import termios
import tty
from pathlib import Path

from simulators.device import Device
from simulators.errors import SimulatorError

FIFO_BYTES = 4096
BURST_NS = 20_000_000  # a late tick may catch up this much of the line's time
NS_PER_S = 1_000_000_000
BITS_PER_BYTE = 10
OUTPUT_SPEED = 5  # of a terminal's attributes


class Pacer:
    """How many bytes a line has carried by a given time."""

    def __init__(self) -> None:
        self._credit = 0  # in bytes * ns per s, so that nothing is lost to rounding
        self._at_ns: int | None = None

    def allowance(self, baud: int, now_ns: int) -> int:
        """How many bytes may pass now."""
        elapsed_ns = 0 if self._at_ns is None else now_ns - self._at_ns
        self._at_ns = now_ns
        bytes_per_s = baud // BITS_PER_BYTE
        self._credit = min(self._credit + elapsed_ns * bytes_per_s, max(BURST_NS * bytes_per_s, NS_PER_S))
        return self._credit // NS_PER_S

    def spend(self, count: int, *, idle: bool) -> None:
        """`count` bytes went out; a line with nothing more to say saves up no more than one byte."""
        self._credit -= count * NS_PER_S
        if idle:
            self._credit = min(self._credit, NS_PER_S)


class PtyLine:
    """One device at one port.  `step` does all the work and is to be called every few ms.

    Args:
        minds_baud: bytes pass only while the host's speed is the device's; else each side reads framing errors, which a
            UART gives as NUL.
    """

    def __init__(self, device: Device, link: Path, *, minds_baud: bool = False) -> None:
        self.device, self.link = device, link
        self._minds_baud = minds_baud
        self.lost_bytes = 0
        self._master: int | None = None
        self._fifo = bytearray()
        self._pacer = Pacer()
        self._poll = select.poll()

    @property
    def waiting_bytes(self) -> int:
        """What the device has said and the line has not yet carried."""
        return len(self._fifo)

    def plug(self) -> None:
        """Make the port appear under its name.  An old link of a dead simulator is replaced.

        Raises:
            SimulatorError: something else stands there.
        """
        if self._master is not None:
            return
        master, slave = os.openpty()
        tty.setraw(slave)
        name = os.ttyname(slave)
        os.close(slave)  # so that the master sees a hang-up whenever no host is there
        os.set_blocking(master, False)
        try:
            if self.link.is_symlink():
                self.link.unlink()
            self.link.symlink_to(name)
        except OSError as error:
            os.close(master)
            raise SimulatorError(
                f"{self.link}: cannot be made a port: {error.strerror}; choose a place in a folder that there is"
            ) from error
        self._master = master
        self._poll.register(master, select.POLLIN)

    def unplug(self) -> None:
        """Pull the cable: the host sees the port vanish, and what was under way is lost."""
        if self._master is None:
            return
        self.link.unlink(missing_ok=True)
        self._poll.unregister(self._master)
        os.close(self._master)
        self._master = None
        self._fifo.clear()

    def step(self, now_ns: int) -> None:
        """Carry bytes both ways up to `now_ns`."""
        heard, host_is_there = self._receive()
        if heard:
            self._fifo += self._carried(self.device.feed(self._carried(heard), now_ns))
        self._fifo += self._carried(self.device.tick(now_ns))
        if len(self._fifo) > FIFO_BYTES:
            self.lost_bytes += len(self._fifo) - FIFO_BYTES
            del self._fifo[FIFO_BYTES:]
        count = min(self._pacer.allowance(self.device.baud, now_ns), len(self._fifo))
        if count:
            sent = self._send(bytes(self._fifo[:count])) if host_is_there else 0
            self.lost_bytes += count - sent
            del self._fifo[:count]
        self._pacer.spend(count, idle=not self._fifo)

    def _carried(self, data: bytes) -> bytes:
        """What the other side makes of it."""
        if not data or not self._minds_baud or self._master is None:
            return data
        return data if termios.tcgetattr(self._master)[OUTPUT_SPEED] == _speed(self.device.baud) else bytes(len(data))

    def _receive(self) -> tuple[bytes, bool]:
        """What the host sent, and whether one is there."""
        if self._master is None:
            return b"", False
        events = self._poll.poll(0)
        if not events:
            return b"", True
        _, what = events[0]
        heard = b""
        if what & select.POLLIN:
            try:
                heard = os.read(self._master, FIFO_BYTES)
            except OSError as error:
                if error.errno not in (errno.EIO, errno.EAGAIN):
                    raise
        return heard, not what & select.POLLHUP

    def _send(self, data: bytes) -> int:
        """How many bytes the host's buffer took."""
        if self._master is None:
            return 0
        try:
            return os.write(self._master, data)
        except OSError as error:
            if error.errno not in (errno.EIO, errno.EAGAIN):
                raise
            return 0


def _speed(baud: int) -> int:
    """The number the kernel has for a speed."""
    speed = getattr(termios, f"B{baud}")
    assert isinstance(speed, int)
    return speed
