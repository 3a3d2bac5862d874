"""What every simulated device is: firmware on a serial line, bytes in and bytes out, the time passed in."""

from typing import Protocol


class Device(Protocol):
    """Firmware on a serial line.  It opens nothing, waits for nothing and knows no clock."""

    @property
    def baud(self) -> int:
        """The line's speed now."""

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Take what the host sent; give what the device says at once."""

    def tick(self, now_ns: int) -> bytes:
        """What the device says by itself up to `now_ns`.  Called every few ms."""
