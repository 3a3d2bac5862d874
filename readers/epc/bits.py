"""Bits of an EPC, most significant first, and the one error of this package."""

WORD_BITS = 16
MAX_WORDS = 31
"""What the five length bits of a tag's protocol control word can say."""
MAX_BYTES = MAX_WORDS * WORD_BITS // 8


class EpcError(ValueError):
    """A rule of the Tag Data Standard that an EPC, a key or a text breaks; one line that says which."""


class BitReader:
    """Takes bits off the front of an EPC."""

    def __init__(self, epc: bytes) -> None:
        self._bits = int.from_bytes(epc, "big")
        self.left = len(epc) * 8

    def take(self, count: int) -> int:
        """The next `count` bits as a number.

        Raises:
            EpcError: there are not so many.
        """
        if count > self.left:
            raise EpcError(f"ends {count - self.left} bits too early")
        self.left -= count
        return self._bits >> self.left & (1 << count) - 1


class BitWriter:
    """Puts an EPC together."""

    def __init__(self) -> None:
        self._bits = 0
        self.count = 0

    def put(self, value: int, count: int) -> None:
        """Append a number.

        Raises:
            EpcError: it does not fit `count` bits.
        """
        if not 0 <= value < 1 << count:
            raise EpcError(f"{value} does not fit {count} bits")
        self._bits = self._bits << count | value
        self.count += count

    def to_bytes(self) -> bytes:
        """All bits, filled up with zeros to whole words as a tag stores them.

        Raises:
            EpcError: more than a tag's EPC bank can hold.
        """
        words = -(-self.count // WORD_BITS)
        if words > MAX_WORDS:
            raise EpcError(f"{self.count} bits, an EPC bank holds {MAX_WORDS * WORD_BITS}")
        return (self._bits << words * WORD_BITS - self.count).to_bytes(words * WORD_BITS // 8, "big")
