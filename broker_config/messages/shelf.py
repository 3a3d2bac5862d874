"""What a shelf with a scale holds, and what was taken off it or put back."""

from broker_config.messages.base import Data, Instant
from broker_config.site import ShelfId


class ShelfState(Data, frozen=True, kw_only=True):
    """The shelf now; retained.  `sensor` is `ok`, `moving` or `lost`."""

    type_name = "tacet.shelf.state.v1"
    topic = "shelf_state"
    shelf: ShelfId
    grams: float | None
    items: int
    sensor: str


class ShelfPick(Data, frozen=True, kw_only=True):
    """Something was taken off a shelf.

    Args:
        epc: the item, where tag and weight agree; None when only the weight fell.
        gtin: the article as GTIN-14, where the tag or the weight tells.
        confidence: 0 to 1; 0.95 or more when tag and weight agree.
        delta_g: change of weight, negative.
    """

    type_name = "tacet.shelf.pick.v1"
    topic = "shelf_pick"
    shelf: ShelfId
    epc: str | None
    quantity: int
    delta_g: float
    confidence: float
    detected_at: Instant
    gtin: str | None = None


class ShelfPutback(ShelfPick, frozen=True, kw_only=True):
    """Something came back on a shelf; `delta_g` is positive."""

    type_name = "tacet.shelf.putback.v1"
    topic = "shelf_putback"


class ShelfAnomaly(ShelfPick, frozen=True, kw_only=True):
    """Weight changed in a way no known item explains."""

    type_name = "tacet.shelf.anomaly.v1"
    topic = "shelf_anomaly"
