"""Firmware of an R2000 class UHF reader: commands in, answers, reports of tags and ends of rounds out.

One order at a time; when its rounds are done, the reader tells so and rests.  Commands that come meanwhile wait for the
order's end, all but a reset.  Reading and writing tag memory is not modelled: there is never a tag for it (error 36).
Source: UHF RFID Reader Serial Interface Protocol V3.7, by command; programs of vendors for eight ports and the buffer.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from simulators.gen2 import backscatter
from simulators.r2000_a0.buffer import TagBuffer
from simulators.r2000_a0.configuration import (
    ANTENNA_MISSING,
    DONE,
    HANDLERS,
    INVALID,
    NO_TAG,
    CommandError,
    one_of,
    sized,
)
from simulators.r2000_a0.frames import EVERYBODY, Command, CommandReceiver, frame
from simulators.r2000_a0.orders import BUFFERED, Order, Stay, read_order
from simulators.r2000_a0.settings import Firmware, delivered
from simulators.scene_radio import Answer, Epc, Round

RESET = 0x70
BAUDS = {3: 38_400, 4: 115_200}
RSSI_ZERO_DBM = -129
NS_PER_MS = 1_000_000
MOST_LAG_NS = 200_000_000  # a stalled simulator skips time rather than telling all of it at once
MOST_WAITING = 8  # commands that wait for the end of an order; more are lost


class Field(Protocol):
    """What an antenna hears."""

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool]) -> Round:
        """One inventory round."""


class R2000Device:
    """One reader on its line.

    Args:
        fields: by port; None, and ports beyond the last, have no antenna.
    """

    def __init__(
        self, fields: Sequence[Field | None], *, firmware: Firmware | None = None, baud: int = 115_200
    ) -> None:
        self.baud = self._next_baud = baud
        self.firmware = firmware or Firmware()
        self.fields: list[Field | None] = [*fields, *[None] * (self.firmware.ports - len(fields))]
        self.settings = delivered(self.firmware)
        self._buffer = TagBuffer()
        self._rounds_done = 0
        self._start(0)

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Answers to what the host sent; bytes that form no sound command for this reader are ignored."""
        if now_ns < self._deaf_until_ns:
            return b""
        for command in self._receiver.feed(data, now_ns):
            if command.address not in (self.settings.address, EVERYBODY):
                continue
            if command.code == RESET:
                self._reset(now_ns)
                return b""
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(command)
        return self._obey_waiting(now_ns)

    def tick(self, now_ns: int) -> bytes:
        """Reports whose time has come, ends of orders, and answers that waited for them."""
        if self._next_baud != self.baud and now_ns >= self._deaf_until_ns:
            self.baud = self._next_baud
            self._start(now_ns)
        out = bytearray()
        while self._order is not None:
            while self._due and self._due[0][0] <= now_ns:
                out += self._due.popleft()[1]
            if self._due or self._round_ends_ns > now_ns:
                return bytes(out)
            begins_ns = max(self._round_ends_ns, now_ns - MOST_LAG_NS)
            if self._stays:
                self._begin_stay(self._stays.popleft(), begins_ns)
            else:
                out += self._end_order(begins_ns)
        return bytes(out) + self._obey_waiting(now_ns)

    def power_cycle(self, now_ns: int) -> None:
        """The reader lost its power and got it back."""
        if not self.firmware.keeps_settings:
            self.settings = delivered(self.firmware)
        self._buffer.clear()
        self._reset(now_ns)

    def _reset(self, now_ns: int) -> None:
        self._rounds_done = 0
        self._start(now_ns)
        self._deaf_until_ns = now_ns + self.firmware.start_ns

    def _start(self, now_ns: int) -> None:
        self._receiver = CommandReceiver()
        self._waiting: deque[Command] = deque()
        self._due: deque[tuple[int, bytes]] = deque()
        self._stays: deque[Stay] = deque()
        self._order: Order | None = None
        self._begun_ns = self._round_ends_ns = self._deaf_until_ns = now_ns
        self._reads = 0
        self._antenna = 0

    def _obey_waiting(self, now_ns: int) -> bytes:
        out = b""
        while self._order is None and self._waiting:
            command = self._waiting.popleft()
            try:
                out += self._obey(command, now_ns)
            except CommandError as error:
                out += self._say(command.code, bytes((error.code,)))
        return out

    def _obey(self, command: Command, now_ns: int) -> bytes:
        code, data = command.code, command.data
        if code in (0x80, 0x89, 0x8A, 0x8B):
            return self._begin_order(read_order(code, data, self._antenna, self.firmware.ports), now_ns)
        if code in HANDLERS:
            return self._say(code, HANDLERS[code](self.settings, self.firmware, data))
        if code == 0x71:
            return self._set_baud(data, now_ns)
        if code == 0x74:
            self._antenna = one_of(data, range(self.firmware.ports), 0x47)
            return self._say(code, DONE)
        if code == 0x75:
            return self._say(code, bytes((self._antenna,)))
        if code == 0x7E:
            return self._say(code, self._return_loss(data))
        if code in (0x90, 0x91, 0x92, 0x93):
            return b"".join(self._say(code, each) for each in self._buffer.obey(code))
        raise CommandError(NO_TAG if code in (0x81, 0x82, 0x83, 0x84, 0x94) else INVALID)

    def _begin_order(self, order: Order, now_ns: int) -> bytes:
        missing = [stay.port for stay in order.stays if self.fields[stay.port] is None]
        if missing and not order.switches:
            raise CommandError(ANTENNA_MISSING)
        if self._is_stuck():
            return b""
        self._order, self._begun_ns, self._round_ends_ns, self._reads = order, now_ns, now_ns, 0
        self._stays.extend(order.stays * order.repeat)
        return b""

    def _begin_stay(self, stay: Stay, now_ns: int) -> None:
        assert self._order is not None
        field = self.fields[stay.port]
        if field is None:
            self._due.append((now_ns, self._say(self._order.code, bytes((stay.port, ANTENNA_MISSING)))))
            self._round_ends_ns = now_ns + NS_PER_MS
            return
        for _ in range(stay.rounds):
            now_ns = self._begin_round(field, stay.port, now_ns)
        self._round_ends_ns = now_ns + self._order.interval_ms * NS_PER_MS

    def _begin_round(self, field: Field, port: int, now_ns: int) -> int:
        done = field.inventory(now_ns, self.settings.powers_dbm[port], lambda _: True)
        for answer in done.answers:
            self._take(answer, port)
        self._rounds_done += 1
        return done.ends_ns

    def _take(self, answer: Answer, port: int) -> None:
        assert self._order is not None
        self._reads += 1
        first, last = self.settings.region[1:3]
        channel = first + self._reads % (last - first + 1)
        rssi = max(0, min(round(answer.rssi_dbm) - RSSI_ZERO_DBM, 0x7F)) | (0x80 if port > 3 else 0)
        where, tag = channel << 2 | port & 3, backscatter(answer.epc)
        if self._order.code == BUFFERED:
            self._buffer.put(tag, rssi, where)
        else:
            report = bytes((where,)) + tag[:-2] + bytes((rssi,))
            self._due.append((answer.at_ns, self._say(self._order.code, report)))

    def _end_order(self, now_ns: int) -> bytes:
        order, self._order = self._order, None
        assert order is not None
        if self._is_stuck():
            return b""
        took_ms = max((now_ns - self._begun_ns) // NS_PER_MS, 1)
        if order.switches:
            return self._say(order.code, self._reads.to_bytes(3, "big") + took_ms.to_bytes(4, "big"))
        rate = min(self._reads * 1000 // took_ms, 0xFFFF).to_bytes(2, "big")
        kept = len(self._buffer).to_bytes(2, "big") if order.code == BUFFERED else b""
        end = bytes((order.stays[0].port,)) + kept + rate + self._reads.to_bytes(4, "big")
        return self._say(order.code, end)

    def _is_stuck(self) -> bool:
        most = self.firmware.stuck_after_rounds
        return most is not None and self._rounds_done >= most

    def _return_loss(self, data: bytes) -> bytes:
        sized(data, 1)
        if self.fields[self._antenna] is None:
            return b"\x00"
        return bytes((self.firmware.return_loss_db.get(self._antenna + 1, 20),))

    def _set_baud(self, data: bytes, now_ns: int) -> bytes:
        """Answered at the old speed, then the reader starts anew."""
        self._next_baud = BAUDS[one_of(data, BAUDS, 0x4A)]
        self._deaf_until_ns = now_ns + self.firmware.start_ns
        return self._say(0x71, DONE)

    def _say(self, code: int, data: bytes) -> bytes:
        return frame(self.settings.address, code, data)
