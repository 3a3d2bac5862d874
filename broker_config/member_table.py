"""The leased member table as it travels from server to agent: keyed card hashes and the handles behind them.

    magic "TACETMB1" | version u64 | leased until, UTC ns i64 | count u64 | count x (hash 16, handle 16) | SHA-256 of all before

Little-endian, records sorted by hash.  The hash is SipHash-2-4-128 of the card's EPC under the gateway's key.
"""

import hashlib
import struct
from dataclasses import dataclass

from broker_config.errors import MessageError

MAGIC = b"TACETMB1"
_HEAD = struct.Struct("<8sQqQ")
RECORD_BYTES = 32


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


def unpack_members(data: bytes) -> MemberTable:
    """The table in a file or answer.

    Raises:
        MessageError: foreign, cut short, or altered.
    """
    if len(data) < _HEAD.size + 32 or data[:8] != MAGIC:
        raise MessageError("not a member table")
    _, version, leased_until_ns, count = _HEAD.unpack_from(data)
    if len(data) != _HEAD.size + count * RECORD_BYTES + 32:
        raise MessageError(f"member table of {len(data)} bytes says it holds {count} records")
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise MessageError("member table fails its checksum")
    return MemberTable(version, leased_until_ns, data[_HEAD.size : -32])
