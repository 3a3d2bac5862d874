"""Characters, escapes and check digits of GS1 keys.

Source: GS1 TDS 2.3, tables A-1 (82 characters) and G-1 (39 characters), section 5 (escapes); check digit: GS1 General
Specifications, section 7.9.
"""

import re
from collections.abc import Set
from string import ascii_letters, ascii_uppercase, digits

from readers.epc.bits import EpcError

DIGITS = frozenset(digits)
ALPHANUMERIC = frozenset(digits + ascii_letters + "!\"%&'()*+,-./:;<=>?_")
"""What GS1 allows in serial numbers (character set 82)."""
COMPONENT = frozenset(digits + ascii_uppercase + "#-/")
"""What GS1 allows in component and part references (character set 39), and ADI in part and serial numbers."""

_MOST_DIGITS = 40  # more than any scheme has; Python itself refuses some thousand
_ESCAPED = '"#%&/<>?'
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_BARE = re.compile('["#&/<>?]|%(?![0-9A-Fa-f]{2})')


def check_digit(number: str) -> str:
    """The GS1 check digit that follows `number`: weights 3, 1, 3… from the right."""
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(number)))
    return str(-total % 10)


def require(text: str, allowed: Set[str], least: int, most: int) -> None:
    """See that a text is of these characters and of a length that fits.

    Raises:
        EpcError: it is not.
    """
    if strange := sorted(set(text) - allowed):
        raise EpcError(f"{text!r} has {strange[0]!r}, which is not allowed here")
    if not least <= len(text) <= most:
        wanted = str(most) if least == most else f"{least} to {most}"
        raise EpcError(f"{text!r} has {len(text)} characters, not {wanted}")


def require_check_digit(number: str) -> None:
    """See that a key of digits ends in its check digit.

    Raises:
        EpcError: it does not; names the right one.
    """
    if number[-1] != (right := check_digit(number[:-1])):
        raise EpcError(f"the check digit of {number} should be {right}")


def to_plain_integer(text: str) -> int:
    """The number a text writes.

    Raises:
        EpcError: letters, a sign, or a leading zero, which an integer on a tag would lose.
    """
    if len(text) > _MOST_DIGITS:
        raise EpcError(f"{text[:_MOST_DIGITS]!r}… has too many digits")
    if not text or set(text) - DIGITS or (text[0] == "0" and text != "0"):
        raise EpcError(f"{text!r} is not a plain integer without leading zeros")
    return int(text)


def escape(text: str) -> str:
    """As a part of an EPC URI."""
    return "".join(f"%{ord(char):02X}" if char in _ESCAPED else char for char in text)


def unescape(text: str) -> str:
    """A part of an EPC URI as it reads on a label.

    Raises:
        EpcError: a character that needs an escape stands there without.
    """
    if bare := _BARE.search(text):
        raise EpcError(f"{bare[0]!r} in {text!r} must be written as %{ord(bare[0]):02X}")
    return _ESCAPE.sub(lambda escaped: chr(int(escaped[1], 16)), text)
