"""The fields of an MQTT packet, taken one after the other, and what a CONNECT opens with.

Source: MQTT 3.1.1, sections 1.5 and 3.1.2.
"""

HEAD_OF_CONNECT = b"\x00\x04MQTT\x04"
"""The protocol's name and level."""
CLEAN_SESSION, WILL, WILL_RETAIN, PASSWORD, USER = 0x02, 0x04, 0x20, 0x40, 0x80
"""Flags of a CONNECT."""


class Malformed(Exception):
    """A peer sent what is no packet of MQTT 3.1.1."""


class Fields:
    """The body of a packet, taken from its front."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    @property
    def left(self) -> int:
        """How many bytes have not been taken."""
        return len(self._body) - self._at

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            Malformed: there are not so many.
        """
        if count > self.left:
            raise Malformed(f"a field goes {count - self.left} bytes beyond the end")
        self._at += count
        return self._body[self._at - count : self._at]

    def data(self) -> bytes:
        """Bytes behind their length."""
        return self.take(int.from_bytes(self.take(2), "big"))

    def text(self) -> str:
        """A string, which holds no NUL [MQTT-1.5.3-2].

        Raises:
            Malformed: it does, or is no UTF-8.
        """
        try:
            text = self.data().decode()
        except UnicodeDecodeError as error:
            raise Malformed("a string is no UTF-8") from error
        if "\0" in text:
            raise Malformed("a string holds NUL")
        return text

    def end(self) -> None:
        """Return if all has been taken.

        Raises:
            Malformed: there are bytes left.
        """
        if self.left:
            raise Malformed(f"{self.left} bytes too many")
