"""Members from CSV: each row checked by itself, so that a bad one is named and the rest come in.

    card,alias,language,interests,disinterests,purposes,quiet,cap

`card` is the EPC of a UHF card in hex, `em4100:` and the ten digits printed on a 125 kHz card, or `nfc:` and the UID of an
NFC card in hex.  Lists are separated by `;`.  `cap` empty: not set; 0: never show me anything.
"""

import csv
import io
import re
from dataclasses import dataclass
from typing import get_args

from readers.card_number import card_of_text
from server.decisions.quiet import parse_windows
from server.decisions.rules import Purpose
from server.errors import Unprocessable

COLUMNS = ("card", "alias", "language", "interests", "disinterests", "purposes", "quiet", "cap")
PURPOSES = frozenset(get_args(Purpose))
MAX_ALIAS = 60
MAX_CAP = 100
EPC_BYTES = range(2, 63, 2)  # 16 to 496 bits, whole 16-bit words
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")
_TAG = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """One sound row.

    Args:
        row: its line in the file.
        quiet: windows separated by `;`, as written.
    """

    row: int
    card: bytes
    alias: str
    language: str
    interests: frozenset[str]
    disinterests: frozenset[str]
    purposes: frozenset[str]
    quiet: str
    cap: int | None

    def __repr__(self) -> str:
        return f"MemberRecord(row={self.row})"  # keeps cards and names out of tracebacks


@dataclass(frozen=True, slots=True)
class RowError:
    """Why a row was left out; names neither card nor person."""

    row: int
    why: str


def parse_members(text: str, own_goods: tuple[str, ...]) -> tuple[list[MemberRecord], list[RowError]]:
    """The sound rows and the bad ones.

    Args:
        own_goods: EPC prefixes that no card may have.
    Raises:
        Unprocessable: the header is not ours.
    """
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    if (header := _header(reader)) != COLUMNS:
        raise Unprocessable(f"the header is {','.join(header)[:200]!r}; it must be {','.join(COLUMNS)}")
    good: list[MemberRecord] = []
    bad: list[RowError] = []
    seen: set[bytes] = set()
    while True:
        try:
            fields = next(reader)
            good.append(_parse_row(reader.line_num, fields, own_goods, seen))
        except StopIteration:
            return good, bad
        except (ValueError, csv.Error) as error:
            bad.append(RowError(reader.line_num, str(error)))


def _header(reader: "csv.DictReader[str]") -> tuple[str, ...]:
    try:
        return tuple(reader.fieldnames or ())
    except csv.Error as error:
        raise Unprocessable(f"not CSV: {error}") from error


def _parse_row(row: int, fields: dict[str, str | None], own_goods: tuple[str, ...], seen: set[bytes]) -> MemberRecord:
    if None in fields or None in fields.values():
        raise ValueError(f"it has not {len(COLUMNS)} fields")
    cells = {name: (fields[name] or "").strip() for name in COLUMNS}
    card = _parse_card(cells["card"], own_goods)
    if not cells["alias"] or len(cells["alias"]) > MAX_ALIAS or not cells["alias"].isprintable():
        raise ValueError(f"alias must be 1 to {MAX_ALIAS} printable characters")
    if not _LANGUAGE.fullmatch(cells["language"]):
        raise ValueError("language must be a tag such as en or zh-Hant")
    interests, disinterests = _parse_tags(cells["interests"]), _parse_tags(cells["disinterests"])
    if both := sorted(interests & disinterests):
        raise ValueError(f"{both[0]!r} is both an interest and a dis-interest")
    purposes = frozenset(part.strip() for part in cells["purposes"].split(";") if part.strip())
    if unknown := sorted(purposes - PURPOSES):
        raise ValueError(f"unknown purpose {unknown[0][:40]!r}; there are {' and '.join(sorted(PURPOSES))}")
    parse_windows(cells["quiet"])
    cap = parse_cap(cells["cap"])
    if card in seen:
        raise ValueError("this card is in the file twice")
    seen.add(card)
    return MemberRecord(
        row,
        card,
        cells["alias"],
        cells["language"],
        interests,
        disinterests,
        purposes,
        cells["quiet"],
        cap,
    )


def _parse_card(text: str, own_goods: tuple[str, ...]) -> bytes:
    card = _parse_number(text) if ":" in text else _parse_epc(text)
    if card.hex().startswith(tuple(prefix.lower() for prefix in own_goods)):
        raise ValueError("card has the number of one of the site's own goods")
    return card


def _parse_number(text: str) -> bytes:
    try:
        return card_of_text(text)
    except ValueError as error:
        raise ValueError(f"card: {error}") from None


def _parse_epc(text: str) -> bytes:
    try:
        card = bytes.fromhex(text)
    except ValueError:
        raise ValueError("card is not hex text; one that is no UHF card is written em4100:… or nfc:…") from None
    if len(card) not in EPC_BYTES:
        raise ValueError("card is no EPC, which has 2 to 62 bytes, an even number; an NFC card is written nfc:…")
    return card


def _parse_tags(text: str) -> frozenset[str]:
    tags = frozenset(part.strip() for part in text.split(";") if part.strip())
    for tag in sorted(tags):
        if not _TAG.fullmatch(tag):
            raise ValueError(f"interest {tag[:40]!r} must be lower-case letters, digits and hyphens")
    return tags


def parse_cap(text: str) -> int | None:
    """The most that is shown in a visit; None: not set.

    Raises:
        ValueError: no such number.
    """
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) > MAX_CAP:
        raise ValueError(f"cap must be empty or 0 to {MAX_CAP}")
    return int(text)
