"""The members that every store of the fault rig has: one set, under names that are no words, so that a search can tell them.

write_seeded_store(folder)             # the demo store with them
seeds = seeded() | member_ids(folder)  # what to look for afterwards
"""

import csv
import re
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from tests.server.harness import write_store

RIVER, XIAOYU = "2d14257bf52cb6916d000000", "2d14257bf49bf13331000000"
NAMES = {
    RIVER: "Riverbend-Kaleidoscope",
    XIAOYU: "Xiaoyu-Quetzalcoatl",
    "2d14257bf456670b14000000": "ash.vermilion@example.org",
    "2d14257bf42e416788000000": "Wrenna-Ptarmigan",
    "2d14257bf55c906158000000": "阿松-鏡花水月",
    "2d14257bf42bb29976000000": "Skylar-Ultramarine",
    "2d14257bf5985fb4e7000000": "Mossgrove-Zwieback",
    "2d14257bf5269e0d37000000": "Fernanda-Björkqvist",
    "2d14257bf4a6a3a450000000": "reed.obsidian@example.org",
    "2d14257bf4892f902b000000": "小禾-曖曖遠人",
    "2d14257bf481e74ef5000000": "Brooklyn-Xanthippe",
    "2d14257bf4099950d8000000": "阿海-滄海一粟",
    "2d14257bf56f03675a000000": "Clayton-Jabberwock",
}
"""By card; two are mail addresses, since that is what people give as a name."""
DATABASE = re.compile(r"tacet\.db")


def write_seeded_store(folder: Path, *, broker_port: int = 1, server_port: int = 18_080) -> Path:
    """The demo store's files with these members; its server.toml."""
    config = write_store(folder, broker_port=broker_port, server_port=server_port)
    rename_members(folder / "members.csv")
    return config


def rename_members(path: Path) -> None:
    """Give a file of the demo's members these names.

    Raises:
        KeyError: it has a card that is none of theirs.
    """
    rows = read_members(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows([row | {"alias": NAMES[row["card"]]} for row in rows])


def read_members(path: Path) -> list[dict[str, str]]:
    """The rows of a file of members."""
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def seeded() -> dict[str, bytes]:
    """Cards and names, by the word under which a find is reported."""
    cards = {f"card {card}": bytes.fromhex(card) for card in NAMES}
    return cards | {f"name {name}": name.encode() for name in NAMES.values()}


def member_ids(files: Iterable[Path]) -> dict[str, bytes]:
    """The ids that servers gave their members, of every database among these files that can still be read."""
    found: dict[str, bytes] = {}
    for path in files:
        if not DATABASE.match(path.name) or path.name.endswith(("-wal", "-shm")):
            continue
        # What SQLite says of a damaged schema has the schema's bytes in it, which may be no text.
        with (
            suppress(sqlite3.Error, UnicodeDecodeError),
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db,
        ):
            db.text_factory = bytes
            found |= {f"id {own_id!r}": bytes(own_id) for (own_id,) in db.execute("SELECT id FROM member")}
    return found
