"""Card readers that type: from the text of a line to the card.

decimal     0008075634      the 32 bits as ten digits, as printed on the card
hex         007B3972        the same in hex; ten digits begin with the version byte, which is left out
facility    123,14706       bits 16 to 23, and 0 to 15; the highest byte is not told, so the configuration must
"""

import re
from functools import reduce
from operator import xor
from typing import Literal

from readers.card_number import em4100_card, nfc_card
from readers.errors import FrameError

NumberForm = Literal["decimal", "hex", "facility"]
Technology = Literal["em4100", "nfc"]
_EM_HEX_DIGITS = (8, 10)
_DIGITS = re.compile(r"[0-9]+")
_HEX = re.compile(r"([0-9A-Fa-f]{2})+")


def card_of(found: re.Match[str], number: NumberForm, technology: Technology, high_byte: int = 0) -> bytes:
    """The card's identity.

    Args:
        found: a whole line, with the groups `number`, or `facility` and `serial`, and perhaps `check`: the XOR of the
            number's bytes in hex, which then no line may leave out.
        high_byte: of the facility form.

    Raises:
        FrameError: a number that no card has, or a wrong check; the message has no digit of it.
    """
    try:
        if number == "facility":
            return em4100_card(_of_facility(_decimal(found["facility"]), _decimal(found["serial"]), high_byte))
        if number == "decimal":
            return em4100_card(_decimal(found["number"]))
        if "check" in found.re.groupindex:
            _see_check(_bytes(found["number"]), _bytes(found["check"]))
        return _of_hex(_bytes(found["number"]), technology)
    except ValueError as error:
        raise FrameError(f"a line that names no card: {error}") from error


def _see_check(number: bytes, check: bytes) -> None:
    if check != bytes([reduce(xor, number)]):
        raise ValueError("its check is wrong")


def _of_hex(number: bytes, technology: Technology) -> bytes:
    if technology == "nfc":
        return nfc_card(number)
    if 2 * len(number) not in _EM_HEX_DIGITS:
        raise ValueError("an EM4100 number in hex has 8 or 10 digits")
    return em4100_card(int.from_bytes(number[-4:], "big"))


def _of_facility(facility: int, serial: int, high_byte: int) -> int:
    if facility > 0xFF or serial > 0xFFFF:
        raise ValueError("a facility is at most 255, a serial number at most 65535")
    return high_byte << 24 | facility << 16 | serial


def _decimal(text: str | None) -> int:
    if text is None or not _DIGITS.fullmatch(text):
        raise ValueError("something other than decimal digits where the pattern has the number")
    return int(text)


def _bytes(text: str | None) -> bytes:
    if text is None or not _HEX.fullmatch(text):
        raise ValueError("something other than pairs of hex digits where the pattern has number and check")
    return bytes.fromhex(text)
