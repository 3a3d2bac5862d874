"""The file a restart begins with: who and what was present, under which tokens, and up to which event that had been said.

    8 bytes TACETPS1 | SHA-256 of the rest | MessagePack of `KeptPresence`

No card's number is in it.  It holds member handles beside tokens, and so is sealed on the disk (`edge.at_rest`), readable by
its owner only, and written anew as soon as somebody withdraws.
"""

import hashlib
import os
from pathlib import Path

import msgspec

from broker_config.private_files import sync
from edge.visits import KeptVisits

MAGIC = b"TACETPS1"
DIGEST_BYTES = hashlib.sha256().digest_size
MAX_AHEAD_NS = 10_000_000_000
"""A snapshot may be this much younger than the clock says it can be: clocks are set by a little now and then."""


class PresenceFileError(ValueError):
    """This file is not one to go on from; the message says why."""


class KeptPresence(msgspec.Struct, frozen=True):
    """One snapshot of an agent.

    Args:
        generation, seq: of the outbox: what had been said when it was taken.
        started_ns: since when the agent has known who is where; goes on over restarts.
        started_by: the generation of events of the start whose clock said so; empty: a file of an earlier release.
        zones: ids by the index that `visits` uses.
        engine: `edge.presence_snapshot.Snapshot.to_bytes`.
    """

    site: str
    agent: str
    generation: str
    seq: int
    started_ns: int
    taken_ns: int
    zones: tuple[str, ...]
    visits: KeptVisits
    engine: bytes
    started_by: str = ""


def pack(kept: KeptPresence) -> bytes:
    """The file's bytes."""
    body = msgspec.msgpack.encode(kept)
    return MAGIC + hashlib.sha256(body).digest() + body


def unpack(data: bytes) -> KeptPresence:
    """What a file holds.

    Raises:
        PresenceFileError: foreign, cut short, damaged, or of another version.
    """
    if not data.startswith(MAGIC):
        raise PresenceFileError("it is no presence file, or of another version")
    start = len(MAGIC) + DIGEST_BYTES
    if hashlib.sha256(data[start:]).digest() != data[len(MAGIC) : start]:
        raise PresenceFileError("it is damaged: its checksum is wrong")
    try:
        return msgspec.msgpack.decode(data[start:], type=KeptPresence)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PresenceFileError(f"it is of another version: {error}") from error


def check(
    kept: KeptPresence, *, site: str, agent: str, generation: str, last_seq: int, now_ns: int, max_age_s: float
) -> None:
    """Refuse a snapshot of somebody else, of other events, or of another time.

    Raises:
        PresenceFileError: says which.
    """
    if (kept.site, kept.agent) != (site, agent):
        raise PresenceFileError(f"it is that of agent {kept.agent!r} of site {kept.site!r}")
    if kept.generation != generation or kept.seq > last_seq:
        raise PresenceFileError("it speaks of events that this outbox does not hold")
    age_ns = now_ns - kept.taken_ns
    if age_ns > max_age_s * 1e9:
        raise PresenceFileError(f"it is {age_ns / 3.6e12:.1f} h old, more than the {max_age_s / 3600:g} h of max_age_s")
    if age_ns < -MAX_AHEAD_NS:
        raise PresenceFileError("it was taken in the future; was the clock put back?")


def write(path: Path, data: bytes) -> None:
    """Put a file in the place of the one before, for its owner only, whole or not at all, also when the power goes.

    Raises:
        OSError: the one before is still there.
    """
    part = part_of(path)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync(path.parent)


def part_of(path: Path) -> Path:
    """Where a file is while it is being written; always the same place, so that a crash leaves no more than one."""
    return path.with_name(path.name + ".part")


def refused_of(path: Path) -> Path:
    """Where a refused file is set aside, in the place of the one before."""
    return path.with_name(path.name + ".refused")
