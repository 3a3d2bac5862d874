"""Firmware of a PN532 on HSU: asleep until woken, an ACK before every answer, and polls that by default wait for a card.

A card that was selected stays so until the field goes off, and misses the next poll, which lets it go.  Cards may draw a new
UID each time they get power.  Source: NXP UM0701-02 PN532 user manual; reports of users on the poll that misses.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

ACK = bytes.fromhex("0000ff00ff00")
NOT_UNDERSTOOD = bytes.fromhex("0000ff01ff7f8100")
FOR_EVER = 0xFF
TRY_NS = 2_000_000  # one look for a card


@dataclass(frozen=True, slots=True)
class Card:
    """A card of ISO 14443 A.

    Args:
        uid: 4, 7 or 10 bytes; None draws four anew at each power-up, as telephones do.
        ats: its answer to select, where it speaks ISO 14443-4.
    """

    uid: bytes | None
    sens_res: bytes = b"\x00\x04"
    sel_res: int = 0x08
    ats: bytes = b""


Field = Callable[[int], Card | None]
"""The card in front of the antenna at a time in UTC ns; the first, should there be several."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """One make of the chip.

    Args:
        version: chip, version, revision, support.
        asleep: needs a wake-up before it listens.
        heeds_retries: does as it is told about retries; else every poll waits for a card.
        heeds_all_while_polling: a new command ends the poll in hand; else only an ACK does.
        keeps_selected: a card that was found misses the next poll unless the field was off in between.
    """

    version: bytes = b"\x32\x01\x06\x07"
    asleep: bool = True
    heeds_retries: bool = True
    heeds_all_while_polling: bool = False
    keeps_selected: bool = True


@dataclass(slots=True)
class _State:
    """What is gone with the power."""

    awake: bool
    retries: int = FOR_EVER
    polling_until_ns: int | None = None
    selected: bytes | None = None
    powered: bool = False
    heard: bytearray = field(default_factory=bytearray)


class Pn532Device:
    """One chip on its line."""

    baud = 115200

    def __init__(self, cards: Field, *, firmware: Firmware | None = None, seed: int = 1) -> None:
        self.firmware = firmware or Firmware()
        self.commands: list[int] = []
        self._cards, self._rng = cards, random.Random(seed)
        self._random_uid = b""
        self._state = _State(not self.firmware.asleep)

    def power_cycle(self) -> None:
        """The chip lost its power and got it back: asleep, and nothing it was told is known."""
        self._state = _State(not self.firmware.asleep)

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """ACK and answers to the whole frames in what the host sent so far."""
        state = self._state
        if not state.awake:
            at = data.find(0x55)
            if at < 0:
                return b""
            state.awake, data = True, data[at:]
        state.heard += data
        out = b""
        while (frame := self._next_frame()) is not None:
            out += self._obey(frame, now_ns)
        return out + self.tick(now_ns)

    def tick(self, now_ns: int) -> bytes:
        """The answer to a poll that was waiting, once a card is there or patience is over."""
        state = self._state
        if state.polling_until_ns is None:
            return b""
        card = self._cards(now_ns)
        if card is None:
            state.selected = None
        elif state.selected is None:
            state.polling_until_ns = None
            return answer(0x4A, b"\x01" + self._select(card))
        if now_ns < state.polling_until_ns:
            return b""
        state.polling_until_ns = state.selected = None  # the look that failed lets the card go
        return answer(0x4A, b"\x00")

    def _next_frame(self) -> bytes | None:
        """The next whole frame's TFI and data; empty for an ACK; what is no frame is skipped."""
        heard = self._state.heard
        while (at := heard.find(b"\x00\xff")) >= 0:
            rest = bytes(heard[at + 2 :])
            if len(rest) < 2:
                return None
            if rest[:2] == b"\x00\xff":
                del heard[: at + 4]
                return b""
            size = rest[0]
            if (size + rest[1]) & 0xFF:
                del heard[: at + 2]
                continue
            if len(rest) < size + 3:
                return None
            body, check = rest[2 : 2 + size], rest[2 + size]
            del heard[: at + 2 + size + 3]
            if (sum(body) + check) & 0xFF == 0 and body[:1] == b"\xd4":
                return body
        return None

    def _obey(self, body: bytes, now_ns: int) -> bytes:
        state = self._state
        if body and state.polling_until_ns is not None and not self.firmware.heeds_all_while_polling:
            return b""
        state.polling_until_ns = None
        if not body:
            return b""
        code, parameters = body[1], body[2:]
        self.commands.append(code)
        match code:
            case 0x02:
                return ACK + answer(code, self.firmware.version)
            case 0x14 if parameters[:1] == b"\x01":
                return ACK + answer(code)
            case 0x32 if parameters:
                self._configure(parameters)
                return ACK + answer(code)
            case 0x4A if parameters == b"\x01\x00":
                self._start_poll(now_ns)
                return ACK
        return ACK + NOT_UNDERSTOOD

    def _configure(self, parameters: bytes) -> None:
        state = self._state
        if parameters[0] == 1 and not parameters[1] & 1:
            state.selected, state.powered = None, False
        if parameters[0] == 5 and self.firmware.heeds_retries:
            state.retries = parameters[3]

    def _start_poll(self, now_ns: int) -> None:
        state = self._state
        if not state.powered:
            state.powered, self._random_uid = True, b"\x08" + self._rng.randbytes(3)
        tries = state.retries + 1
        state.polling_until_ns = now_ns + TRY_NS * tries if state.retries != FOR_EVER else 1 << 62

    def _select(self, card: Card) -> bytes:
        uid = self._random_uid if card.uid is None else card.uid
        self._state.selected = uid if self.firmware.keeps_selected else None
        return b"\x01" + card.sens_res + bytes([card.sel_res, len(uid)]) + uid + card.ats


def answer(command: int, data: bytes = b"") -> bytes:
    """The chip's answer to a command."""
    body = bytes([0xD5, command + 1]) + data
    return b"\x00\x00\xff" + bytes([len(body), -len(body) & 0xFF]) + body + bytes([-sum(body) & 0xFF, 0])
