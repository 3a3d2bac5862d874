"""Files of an agent that say nothing to whoever has them without its credential.

    magic "TACETAR1" | salt 16 | pieces: AES-256-GCM of up to 1 MiB each, 16 bytes of tag behind it

The key comes from the agent's own keys and the file's salt by HKDF-SHA256, so no two files share one; a piece's nonce is its
number, and its number, its being the last and what the file is for are bound to it.  Pieces cannot be cut off, changed
places or be put into another file.

What it protects from: a copied or stolen data folder, a backup of it, a disk that was only thrown away.  What not: whoever has
the credential, too.  On one and the same disk in plain it is a lock with the key beside it; `docs/privacy.md` says where else to
put it.
"""

import io
import os
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from broker_config.identity import Credential

MAGIC = b"TACETAR1"
SALT_BYTES = 16
HEAD_BYTES = len(MAGIC) + SALT_BYTES
PIECE_BYTES = 1 << 20
TAG_BYTES = 16
KEY_BYTES = 32


class SealedFileError(ValueError):
    """This file cannot be opened with this agent's keys: another's, altered, or cut short."""


class AtRest:
    """Seals and opens one agent's files of one purpose."""

    def __init__(self, credential: Credential, purpose: str) -> None:
        assert credential.match_key is not None
        assert credential.seal_key is not None
        self._secret = bytes.fromhex(credential.seal_key) + bytes.fromhex(credential.match_key)
        self._purpose = purpose.encode()

    def seal(self, data: bytes) -> bytes:
        """The whole file."""
        writer = SealedWriter(self)
        return b"".join([writer.head, *writer.add(data), writer.end()])

    def open(self, sealed: memoryview) -> bytearray:
        """What a file holds.

        Raises:
            SealedFileError: says that it cannot be opened.
        """
        return self.open_file(io.BytesIO(sealed), len(sealed))

    def open_file(self, file: io.BufferedIOBase, size: int) -> bytearray:
        """What a file of `size` bytes holds, read piece by piece: no more than a piece of it is in memory besides.

        Raises:
            SealedFileError: says that it cannot be opened.
            OSError: it cannot be read.
        """
        head = file.read(HEAD_BYTES)
        if size < HEAD_BYTES + TAG_BYTES or head[: len(MAGIC)] != MAGIC:
            raise SealedFileError("it is no sealed file, or cut short")
        cipher, count = self.cipher(head[len(MAGIC) :]), -(-(size - HEAD_BYTES) // (PIECE_BYTES + TAG_BYTES))
        opened, at = bytearray(max(size - HEAD_BYTES - count * TAG_BYTES, 0)), 0
        place = memoryview(bytearray(PIECE_BYTES + TAG_BYTES))
        try:
            for number in range(count):
                piece = place[: file.readinto(place)]
                data = cipher.decrypt(*self.bound(number, piece, is_last=number == count - 1))
                opened[at : at + len(data)] = data
                at += len(data)
        except InvalidTag as error:
            raise SealedFileError("it was altered or cut short, or is another agent's") from error
        return opened

    def cipher(self, salt: bytes) -> AESGCM:
        """The cipher of the file with this salt."""
        return AESGCM(HKDF(hashes.SHA256(), KEY_BYTES, salt, b"tacet at rest " + self._purpose).derive(self._secret))

    def bound(
        self, number: int, piece: bytes | memoryview, *, is_last: bool
    ) -> tuple[bytes, bytes | memoryview, bytes]:
        """Nonce, data and what is bound to them."""
        place = number.to_bytes(8, "big")
        return bytes(4) + place, piece, self._purpose + place + bytes([is_last])


class SealedWriter:
    """Seals a file as it comes: write `head`, then what `add` gives, then `end`."""

    def __init__(self, at_rest: AtRest) -> None:
        salt = os.urandom(SALT_BYTES)
        self.head = MAGIC + salt
        self._at_rest, self._cipher = at_rest, at_rest.cipher(salt)
        self._waiting, self._number = bytearray(), 0

    def add(self, data: bytes) -> Iterator[bytes]:
        """What can be written now; the last piece is known only at the end."""
        self._waiting += data
        while len(self._waiting) > PIECE_BYTES:
            yield self._seal(bytes(self._waiting[:PIECE_BYTES]), is_last=False)
            del self._waiting[:PIECE_BYTES]

    def end(self) -> bytes:
        """The last piece."""
        return self._seal(bytes(self._waiting), is_last=True)

    def _seal(self, piece: bytes, *, is_last: bool) -> bytes:
        sealed = self._cipher.encrypt(*self._at_rest.bound(self._number, piece, is_last=is_last))
        self._number += 1
        return sealed
