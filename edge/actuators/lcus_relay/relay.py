"""LCUS-n USB relay board: driver.

    [[actuators]]
    id = "lamp-s1"
    type = "lcus-relay"
    port = "/dev/serial/by-path/…"   # boards look alike, so name the USB socket
    channel = 1
    safe = "off"                     # the state to be in when nobody is in charge
    channels = 1                     # how many the board has
    baud = 9600

The board keeps its state while the host restarts and never answers, so opening sets a defined state.  What it was told
is all that is known: there is no read-back.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

from edge.actuators.channel import OwnChannel
from readers.lcus_relay.codec import Frame
from readers.ports import BytePort
from readers.settings import Baud, DeviceSettings

Channel = Annotated[int, msgspec.Meta(ge=1, le=16)]


class LcusSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a relay's stanza; see the module's docstring."""

    baud: Baud = 9600
    channel: Channel = 1
    safe: Literal["on", "off"] = "off"
    channels: Channel = 16

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.channel > self.channels:
            raise ValueError(f"channel {self.channel} is not on a board of {self.channels} channels")


class LcusRelay(OwnChannel):
    """One board on one port, of which one channel is ours.  Entering and leaving put that channel into its safe state."""

    settings_type: ClassVar[type[DeviceSettings]] = LcusSettings

    def __init__(self, port: BytePort, settings: LcusSettings) -> None:
        super().__init__(settings.channel, settings.channels, settings.safe)
        self._port = port

    async def set(self, channel: int, on: bool) -> None:
        """Put one channel into a state; returns once the order is on its way.

        Raises:
            ReaderDisconnected, ReaderTimeout: the order may not have arrived.
            ValueError: the board has no such channel.
        """
        self._refuse_unknown(channel)
        await self._port.send(Frame(channel, on).to_bytes())
