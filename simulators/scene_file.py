"""The scene file: radio, places, goods and people of a simulated store, as frozen values.

Positions are metres on the site's floor plan, origin top left.  Unknown keys are refused.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from simulators.errors import SimulatorError

T = TypeVar("T")
Metres = tuple[float, float]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=40)]
EpcHex = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-fA-F]{4}){1,31}$")]
Act = Literal["look", "pick", "putback", "try", "pay", "leave"]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the scene file; a misspelt key is an error."""


class Radio(Part, frozen=True):
    """How tags are heard.

    Args:
        rssi_dbm_at_1m: of a tag at 1 m, nothing between, the reader at 26 dBm.
        path_loss_exponent: of the way there and back together; 4 is free space, shelves and people make it more.
        fading_db: standard deviation, per read.
        body_loss_db: what a body between tag and antenna takes.
        shelf_loss_db: what the stacked goods around a tag on a shelf take.
        carry_loss_db: what hand, bag and body take from an item carried.
        shown_loss_db: the same while it is tried on or paid, out of the bag.
        read_floor_dbm: nothing weaker is decoded.
        miss_rate: share of the answers lost to collisions.
        reads_per_s: what one reader's air protocol yields, shared by the tags in its field.
        round_overhead_ms: what each inventory round costs beside its answers.
        empty_round_ms: how long a round without any answer takes.
    """

    rssi_dbm_at_1m: float = -44.0
    path_loss_exponent: Positive = 4.6
    fading_db: NotNegative = 3.0
    body_loss_db: NotNegative = 8.0
    shelf_loss_db: NotNegative = 16.0
    carry_loss_db: NotNegative = 40.0
    shown_loss_db: NotNegative = 8.0
    read_floor_dbm: float = -78.0
    miss_rate: Share = 0.05
    reads_per_s: Positive = 120.0
    round_overhead_ms: NotNegative = 4.0
    empty_round_ms: Positive = 20.0


class Reader(Part, frozen=True):
    """A reader, its antennas `above_m` over the tags that people carry.

    Args:
        at: of antenna 1.
        more_at: of the antennas from number 2 on.
    """

    id: Name
    type: Literal["magicrf-m100", "mercury", "r2000-a0", "uhfreader18", "uhfreader288"]
    at: Metres
    above_m: NotNegative = 1.0
    more_at: Annotated[tuple[Metres, ...], msgspec.Meta(max_length=3)] = ()

    def __post_init__(self) -> None:
        """Check what types cannot."""
        if self.more_at and self.type in ("magicrf-m100", "uhfreader18"):
            raise ValueError(f"a {self.type} has one antenna: leave out more_at")


class Scale(Part, frozen=True):
    id: Name
    type: Literal["line-weight", "modbus-weight", "mt-sics"]
    shelf: Name
    noise_g: NotNegative = 0.15
    settle_s: Positive = 0.5
    capacity_g: Positive = 15_000.0


class Relay(Part, frozen=True):
    id: Name
    type: Literal["lcus-relay", "modbus-relay"]
    channels: Annotated[int, msgspec.Meta(ge=1, le=8)] = 1


class Shelf(Part, frozen=True):
    id: Name
    at: Metres
    tare_g: NotNegative = 0.0


class Goods(Part, frozen=True):
    epc: EpcHex
    grams: Positive
    shelf: Name


class Shoppers(Part, frozen=True):
    """Who comes in.

    Args:
        every_s: one comes in about this often, while a card is free.
        most: so many are in the store at once.
        cards: EPCs in the order of their visits, over and over; "" is a shopper without a card.
        rest_s: a card stays away at least so long between two visits, so that a visit can end.
        foreign_tags: tags in each one's clothes that are not this shop's.
        restock_s: so long after an item left the store, another of its kind lies on the shelf; unset: never.
    """

    every_s: Positive
    speed_m_s: Positive
    entrance: Metres
    cards: tuple[Annotated[str, msgspec.Meta(pattern=r"^(([0-9a-fA-F]{4}){1,31})?$")], ...]
    most: Annotated[int, msgspec.Meta(ge=1)] = 8
    rest_s: NotNegative = 0.0
    foreign_tags: Annotated[int, msgspec.Meta(ge=0)] = 2
    restock_s: NotNegative | None = None


class Goal(Part, frozen=True):
    """A place to stand, how long, and what to do there half-way through."""

    at: Metres
    seconds: NotNegative
    does: Act = "look"


class Walk(Part, frozen=True):
    goals: Annotated[tuple[Goal, ...], msgspec.Meta(min_length=1)]


class Unplug(Part, frozen=True):
    """The cable is out from `at_s` after the start for `for_s`."""

    at_s: NotNegative
    for_s: Positive


class FaultPlan(Part, frozen=True):
    """What goes wrong on one device's line; rates are per byte, `split_rate` and `delay_rate` per burst."""

    drop_rate: Share = 0.0
    corrupt_rate: Share = 0.0
    garbage_rate: Share = 0.0
    split_rate: Share = 0.0
    delay_rate: Share = 0.0
    delay_ms: NotNegative = 50.0
    commands_too: bool = False
    unplug: tuple[Unplug, ...] = ()


class Scene(Part, frozen=True):
    """A whole scene file."""

    radio: Radio
    shoppers: Shoppers
    walks: Annotated[tuple[Walk, ...], msgspec.Meta(min_length=1)]
    readers: tuple[Reader, ...] = ()
    scales: tuple[Scale, ...] = ()
    relays: tuple[Relay, ...] = ()
    shelves: tuple[Shelf, ...] = ()
    goods: tuple[Goods, ...] = ()
    faults: dict[str, FaultPlan] = {}
    seed: int = 1

    @property
    def device_ids(self) -> tuple[str, ...]:
        """Every device that gets a port."""
        readers, scales, relays = self.readers, self.scales, self.relays
        return (*(reader.id for reader in readers), *(scale.id for scale in scales), *(relay.id for relay in relays))


class SiteZone(msgspec.Struct, frozen=True):
    """What the simulator needs of a site file's zone: x, y, width, height in metres.  Other keys are not its business."""

    id: str
    rect: tuple[float, float, float, float]

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is in the zone; the right and lower edge belong to the neighbour."""
        left, top, width, height = self.rect
        return left <= x < left + width and top <= y < top + height


class _SiteFile(msgspec.Struct, frozen=True):
    zones: tuple[SiteZone, ...]


def load_scene(path: Path) -> Scene:
    """Read and check a scene file.

    Raises:
        SimulatorError: missing, malformed, an unknown key, an id used twice, or a shelf or device that is not there.
    """
    scene = _decode(path, Scene)
    _check_unique(path, "device", scene.device_ids)
    _check_unique(path, "shelf", [shelf.id for shelf in scene.shelves])
    _check_unique(path, "goods epc", [goods.epc.lower() for goods in scene.goods])
    _check_unique(path, "card", [card.lower() for card in scene.shoppers.cards if card])
    shelves = {shelf.id for shelf in scene.shelves}
    for thing, shelf in [(s.id, s.shelf) for s in scene.scales] + [(g.epc, g.shelf) for g in scene.goods]:
        if shelf not in shelves:
            raise SimulatorError(f"{path}: {thing} is on shelf {shelf!r}, which no [[shelves]] names")
    for device in scene.faults:
        if device not in scene.device_ids:
            raise SimulatorError(f"{path}: [faults.{device}] names no device; there are {', '.join(scene.device_ids)}")
    return scene


def load_zones(path: Path) -> tuple[SiteZone, ...]:
    """The zone rectangles of a site file, for the ground truth.

    Raises:
        SimulatorError: missing or malformed.
    """
    return _decode(path, _SiteFile).zones


def _decode(path: Path, model: type[T]) -> T:
    try:
        return msgspec.toml.decode(path.read_bytes(), type=model)
    except FileNotFoundError as error:
        raise SimulatorError(f"{path}: no such file; simulators/demo_store holds a working example") from error
    except OSError as error:
        raise SimulatorError(f"{path}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SimulatorError(f"{path}: {' '.join(str(error).split())}") from error


def _check_unique(path: Path, what: str, ids: tuple[str, ...] | list[str]) -> None:
    for one in ids:
        if ids.count(one) > 1:
            raise SimulatorError(f"{path}: {what} {one!r} is there twice")
