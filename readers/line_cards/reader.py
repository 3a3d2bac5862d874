r"""Card reader that types a line per touch (USB-serial "keyboard" readers, ID-12 and ID-20): driver.

    [[readers]]
    id = "r-till"
    type = "line-cards"
    port = "/dev/serial/by-id/…"
    baud = 9600
    pattern = "(?P<number>[0-9]{10})"   # matches the whole line, without its end
    number = "decimal"                  # or "hex", or "facility": groups `facility` and `serial`, as in 123,14706
    card = "em4100"                     # or "nfc": `number = "hex"`, the UID in the order in which the card sends it
    # high_byte = 0                     # with "facility", always: the part of the number that this form leaves out
    # one_touch = true                  # one line is enough; only where the pattern has a `check` group
    antennas = [{ number = 1, zone = "till" }]

An ID-12 or ID-20: `pattern = "(?P<number>[0-9A-F]{10})(?P<check>[0-9A-F]{2})"`, `number = "hex"`, `one_touch = true`.
The reader must be a serial port to the host (its own setting, or its USB-serial version); one that is a keyboard types into
whatever program is in front, and is not for us.

Presence names a person after two equal reads, and such a reader types once per touch.  So the card has to be touched twice
within 1.5 s, or what `confirm_window_ms` under `[presence.desk]` says: a digit that was lost or changed on the way then names
nobody.  A `check` is the XOR of the number's bytes, which no single wrong digit passes and one in 256 of all other mistakes
does; who finds that good enough says `one_touch`, and such a line is reported as two reads.
There is no liveness: a reader without a card is as silent as one that is broken.
"""

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

import msgspec

from readers.card_number import CARD_RSSI_DBM
from readers.line_cards.codec import Line, LineDecoder
from readers.line_cards.commands import NumberForm, Technology, card_of
from readers.model import ClockNs, Epc, Read, ReaderId
from readers.passive import PassiveDriver
from readers.ports import BytePort, drain
from readers.settings import Baud, DeviceSettings

ONLY_ANTENNA = 1
TOLD_TWICE = 2
OLD_MS = 1000
"""A reader that never falls quiet is taken as it comes."""


class LineCardsSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of the reader's stanza; see the module's docstring."""

    baud: Baud = 9600
    pattern: str = "(?P<number>[0-9]{10})"
    number: NumberForm = "decimal"
    card: Technology = "em4100"
    high_byte: Annotated[int, msgspec.Meta(ge=0, le=255)] | None = None
    one_touch: bool = False

    def __post_init__(self) -> None:
        """Check what types cannot."""
        groups = set(_compiled(self.pattern).groupindex)
        wanted = {"facility", "serial"} if self.number == "facility" else {"number"}
        if missing := sorted(wanted - groups):
            raise ValueError(f"`pattern` has no group (?P<{missing[0]}>…), which `number = {self.number!r}` needs")
        if "check" in groups and self.number != "hex":
            raise ValueError('a `check` group goes with `number = "hex"`, whose bytes it checks')
        if self.one_touch and "check" not in groups:
            raise ValueError("`one_touch` needs a `check` group: one unchecked line must never name a person")
        if self.card == "nfc" and self.number != "hex":
            raise ValueError('`card = "nfc"` goes with `number = "hex"`')
        if (self.number == "facility") == (self.high_byte is None):
            raise ValueError('`high_byte` goes with `number = "facility"`, always and only')


class LineCardReader(PassiveDriver[Line]):
    """One reader on one port.

    Args:
        clock_ns: stamps the reads.
    """

    settings_type: ClassVar[type[DeviceSettings]] = LineCardsSettings

    def __init__(self, reader_id: ReaderId, port: BytePort, settings: LineCardsSettings, clock_ns: ClockNs) -> None:
        self._settings, self._shape = settings, _compiled(settings.pattern)
        super().__init__(reader_id, port, lambda: LineDecoder(self._shape), clock_ns)

    async def __aenter__(self) -> Self:
        """Drop what is just being typed: the rest of a line may have the shape of a whole one.

        Raises:
            ReaderDisconnected: the port is gone.
        """
        await drain(self._port, limit_ms=OLD_MS)
        return self

    def _reads_of(self, frame: Line, read_at_ns: int) -> Sequence[Read]:
        settings, found = self._settings, self._shape.fullmatch(frame.text)
        assert found is not None  # else it would be no line
        card = Epc(card_of(found, settings.number, settings.card, settings.high_byte or 0))
        read = Read(card, self.reader_id, ONLY_ANTENNA, CARD_RSSI_DBM, read_at_ns)
        return [read] * (TOLD_TWICE if settings.one_touch else 1)


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.ASCII)
    except re.error as error:
        raise ValueError(f"`pattern` is no regular expression: {error}") from error
