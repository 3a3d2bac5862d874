"""The leased member table as it travels from server to agent, and as the agent keeps it: keyed card hashes and their handles.

    magic "TACETMB1" | version u64 | leased until, UTC ns i64 | count u64 | count x (hash 16, handle 16) | SHA-256 of all before

Little-endian, records sorted by hash, the first on a multiple of its own size: what was read can be searched as it is.  The
hash is SipHash-2-4-128 of the card's EPC under the gateway's key.
"""

import hashlib
import struct
from dataclasses import dataclass

from broker_config.errors import MessageError

MAGIC = b"TACETMB1"
ERASED_HEADER = "Tacet-Erased"
"""In the answer that carries a table: the newest erasure, whose members are not in it and must not be in any file."""
RECORD_BYTES = 32
_HEAD = struct.Struct("<8sQqQ")
HEAD_BYTES = _HEAD.size
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class TableHead:
    """What a table says of itself.

    Args:
        leased_until_ns: UTC; after it nobody is a member.
        count: of the records, which begin at `HEAD_BYTES`.
    """

    version: int
    leased_until_ns: int
    count: int


@dataclass(frozen=True, slots=True)
class MemberTable:
    """A table and its lease.

    Args:
        records: `RECORD_BYTES` each: 16 of hash, 16 of handle; sorted.
        leased_until_ns: UTC; after it nobody is a member.
    """

    version: int
    leased_until_ns: int
    records: bytes

    def __len__(self) -> int:
        return len(self.records) // RECORD_BYTES

    def to_bytes(self) -> bytes:
        """The file."""
        body = _HEAD.pack(MAGIC, self.version, self.leased_until_ns, len(self)) + self.records
        return body + hashlib.sha256(body).digest()


def pack_members(version: int, leased_until_ns: int, members: list[tuple[bytes, bytes]]) -> MemberTable:
    """A table of (hash, handle) pairs in any order."""
    return MemberTable(version, leased_until_ns, b"".join(card + handle for card, handle in sorted(members)))


def check_table(data: memoryview) -> TableHead:
    """The head of a table whose every byte is as it was written.  Copies nothing; the checksum leaves the interpreter free.

    Raises:
        MessageError: foreign, cut short, or altered.
    """
    if len(data) < HEAD_BYTES + _DIGEST_BYTES or data[: len(MAGIC)] != MAGIC:
        raise MessageError("not a member table")
    _, version, leased_until_ns, count = _HEAD.unpack_from(data)
    if len(data) != HEAD_BYTES + count * RECORD_BYTES + _DIGEST_BYTES:
        raise MessageError(f"member table of {len(data)} bytes says it holds {count} records")
    if hashlib.sha256(data[:-_DIGEST_BYTES]).digest() != data[-_DIGEST_BYTES:]:
        raise MessageError("member table fails its checksum")
    return TableHead(version, leased_until_ns, count)
