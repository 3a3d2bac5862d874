"""One device without a store: tags lie there, and whatever else it senses comes and goes every few seconds."""

import random
from collections.abc import Callable, Mapping, Sequence

from simulators.catalogue import READERS, RELAYS, SCALES, Switched
from simulators.device import Device
from simulators.escpos_label import EscposDevice
from simulators.hlk_ld2410 import Ld2410Device, Scene
from simulators.line_cards import LineCardDevice
from simulators.line_cards.device import decimal
from simulators.pn532_hsu import Card, Pn532Device
from simulators.rdm6300 import Rdm6300Device
from simulators.scene_file import Radio, Reader
from simulators.scene_radio import Antenna, Epc, TagSpot
from simulators.scene_shelf import LoadReading
from simulators.tfmini import Echo, TfMiniDevice

Tell = Callable[[str], None]
RHYTHM_NS = 6_000_000_000
"""Half of the time something is there, half of it not."""
STEPS_G = (0.0, 300.0, 600.0, 300.0)
SETTLES_NS = 600_000_000
CARD = 0x0A00_7B39_72
UID = bytes.fromhex("04a1b2c3d4e5f6")
NEAR_CM, FAR_CM, STRONG = 80, 400, 600
CAPACITY_G, CHANNELS, TAG_AT_M = 15_000.0, 4, 1.5
EPCS = tuple(bytes.fromhex(f"3034257bf400cb00000000{serial:02x}") for serial in (1, 2, 3))


def make_alone(type_name: str, epcs: Sequence[bytes], antennas: int, tell: Tell) -> Device:
    """A device of that type and what is around it.

    Args:
        epcs: of the tags before a UHF reader; all antennas see them, each from a little further away.
        tell: told what a person would see a relay or a printer do.

    Raises:
        KeyError: no such type.
    """
    if type_name in READERS:
        return READERS[type_name]([_antenna(number, epcs) for number in range(antennas)])
    if type_name in SCALES:
        return SCALES[type_name](_load, CAPACITY_G)
    if type_name in RELAYS:
        return RELAYS[type_name](CHANNELS, _teller(tell))
    return _Printer(tell) if type_name == "escpos-label" else _OTHERS[type_name]()


class _Printer(EscposDevice):
    """A printer whose paper can be read."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()
        self._tell, self._told = tell, 0

    def feed(self, data: bytes, now_ns: int) -> bytes:
        answer, told = super().feed(data, now_ns), len(self.papers)
        for paper in self.papers[self._told : told]:
            codes = [f"[{kind}: {code.decode('ascii', 'replace')}]" for kind, code in paper.codes]
            self._tell("\n".join((*(line.decode("cp437") for line in paper.lines), *codes, "- - - cut - - -")))
        self._told = told
        return answer


def is_there(now_ns: int) -> bool:
    """Whether the card, the person or the target is before the device now."""
    return bool(now_ns // RHYTHM_NS % 2)


def _antenna(number: int, epcs: Sequence[bytes]) -> Antenna:
    radio, reader = Radio(shelf_loss_db=0.0), Reader("alone", "magicrf-m100", (0.0, 0.0), 0.0)
    spots = [TagSpot(Epc(epc), "goods", (TAG_AT_M + 0.3 * number, 0.0), None, 0.0, on_shelf=True) for epc in epcs]
    return Antenna(radio, reader, lambda: spots, random.Random(f"antenna {number}"))


def _load(now_ns: int) -> LoadReading:
    step, since_ns = divmod(now_ns, RHYTHM_NS)
    return LoadReading(STEPS_G[step % len(STEPS_G)], since_ns >= SETTLES_NS)


def _teller(tell: Tell) -> Switched:
    def switched(channel: int, on: bool, _now_ns: int) -> None:
        tell(f"channel {channel} {'on' if on else 'off'}")

    return switched


def _coil(now_ns: int) -> int | None:
    return CARD if is_there(now_ns) else None


_OTHERS: Mapping[str, Callable[[], Device]] = {
    "hlk-ld2410": lambda: Ld2410Device(lambda now_ns: Scene(moving_cm=NEAR_CM) if is_there(now_ns) else Scene()),
    "line-cards": lambda: LineCardDevice(_coil, decimal),
    "pn532-hsu": lambda: Pn532Device(lambda now_ns: Card(UID) if is_there(now_ns) else None),
    "rdm6300": lambda: Rdm6300Device(_coil),
    "tfmini": lambda: TfMiniDevice(lambda now_ns: Echo(NEAR_CM if is_there(now_ns) else FAR_CM, STRONG)),
}
TYPES = tuple(sorted((*READERS, *SCALES, *RELAYS, *_OTHERS, "escpos-label")))
