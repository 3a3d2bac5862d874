"""Firmware of a UHFReader18 or UHFReader288: commands in, inventories and unasked reports out.

An inventory takes until a round brings no new tag, or until the scan time is over; what the host sends meanwhile is lost.
In active mode each round reports every tag again, the mode outlives the power, and only the reader's own settings can be
talked about.  Reading and writing tag memory are not modelled.
Source: UHFReader18 and ZK-RFID102 manuals V2.0; UR series manual v1.14; captures; the vendor's library (an unknown
command is answered under command 0).
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from simulators.scene_radio import Epc, Round
from simulators.uhfreader18.configuration import BAD_LENGTH, BAD_PARAMETER, HANDLERS_18, HANDLERS_288, CommandError
from simulators.uhfreader18.firmware import ACTIVE_MODE, MIN_SCAN_TIME, Firmware, Memory
from simulators.uhfreader18.frames import Command, CommandReceiver, answer

OK, DONE, TIME_UP, MORE, HEARTBEAT = 0x00, 0x01, 0x02, 0x03, 0x28
ANTENNA_ERROR, NO_TAG, BAD_COMMAND = 0xF8, 0xFB, 0xFE
INVENTORY, REPORT = 0x01, 0xEE
ANY_ADDRESS = 0xFF
MODE_ORDERS = (0x35, 0x76)
FIRST_ANTENNA_CODE = 0x80
RSSI_ZERO_DBM = -129  # the unit of the byte is not documented
MOST_LAG_NS = 200_000_000  # a stalled simulator skips time rather than telling all of it at once
TENTH_NS, HEARTBEAT_STEP_NS = 100_000_000, 30_000_000_000


class Field(Protocol):
    """What one antenna hears."""

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool]) -> Round:
        """One inventory round."""


@dataclass(slots=True)
class Scan:
    """An inventory under way."""

    antenna: int
    ends_ns: int
    round_ends_ns: int
    seen: dict[Epc, int] = field(default_factory=dict)


class UhfDevice:
    """One reader on its line.

    Args:
        fields: one for each antenna there is a socket for; None where nothing is connected.
    """

    def __init__(
        self, fields: Sequence[Field | None], *, firmware: Firmware | None = None, memory: Memory | None = None
    ) -> None:
        self.firmware = firmware or Firmware()
        self.memory = memory or Memory()
        self._fields = fields
        self._receiver = CommandReceiver()
        self._due: deque[tuple[int, bytes]] = deque()
        self._scan: Scan | None = None
        self._next_antenna = 1  # of the active mode
        self._round_ends_ns = self._silent_since_ns = 0
        self._heartbeats = self._lost_orders = 0
        self._handlers = HANDLERS_288 if self.firmware.is_288 else HANDLERS_18

    @property
    def baud(self) -> int:
        """The line's speed now."""
        return self.memory.baud

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Answers to what the host sent; nothing while an inventory is under way."""
        out = bytearray()
        for command in self._receiver.feed(data, now_ns):
            if self._scan is None and command.address in (self.memory.address, ANY_ADDRESS):
                out += self._answer(command, now_ns)
        return bytes(out)

    def tick(self, now_ns: int) -> bytes:
        """What an inventory has found, and what the active mode reports."""
        if self.memory.mode == ACTIVE_MODE:
            self._stream_on(now_ns)
        while self._scan is not None and self._scan.round_ends_ns <= now_ns:
            self._go_on(self._scan)
        out = bytearray()
        while self._due and self._due[0][0] <= now_ns:
            out += self._due.popleft()[1]
        return bytes(out)

    def power_cycle(self) -> None:
        """It lost its power and got it back: an inventory is forgotten, the memory is not."""
        self._receiver = CommandReceiver()
        self._due.clear()
        self._scan = None

    def _answer(self, command: Command, now_ns: int) -> bytes:
        address, mode = self.memory.address, self.memory.mode
        if mode == ACTIVE_MODE and self._is_deaf_to(command):
            return b""
        try:
            if command.code == INVENTORY:
                return b"" if mode == ACTIVE_MODE else self._inventory(command.data, now_ns)
            if command.code not in self._handlers:
                return answer(address, 0x00, BAD_COMMAND)
            data = self._handlers[command.code](self.memory, self.firmware, command.data)
        except CommandError as error:
            return answer(address, command.code, error.status)
        if self.memory.mode != mode:
            self._due.clear()
            self._lost_orders = 0
        return answer(address, command.code, OK, data)

    def _is_deaf_to(self, command: Command) -> bool:
        """Whether it is too busy streaming to hear a command."""
        self._lost_orders += 1
        is_busy = self._lost_orders <= self.firmware.lost_orders
        return is_busy or (self.firmware.hears_mode_only and command.code not in MODE_ORDERS)

    def _inventory(self, order: bytes, now_ns: int) -> bytes:
        """An 18's order is empty.  A 288's: Q, session, (mask,) target, antenna, scan time."""
        antenna, tenths = 1, self.memory.scan_time_100ms
        if self.firmware.is_288 and order:
            if len(order) < 5:
                raise CommandError(BAD_LENGTH)
            antenna, tenths = order[-2] - FIRST_ANTENNA_CODE + 1, order[-1]
        if not 1 <= antenna <= len(self._fields):
            raise CommandError(BAD_PARAMETER)
        if self._fields[antenna - 1] is None:
            raise CommandError(ANTENNA_ERROR)
        self._scan = Scan(antenna, now_ns + max(tenths, MIN_SCAN_TIME) * TENTH_NS, now_ns)
        return answer(self.memory.address, INVENTORY, DONE, b"\x00\x09") if self.firmware.acknowledges else b""

    def _go_on(self, scan: Scan) -> None:
        """One more round, or the end."""
        done = self._round(scan.antenna, scan.round_ends_ns)
        new = [heard for heard in done.answers if heard.epc not in scan.seen]
        scan.seen |= {heard.epc: _raw(heard.rssi_dbm) for heard in new}
        scan.round_ends_ns = done.ends_ns
        if (scan.seen and not new) or done.ends_ns >= scan.ends_ns:
            self._scan = None
            self._tell(scan, TIME_UP if new else DONE)

    def _tell(self, scan: Scan, last: int) -> None:
        address, mask = self.memory.address, 1 << scan.antenna - 1
        tags = list(scan.seen.items())
        if self.firmware.acknowledges:
            self._due += [(scan.round_ends_ns, self._report(epc, raw, mask)) for epc, raw in tags]
            return
        if not tags:
            empty = (DONE, bytes((mask, 0))) if self.firmware.is_288 else (NO_TAG, b"")
            self._due.append((scan.round_ends_ns, answer(address, INVENTORY, *empty)))
            return
        size = self.firmware.tags_per_frame
        parts = [tags[at : at + size] for at in range(0, len(tags), size)]
        for number, part in enumerate(parts, 1):
            status = MORE if number < len(parts) or self.firmware.ends_with_more else last
            self._due.append((scan.round_ends_ns, answer(address, INVENTORY, status, self._part(part, mask))))

    def _part(self, tags: list[tuple[Epc, int]], mask: int) -> bytes:
        if not self.firmware.is_288:
            return bytes((len(tags),)) + b"".join(bytes((len(epc),)) + epc for epc, _ in tags)
        return bytes((mask, len(tags))) + b"".join(bytes((len(epc),)) + epc + bytes((raw,)) for epc, raw in tags)

    def _stream_on(self, now_ns: int) -> None:
        self._round_ends_ns = max(self._round_ends_ns, now_ns - MOST_LAG_NS)
        while self._round_ends_ns <= now_ns:
            antenna, started_ns = self._next_antenna, self._round_ends_ns
            self._next_antenna = antenna % len(self._fields) + 1
            if self._fields[antenna - 1] is None:
                self._round_ends_ns += TENTH_NS
                continue
            done = self._round(antenna, started_ns)
            for heard in done.answers:
                self._due.append((heard.at_ns, self._report(heard.epc, _raw(heard.rssi_dbm), 1 << antenna - 1)))
            self._round_ends_ns = max(done.ends_ns, started_ns + 1)
            self._beat(bool(done.answers), self._round_ends_ns)

    def _beat(self, heard: bool, now_ns: int) -> None:
        """A heartbeat when the field has been empty for long enough."""
        pause_ns = self.memory.heartbeat_pauses * HEARTBEAT_STEP_NS
        if heard or self._silent_since_ns == 0:
            self._silent_since_ns = now_ns
        elif pause_ns and now_ns - self._silent_since_ns >= pause_ns:
            self._silent_since_ns = now_ns
            self._heartbeats += 1
            states = bytes(field is not None for field in self._fields).ljust(8, b"\x00")
            data = self._heartbeats.to_bytes(4, "big") + states + bytes(4)
            self._due.append((now_ns, answer(self.memory.address, REPORT, HEARTBEAT, data)))

    def _report(self, epc: Epc, raw: int, mask: int) -> bytes:
        data = bytes((mask, len(epc))) + epc + bytes((raw,)) if self.firmware.is_288 else bytes(epc)
        return answer(self.memory.address, REPORT, OK, data)

    def _round(self, antenna: int, now_ns: int) -> Round:
        heard = self._fields[antenna - 1]
        assert heard is not None
        return heard.inventory(now_ns, self.memory.power_dbm, lambda _: True)


def _raw(rssi_dbm: float) -> int:
    return max(0, min(round(rssi_dbm) - RSSI_ZERO_DBM, 255))
