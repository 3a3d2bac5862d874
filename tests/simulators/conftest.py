"""A small store with one reader, one scale and one relay, and a clock that moves when told."""

import json
from pathlib import Path

import pytest

from simulators.scene_file import Goal, Goods, Radio, Reader, Relay, Scale, Scene, Shelf, Shoppers, SiteZone, Walk

START_NS = 1_700_000_000_000_000_000
CARD = "2d14257bf52cb6916d000000"
VECTORS = Path(__file__).parents[1] / "data" / "vectors"


@pytest.fixture
def scene() -> Scene:
    return Scene(
        radio=Radio(),
        shoppers=Shoppers(every_s=3.0, speed_m_s=1.5, entrance=(0.5, 0.5), cards=(CARD, ""), most=2, restock_s=1.0),
        walks=(
            Walk((Goal((2.0, 1.0), 2.0, "pick"), Goal((2.0, 1.0), 4.0, "putback"), Goal((6.0, 1.0), 1.0, "leave"))),
            Walk((Goal((2.0, 1.0), 2.0, "pick"), Goal((5.0, 1.0), 2.0, "pay"), Goal((6.0, 1.0), 1.0, "leave"))),
        ),
        readers=(Reader("r-shelf", "magicrf-m100", (2.0, 0.5)),),
        scales=(Scale("w-1", "mt-sics", "s1"),),
        relays=(Relay("lamp", "lcus-relay", 2),),
        shelves=(Shelf("s1", (2.0, 0.4)),),
        goods=tuple(Goods(f"3034257bf400cb000000000{n}", 300.0, "s1") for n in range(1, 5)),
    )


@pytest.fixture
def zones() -> tuple[SiteZone, ...]:
    return (SiteZone("shelf", (0.0, 0.0, 4.0, 4.0)), SiteZone("exit", (4.0, 0.0, 4.0, 4.0)))


@pytest.fixture
def vectors():
    """The sound published frames of a protocol, in one direction."""

    def load(protocol: str, direction: str) -> list[dict]:
        rows = json.loads((VECTORS / f"{protocol}.json").read_text())
        return [row for row in rows if row["valid"] and row["direction"] == direction and row["protocol"] == protocol]

    return load
