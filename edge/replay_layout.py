"""The places of a recording: a zones file, or a zone per antenna; and which of its tags are cards."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from broker_config.errors import ConfigError
from broker_config.identity import HANDLE_BYTES, siphash_2_4_128
from broker_config.member_table import MemberTable, pack_members
from broker_config.site import Level, Strict, ZoneKind, load_toml
from edge.presence_model import Antenna, Layout, ZoneSpec
from edge.recording import AntennaName
from edge.recording_rows import parse_epc

WEAKEST_DBM = -327.0
LEASED_FOREVER_NS = 1 << 62


class ZoneStanza(Strict, frozen=True):
    """One `[[zones]]` of a zones file.

    Args:
        antennas: `reader/number` each: "r-door/1".
        floor_dbm: weaker reads are ignored.
    """

    id: Level
    antennas: tuple[str, ...]
    kind: ZoneKind = "floor"
    floor_dbm: float = WEAKEST_DBM


class ZonesFile(Strict, frozen=True):
    """A zones file.

    [[zones]]
    id = "door"
    kind = "door"
    antennas = ["r-door/1", "r-door/2"]
    """

    zones: tuple[ZoneStanza, ...]


def zone_per_antenna(antennas: Sequence[AntennaName]) -> Layout:
    """Each antenna a zone `antenna-N`; where two readers have an N, `READER-antenna-N`."""
    uses = Counter(name.number for name in antennas)
    zones = tuple(
        ZoneSpec(
            f"antenna-{name.number}" if uses[name.number] == 1 else f"{name.reader}-antenna-{name.number}", "floor"
        )
        for name in antennas
    )
    placed = tuple(Antenna(*name, zone, WEAKEST_DBM) for zone, name in enumerate(antennas))
    return Layout(placed, zones or (ZoneSpec("antenna-0", "floor"),))  # an empty log has no antenna


def zones_from_file(path: Path, antennas: Sequence[AntennaName]) -> Layout:
    """The layout that a zones file gives the antennas of a log.

    Raises:
        ConfigError: the file is wrong, or does not place an antenna of the log.
    """
    stanzas = load_toml(path, ZonesFile).zones
    zone_of: dict[str, int] = {}
    for number, stanza in enumerate(stanzas):
        for antenna in stanza.antennas:
            if antenna in zone_of:
                raise ConfigError(f"{path}: antenna {antenna!r} is in two zones")
            zone_of[antenna] = number
    placed = []
    for name in antennas:
        zone = zone_of.get(f"{name.reader}/{name.number}")
        if zone is None:
            raise ConfigError(
                f"{path}: no zone has antenna '{name.reader}/{name.number}' of the log; add it to a zone's antennas"
            )
        placed.append(Antenna(name.reader, name.number, zone, stanzas[zone].floor_dbm))
    return Layout(tuple(placed), tuple(ZoneSpec(stanza.id, stanza.kind) for stanza in stanzas))


def members_from_file(path: Path, match_key: bytes) -> MemberTable:
    """The cards that a file names: one EPC in hex per line, or a CSV whose first column is called `card` or `epc`.

    Raises:
        ConfigError: missing, or a line is no EPC; names it.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    cards: dict[bytes, bytes] = {}
    for number, line in enumerate(lines, 1):
        text = line.split(",")[0].strip()
        if not text or (number == 1 and text.lower() in ("card", "epc")):
            continue
        try:
            card = siphash_2_4_128(match_key, parse_epc(text))
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: {error}") from error
        cards[card] = number.to_bytes(HANDLE_BYTES, "big")
    return pack_members(1, LEASED_FOREVER_NS, list(cards.items()))
