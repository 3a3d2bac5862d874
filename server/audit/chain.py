"""The chain itself, without a database: each row's hash covers the row and the hash of the one before.

    SHA-256( "tacet audit 1" | number u64 | at_ns i64 | 7 texts, each u32 length and UTF-8 | previous hash, 32 bytes )

Big-endian.  Nothing can be altered, left out, put in between or put in another order without a later hash being wrong.  The
end alone can be cut off unseen, and a whole chain written anew; against both stands the anchor: number and hash of a row,
kept where the one who writes the database cannot write.
"""

import hashlib
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

DOMAIN = b"tacet audit 1"
FIRST_PREVIOUS = bytes(32)
GROUP = 8
_ANCHOR = re.compile(r"(\d{1,18}):([0-9a-f]{8}(?:\.[0-9a-f]{8}){7})")
_NUMBERS = struct.Struct(">Qq")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Link:
    """One row of the log as it is hashed.

    Args:
        texts: actor kind, actor id, action, object kind, object id, outcome, detail.
    """

    number: int
    at_ns: int
    texts: tuple[str, ...]
    previous: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """The head of the chain at some time: that many rows, the last with this hash.  As text it is copied and compared."""

    number: int
    hash: bytes

    def __str__(self) -> str:
        # In groups, since a log takes longer hex for the number of a card and hides it.
        text = self.hash.hex()
        return f"{self.number}:{'.'.join(text[i : i + GROUP] for i in range(0, len(text), GROUP))}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look through the chain found.

    Args:
        broken: the number of the first row that is not as it was written; None where all are.
        why: what is wrong there, in words.
    """

    head: Anchor
    broken: int | None = None
    why: str = ""


EMPTY = Anchor(0, FIRST_PREVIOUS)


def hash_of(number: int, at_ns: int, texts: Iterable[str], previous: bytes) -> bytes:
    """The hash that holds a row to the one before."""
    parts = [DOMAIN, _NUMBERS.pack(number, at_ns)]
    for text in texts:
        data = text.encode()
        parts += [_LENGTH.pack(len(data)), data]
    return hashlib.sha256(b"".join([*parts, previous])).digest()


def parse_anchor(text: str) -> Anchor:
    """The anchor in a text such as a log line gives.

    Raises:
        ValueError: it is none.
    """
    match = _ANCHOR.fullmatch(text.strip())
    if match is None:
        raise ValueError("an anchor looks like 41:0a1b2c3d.… : a number, a colon and eight groups of eight hex digits")
    return Anchor(int(match[1]), bytes.fromhex(match[2].replace(".", "")))


def verify(links: Iterable[Link], anchor: Anchor = EMPTY) -> Finding:
    """Look through the whole chain, in the order of its numbers.

    Args:
        anchor: what the chain is known to have been; it must still hold that row.
    """
    head = EMPTY
    for link in links:
        if why := _fault(link, head):
            return Finding(head, head.number + 1, why)
        head = Anchor(link.number, link.hash)
        if link.number == anchor.number and link.hash != anchor.hash:
            return Finding(head, link.number, "it is not the row that the anchor names: the log was written anew")
    if head.number < anchor.number:
        return Finding(head, head.number + 1, f"rows {head.number + 1} to {anchor.number} are missing at the end")
    return Finding(head)


def _fault(link: Link, head: Anchor) -> str:
    if link.number != head.number + 1:
        return f"it is missing: row {link.number} follows row {head.number}"
    if link.previous != head.hash:
        return "it does not follow from the row before"
    if hash_of(link.number, link.at_ns, link.texts, link.previous) != link.hash:
        return "its content or its hash was altered"
    return ""
