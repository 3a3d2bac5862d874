"""The simulated store: people, goods and shelves, moved in fixed steps, so that one seed is one story.

The story does not depend on who listens: it has its own random stream, and each antenna and load cell another.
"""

import math
import random
from collections.abc import Sequence
from datetime import datetime

import msgspec

from simulators import truth
from simulators.scene_file import Goods, Scene, SiteZone
from simulators.scene_people import Crowd, Shopper
from simulators.scene_radio import Antenna, Epc, TagClass, TagSpot
from simulators.scene_shelf import LoadCell, StockedShelf

STEP_NS = 50_000_000
ARM_M = 2.5  # how far from a shelf one can act on it
REST_NS = 2_500_000_000  # people, and the stock clerk, leave a shelf alone for so long after a change
SERIAL_BITS = 38  # of an SGTIN-96


class Store:
    """A store that runs from `start_ns` on, and tells every fact.  `spots` are all tags now, a new list after each step."""

    def __init__(self, scene: Scene, zones: Sequence[SiteZone], *, start_ns: int, seed: int, tell: truth.Tell) -> None:
        self.shoppers: list[Shopper] = []
        self.shelves = [StockedShelf(shelf.id, shelf.at, shelf.tare_g) for shelf in scene.shelves]
        self._scene, self._zones, self._tell, self._seed = scene, zones, tell, seed
        self._rng = self._stream("people")
        self._crowd = Crowd(scene.shoppers, scene.walks, self._rng)
        self._now_ns = start_ns
        self.spots: list[TagSpot] = []
        self._to_restock: list[tuple[int, Goods]] = []
        self._serial = max((int(item.epc, 16) & (1 << SERIAL_BITS) - 1 for item in scene.goods), default=0)
        for item in scene.goods:
            self._shelf(item.shelf).goods.append(item)
        self._list_spots()

    def antennas(self, reader_id: str) -> list[Antenna]:
        """The fields of one reader, antenna 1 first."""
        reader = next(reader for reader in self._scene.readers if reader.id == reader_id)
        streams = [reader_id, *(f"{reader_id}/{number}" for number, _ in enumerate(reader.more_at, start=2))]
        places = [reader, *(msgspec.structs.replace(reader, at=at) for at in reader.more_at)]
        return [
            Antenna(self._scene.radio, place, lambda: self.spots, self._stream(stream))
            for place, stream in zip(places, streams, strict=True)
        ]

    def load_cell(self, scale_id: str) -> LoadCell:
        """The cell under the shelf of one scale, put there now."""
        scale = next(scale for scale in self._scene.scales if scale.id == scale_id)
        shelf = self._shelf(scale.shelf)
        shelf.cell = LoadCell(scale.noise_g, scale.settle_s, self._stream(scale_id), shelf.grams)
        return shelf.cell

    def advance(self, now_ns: int) -> None:
        """Let the store run up to `now_ns`, in whole steps."""
        while self._now_ns + STEP_NS <= now_ns:
            self._now_ns += STEP_NS
            self._step()

    def _step(self) -> None:
        self._restock()  # before anybody acts: at a busy shelf the clerk would never find it at rest
        newcomer = self._crowd.let_in(STEP_NS / 1e9, self.shoppers)
        if newcomer is not None:
            self.shoppers.append(newcomer)
            self._tell(truth.ShopperCame(**self._by(newcomer)))
        for shopper in self.shoppers:
            shopper.step(STEP_NS / 1e9)
            if shopper.wants_to_act():
                shopper.acted = self._act(shopper)
            self._note_zone(shopper)
        for shopper in [shopper for shopper in self.shoppers if shopper.gone]:
            self._leave(shopper)
        self._list_spots()

    def _act(self, shopper: Shopper) -> bool:
        """Do what the goal says; False while a shelf must come to rest first."""
        match shopper.doing:
            case "pick":
                return self._pick(shopper)
            case "putback":
                return self._put_back(shopper)
            case "pay" if shopper.carried:
                items = tuple(item.epc for item in shopper.carried)
                self._tell(truth.Paid(**self._by(shopper), items=items))
        return True

    def _pick(self, shopper: Shopper) -> bool:
        shelf = self._shelf_at_hand(shopper)
        if shelf is None or not shelf.goods:
            return True
        if self._now_ns - shelf.changed_ns < REST_NS:
            return False
        item = self._rng.choice(shelf.goods)
        shelf.take(item, self._now_ns)
        shopper.carried.append(item)
        self._tell(truth.Pick(**self._by(shopper), shelf=shelf.id, epc=item.epc, grams=item.grams))
        return True

    def _put_back(self, shopper: Shopper) -> bool:
        shelf = self._shelf_at_hand(shopper)
        if shelf is None or not shopper.carried:
            return True
        if self._now_ns - shelf.changed_ns < REST_NS:
            return False
        item = shopper.carried.pop()
        shelf.add(item, self._now_ns)
        self._tell(truth.Putback(**self._by(shopper), shelf=shelf.id, epc=item.epc, grams=item.grams))
        return True

    def _leave(self, shopper: Shopper) -> None:
        self.shoppers.remove(shopper)
        self._crowd.note_leaving(shopper)
        items = tuple(item.epc for item in shopper.carried)
        self._tell(truth.ShopperLeft(**self._by(shopper), items=items))
        if self._scene.shoppers.restock_s is not None:
            due_ns = self._now_ns + int(self._scene.shoppers.restock_s * 1e9)
            self._to_restock += [(due_ns, item) for item in shopper.carried]

    def _restock(self) -> None:
        """Lay the next item due on its shelf, one at a time: same article, new serial."""
        if not self._to_restock or self._to_restock[0][0] > self._now_ns:
            return
        shelf = self._shelf(self._to_restock[0][1].shelf)
        if self._now_ns - shelf.changed_ns < REST_NS:
            return
        _, sold = self._to_restock.pop(0)
        self._serial += 1
        article = int(sold.epc, 16) >> SERIAL_BITS << SERIAL_BITS
        item = Goods(f"{article | self._serial:0{len(sold.epc)}x}", sold.grams, sold.shelf)
        shelf.add(item, self._now_ns)
        self._tell(truth.Restocked(at=self._at, shelf=shelf.id, epc=item.epc, grams=item.grams))

    def _note_zone(self, shopper: Shopper) -> None:
        zone = None if shopper.gone else next((zone.id for zone in self._zones if zone.holds(*shopper.at)), None)
        if zone == shopper.zone:
            return
        if shopper.zone is not None:
            dwell_s = (self._now_ns - shopper.zone_since_ns) / 1e9
            self._tell(truth.ZoneLeft(**self._by(shopper), zone=shopper.zone, dwell_s=dwell_s))
        if zone is not None:
            self._tell(truth.ZoneEntered(**self._by(shopper), zone=zone))
        shopper.zone, shopper.zone_since_ns = zone, self._now_ns

    def _list_spots(self) -> None:
        """Find all tags; the new list tells the antennas that something may have moved."""
        radio = self._scene.radio
        spots = [
            TagSpot(Epc(bytes.fromhex(item.epc)), "goods", shelf.at, None, radio.shelf_loss_db, on_shelf=True)
            for shelf in self.shelves
            for item in shelf.goods
        ]
        for shopper in self.shoppers:
            for tag in shopper.tags:
                tag_class: TagClass = "card" if tag.is_card else "foreign"
                spots.append(TagSpot(tag.epc, tag_class, shopper.at, shopper.looks_rad + tag.side_rad, 0.0))
            shown = shopper.doing in ("try", "pay")
            loss_db = radio.shown_loss_db if shown else radio.carry_loss_db
            for item in shopper.carried:
                spots.append(TagSpot(Epc(bytes.fromhex(item.epc)), "goods", shopper.at, None, loss_db))
        self.spots = spots

    def _shelf(self, shelf_id: str) -> StockedShelf:
        return next(shelf for shelf in self.shelves if shelf.id == shelf_id)

    def _shelf_at_hand(self, shopper: Shopper) -> StockedShelf | None:
        nearest = min(self.shelves, key=lambda shelf: math.dist(shelf.at, shopper.at), default=None)
        return nearest if nearest is not None and math.dist(nearest.at, shopper.at) <= ARM_M else None

    def _stream(self, name: str) -> random.Random:
        return random.Random(f"{self._seed}/{name}")

    @property
    def _at(self) -> datetime:
        return truth.utc(self._now_ns)

    def _by(self, shopper: Shopper) -> truth.By:
        return {"at": self._at, "shopper": shopper.number, "card": shopper.card}
