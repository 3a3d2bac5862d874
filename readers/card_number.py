"""A member card's number as bytes: one rule, so that a card is the same card at every reader and in the member list.

    EM4100, 125 kHz          0x45 "E" | the 32 bits whose decimal form is printed on the card, big-endian
    ISO 14443 A, 13.56 MHz   0x4E "N" | the UID as the card sends it: four bytes, or the cascade tag 0x88 before every
                                        three bytes that are not the last four

So a card has 5 bytes, or 9 or 13 for a UID of 7 or 10.  That is always odd, and a Gen2 EPC is whole 16-bit words: no card is
ever taken for a tag, nor a card of one kind for one of the other.  In text, as in the member list:

    em4100:0008075634        the ten digits on the card
    nfc:04a1b2c3d4e5f6       the UID as a telephone shows it; `:`, `-` or spaces between its bytes do no harm

The version byte that some EM4100 readers report in front of the 32 bits is left out, because most cannot report it; two
cards that differ in nothing else are one card to us.  No message of this module repeats a number.
Source: ISO/IEC 14443-3, UID and cascade levels; EM4100 data sheet.
"""

import re

EM4100, NFC_A = b"\x45", b"\x4e"
MAX_NUMBER = 0xFFFF_FFFF
UID_BYTES = (4, 7, 10)
CARD_RSSI_DBM = 0.0
"""Of every card, since no card reader reports one: held to the reader, it is nearer than any tag that is read from afar."""

_CASCADE_TAG = 0x88
_RANDOM = 0x08
_PRINTED = re.compile(r"[0-9]{10}")
_SEPARATORS = re.compile(r"[:\- ]")


def em4100_card(number: int) -> bytes:
    """The card with this number.

    Args:
        number: 32 bits.

    Raises:
        ValueError: more than 32 bits.
    """
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError(f"an EM4100 number is at most {MAX_NUMBER}")
    return EM4100 + number.to_bytes(4, "big")


def nfc_card(uid: bytes) -> bytes:
    """The card with this UID.

    Raises:
        ValueError: no UID that could tell one card from another: see `is_random`.
    """
    if len(uid) not in UID_BYTES:
        raise ValueError("a UID has 4, 7 or 10 bytes")
    if is_random(uid):
        raise ValueError("a UID of 4 bytes that begins with 08 is drawn anew at every touch and names no card")
    if len(uid) == 4 and uid[0] == _CASCADE_TAG:
        raise ValueError("a UID of 4 bytes cannot begin with 88; is this the beginning of a longer one?")
    rounds = (len(uid) - 4) // 3
    cascade = b"".join(bytes([_CASCADE_TAG]) + uid[3 * level : 3 * level + 3] for level in range(rounds))
    return NFC_A + cascade + uid[3 * rounds :]


def is_random(uid: bytes) -> bool:
    """Whether the UID is drawn anew at every touch, as telephones do."""
    return len(uid) == 4 and uid[0] == _RANDOM


def card_of_text(text: str) -> bytes:
    """The card that a member list names; see the module's docstring.

    Raises:
        ValueError: what is wrong with it, without the number.
    """
    kind, _, number = text.partition(":")
    if kind.strip().lower() == "em4100":
        return _em4100_of_text(number.strip())
    if kind.strip().lower() == "nfc":
        return _nfc_of_text(number)
    raise ValueError("write it as em4100:<the ten digits on the card> or nfc:<its UID in hex>")


def _em4100_of_text(number: str) -> bytes:
    if not _PRINTED.fullmatch(number):
        raise ValueError("em4100: takes the ten digits on the card; the form 123,45678 lacks their highest byte")
    return em4100_card(int(number))


def _nfc_of_text(number: str) -> bytes:
    try:
        uid = bytes.fromhex(_SEPARATORS.sub("", number))
    except ValueError:
        raise ValueError("nfc: takes the UID in hex") from None
    return nfc_card(uid)
