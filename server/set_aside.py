"""Databases that were set aside beside the one in use: damaged ones, and those that a restored copy has replaced.

Nobody can erase one member from them, so an erasure removes them whole; a replaced one goes after two days in any case.
"""

import sqlite3
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from broker_config.private_files import sync
from server.clock import NS_PER_S

CORRUPT = ".corrupt-"
REPLACED = ".replaced-"
PART = ".part"
LOGS = ("-wal", "-shm")
REPLACED_KEPT_S = 48 * 3600


def set_aside_of(path: Path, *, replaced: bool = True) -> list[Path]:
    """All files of such databases, logs and halves of a copy included; on demand without the replaced ones."""
    kinds = [f"{CORRUPT}*", f"{PART}*"] + [f"{REPLACED}*"] * replaced
    return sorted(each for kind in kinds for each in path.parent.glob(path.name + kind))


def outlived(path: Path, now_ns: int) -> list[Path]:
    """The files of replaced databases that are older than they may become; their names say since when they lie there."""
    start = path.name + REPLACED
    return sorted(
        each
        for each in path.parent.glob(f"{start}*")
        if (since := each.name.removeprefix(start).partition("-")[0]).isdecimal()
        and now_ns - int(since) >= REPLACED_KEPT_S * NS_PER_S
    )


def not_erased_from(path: Path, versions: Collection[int]) -> list[Path]:
    """The files of replaced databases in which one of these erasures was not through, or not known."""
    if not versions:
        return []
    replaced = [each for each in path.parent.glob(f"{path.name}{REPLACED}*") if not each.name.endswith(LOGS)]
    holding = tuple(each.name for each in replaced if not _has_erased(each, versions))
    # Reading one may have made its logs anew.
    return sorted(each for each in path.parent.glob(f"{path.name}{REPLACED}*") if each.name.startswith(holding))


def _has_erased(path: Path, versions: Collection[int]) -> bool:
    """Whether a database says so; one that cannot be read does not."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            done = {version for (version,) in db.execute("SELECT version FROM erasure WHERE done_ns IS NOT NULL")}
    except sqlite3.Error:
        return False
    return done.issuperset(versions)


def remove(files: list[Path]) -> None:
    """Remove them, for good: when this returns, a power cut brings none of them back.

    Raises:
        OSError: one of them may still be there.
    """
    for each in files:
        each.unlink(missing_ok=True)
    for folder in {each.parent for each in files}:
        sync(folder)
