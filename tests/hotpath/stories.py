"""Stories that the presence rules must tell right, with settings alike for all zones; they are documentation too.

A line is a time in s and what happens then, and after `=>` what the engine says at once:

    TIME  TAG ANTENNA [DBM]      a read; antennas: outside inside (of the door) shelf shelf2 till exit desk room
    TIME  tick | lost READER | restored READER | sold TAG | unsold TAG | members N | restart

What it says is `KIND TAG ZONE [for a move FROM>TO] [reason] [in|out] [@TIME]`, the time where it is another than the line's.
"""

from collections.abc import Iterator

from edge.presence import Antenna, Layout, Transition, ZoneSpec
from tests.hotpath.oracle import OracleRead
from tests.hotpath.store import ALIKE, CARDS, GARMENT, ITEMS, MS, START_NS, STRANGER
from tests.hotpath.streams import Coverage, Members, Restart, Sold, Step, Tick, World

ANTENNAS = ("outside", "inside", "shelf", "shelf2", "till", "exit", "desk", "room")
LAYOUT = Layout(
    (
        Antenna("door", 1, 0, -75.0, "outside"),
        Antenna("door", 2, 0, -75.0, "inside"),
        Antenna("hall", 1, 1, -75.0),
        Antenna("hall2", 1, 1, -75.0),
        Antenna("hall", 2, 2, -75.0),
        Antenna("way-out", 1, 3, -75.0),
        Antenna("hall", 3, 4, -75.0),
        Antenna("hall", 4, 5, -75.0),
    ),
    (
        ZoneSpec("door", "door"),
        ZoneSpec("shelf", "shelf"),
        ZoneSpec("till", "till"),
        ZoneSpec("exit", "exit"),
        ZoneSpec("desk", "desk"),
        ZoneSpec("room", "fitting-room"),
    ),
)
WORLD = World(layout=LAYOUT, settings=ALIKE)
NAMED = {
    "card": CARDS[0], "card2": CARDS[1], "item": ITEMS[0], "item2": ITEMS[1], "coat": GARMENT + b"\1",
    "stranger": STRANGER, "staff": b"\x2e" + bytes(11),
}  # fmt: skip

STORIES: dict[str, str] = {
    "one stray read arrives nobody": """
        0    item shelf
        2    item shelf
        4    item shelf
        20   tick
    """,
    "two reads within the window arrive, at the very end of it too": """
        0    item shelf
        1.5  item shelf         => arrived item shelf
    """,
    "the strongest place wins at arrival": """
        0    item shelf -60
        0.1  item desk -50      => arrived item desk
    """,
    "a shopper comes in through the door": """
        0    card outside -50
        0.2  card outside -45   => arrived card door
        0.4  card inside -50
        0.8  card inside -44
        1.0  card shelf -40
        1.1  card shelf -40
        1.2  card shelf -40     => moved card door>shelf in
        9.3  tick               => departed card shelf timeout @9.2
    """,
    "a shopper leaves through the door": """
        0    card inside -45
        0.2  card inside -45    => arrived card door
        0.6  card outside -42
        9    tick               => departed card door timeout out @8.6
    """,
    "who is only read on one side goes in no direction": """
        0    card outside -45
        0.2  card outside -45   => arrived card door
        9    tick               => departed card door timeout @8.2
    """,
    "who stands 20 s at a shelf has dwelled, once": """
        0    card shelf
        0.5  card shelf         => arrived card shelf
        7    card shelf
        14   card shelf
        19.9 card shelf
        20   card shelf         => dwelled card shelf
        27   card shelf
    """,
    "a late read is no dwelling": """
        0    card shelf
        0.5  card shelf         => arrived card shelf
        8    card shelf
        15   card shelf
        22   item desk
        19.9 card shelf
        20.1 card shelf         => dwelled card shelf
    """,
    "a garment taken to the till and paid for does not come back at the shelf": """
        0    item shelf
        0.1  item shelf         => arrived item shelf
        5    item till
        5.1  item till
        5.2  item till          => moved item shelf>till
        6    sold item
        7    item shelf -40
        7.1  item shelf -40
        7.2  item shelf -40
        8    item exit -40
        8.1  item exit -40
        8.2  item exit -40      => moved item till>exit
        40   tick               => departed item exit exit @38.2
        50   item shelf
        50.1 item shelf
        51   unsold item
        52   item shelf
        52.1 item shelf         => returned item shelf
    """,
    "what was sold before it was ever read is no arrival": """
        0    sold item
        1    item shelf
        1.1  item shelf
        2    item desk
        2.1  item desk          => returned item desk
    """,
    "an item that a till is the first to see stays unknown": """
        0    item till
        0.1  item till
        0.2  item till
        1    card till
        1.1  card till          => arrived card till
    """,
    "an unplugged cable departs nobody": """
        0    item shelf
        0.1  item shelf         => arrived item shelf
        0.2  card shelf
        0.3  card shelf         => arrived card shelf
        5    lost hall          => coverage_lost shelf, coverage_lost till, coverage_lost desk, coverage_lost room
        5.5  lost hall
        900  tick
        900  restored hall      => coverage_restored shelf, coverage_restored till, coverage_restored desk, coverage_restored room
        907  tick
        908  tick               => departed card shelf timeout
        1500 tick               => departed item shelf timeout
    """,
    "a zone that two readers see is covered again when both are": """
        0    lost hall2         => coverage_lost shelf
        1    lost hall          => coverage_lost till, coverage_lost desk, coverage_lost room
        2    restored hall2
        3    restored hall      => coverage_restored shelf, coverage_restored till, coverage_restored desk, coverage_restored room
        4    lost nobody
    """,
    "what is due happens before the loss of the reader": """
        0    card shelf
        0.1  card shelf         => arrived card shelf
        9    lost hall2         => departed card shelf timeout @8.1, coverage_lost shelf
    """,
    "rows that run backwards in time are no second arrival": """
        0    item shelf
        0.1  item shelf         => arrived item shelf
        500  item shelf
        0.05 item shelf
        300  item desk -30
        300.1 item desk -30
        300.2 item desk -30
        1100 tick               => departed item shelf timeout
        800  item shelf
        800.1 item shelf
    """,
    "a read that is an hour late is left alone": """
        0    card shelf
        4000 item shelf
        4000.1 item shelf       => arrived item shelf
        1    card shelf
        400.1 card shelf
        400.2 card shelf        => arrived card shelf
        4000.2 tick             => departed card shelf timeout @408.2
    """,
    "a restart loses nobody, invents no arrival, and gives time to be seen again": """
        0    item shelf
        0.1  item shelf         => arrived item shelf
        0.2  card shelf
        0.3  card shelf         => arrived card shelf
        0.4  card2 desk
        0.5  card2 desk         => arrived card2 desk
        700  restart
        707  tick
        707.5 card shelf
        707.6 card shelf
        708  tick               => departed ? desk timeout
        708.5 card shelf        => dwelled card shelf
        717  tick               => departed card shelf timeout @716.5
        1299 item shelf
        1301 tick
    """,
    "who moved on during a restart has moved": """
        0    card outside
        0.1  card outside       => arrived card door
        0.2  card inside
        60   restart
        61   card desk
        61.1 card desk          => moved card door>desk
    """,
    "who comes back after the restart and a departure returns": """
        0    card shelf
        0.1  card shelf         => arrived card shelf
        60   restart
        68   tick               => departed ? shelf timeout
        80   card desk
        80.2 card desk          => returned card desk
    """,
    "after a restart, what was read before a departure is no return": """
        0    card shelf
        0.1  card shelf         => arrived card shelf
        60   restart
        68   tick               => departed ? shelf timeout
        75   tick
        67   card desk
        67.2 card desk
        80   card desk
        80.2 card desk          => returned card desk
    """,
    "whose card was withdrawn during the restart departs": """
        0    card shelf
        0.1  card shelf         => arrived card shelf
        5    restart
        6    members 0          => departed ? shelf withdrawn @0.1
    """,
    "strangers and staff cause nothing": """
        0    stranger shelf
        0.1  stranger shelf
        0.2  staff shelf
        0.3  staff shelf
        9    tick
    """,
}


def tell(line: str) -> tuple[Step, list[str]]:
    """What happens, and what should be said, for one line of a story."""
    happens, _, said = line.partition("=>")
    at_s, *words = happens.split()
    expected = [each.strip() for each in said.split(",") if each.strip()]
    return step_of(START_NS + round(float(at_s) * 1000) * MS, words), expected


def step_of(now_ns: int, words: list[str]) -> Step:
    match words:
        case ["tick"]:
            return Tick(now_ns)
        case ["restart"]:
            return Restart(LAYOUT, now_ns)
        case ["members", count]:
            return Members(int(count))
        case ["lost" | "restored" as what, reader]:
            return Coverage(reader, what == "restored", now_ns)
        case ["sold" | "unsold" as what, tag]:
            return Sold((NAMED[tag],), what == "sold", now_ns)
        case [tag, antenna, *dbm]:
            cdbm = round(float(dbm[0]) * 100) if dbm else -5000
            return OracleRead(now_ns, ANTENNAS.index(antenna), NAMED[tag], cdbm)
    raise ValueError(words)


def lines_of(story: str) -> Iterator[tuple[str, Step, list[str]]]:
    for line in story.strip().splitlines():
        yield (line.strip(), *tell(line))


def spoken(event: Transition, now_ns: int) -> str:
    """An event as a story writes it."""
    names = {epc: name for name, epc in NAMED.items()}
    place = LAYOUT.zones[event.zone].id
    if event.from_zone is not None:
        place = f"{LAYOUT.zones[event.from_zone].id}>{place}"
    who = () if event.serial < 0 else (names.get(event.epc, "?"),)
    words = [event.kind, *who, place, event.reason, event.direction]
    if event.detected_t_ns != now_ns:
        words.append(f"@{(event.detected_t_ns - START_NS) / 1e9:g}")
    return " ".join(word for word in words if word)
