"""Databases that were set aside beside the one in use: damaged ones, and those that a restored copy has replaced.

Nobody can erase one member from them, so an erasure removes them whole; a replaced one goes after two days in any case.
"""

from pathlib import Path

from broker_config.private_files import sync
from server.clock import NS_PER_S

CORRUPT = ".corrupt-"
REPLACED = ".replaced-"
PART = ".part"
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


def remove(files: list[Path]) -> None:
    """Remove them, for good: when this returns, a power cut brings none of them back.

    Raises:
        OSError: one of them may still be there.
    """
    for each in files:
        each.unlink(missing_ok=True)
    for folder in {each.parent for each in files}:
        sync(folder)
