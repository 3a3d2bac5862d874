"""Firmware of a MagicRF M100 UHF module: commands in, answers and tag notices out.

Reports of a multi poll come under command 22, each empty round gives error 15, and a poll goes on when the host is gone.
Reading and writing tag memory and GPIO are not modelled; like any unknown command they give error 17.
Source: M100/QM100 user protocol, by command; module notes of independent drivers.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol

from simulators.gen2 import backscatter
from simulators.magicrf_m100.configuration import HANDLERS, OK, CommandError, one_of, sized
from simulators.magicrf_m100.frames import ANSWER, NOTICE, Command, CommandReceiver, frame
from simulators.magicrf_m100.settings import Firmware, Select, Settings
from simulators.scene_radio import Epc, Round

NO_TAG, COMMAND_ERROR, ALL_OCCUPIED = 0x15, 0x17, 0x20
SELECT_MODE = 0x12
BAUDS = (96, 192, 288, 384, 576, 1152)  # in hundreds
MOST_LAG_NS = 200_000_000  # a stalled simulator skips time rather than telling all of it at once
WAKE_NS = 20_000_000
SEARCH_NS = 20_000_000  # for a channel that nobody uses
BROWN_OUT_NS = 100_000_000
MINUTE_NS = 60_000_000_000


class Field(Protocol):
    """What the antenna hears."""

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool]) -> Round:
        """One inventory round."""


def error(code: int) -> bytes:
    """An error frame."""
    return frame(ANSWER, 0xFF, bytes((code,)))


class M100Device:
    """One module on its line."""

    def __init__(self, field: Field, *, firmware: Firmware | None = None) -> None:
        self.baud = 115_200
        self.firmware = firmware or Firmware()
        self._field = field
        self._handlers: dict[int, Callable[[bytes, int], bytes]] = {
            0x11: self._set_baud,
            0x17: self._sleep,
            0x22: self._single_poll,
            0x27: self._multi_poll,
            0x28: self._stop,
        }
        self._settings = Settings(power_cdbm=self.firmware.most_cdbm)
        self._receiver = CommandReceiver()
        self._due: deque[tuple[int, bytes]] = deque()
        self._polls_left: int | None = 0  # None: endless
        self._round_ends_ns = self._rounds = 0
        self._heard_ns = 0
        self._asleep = False
        self._deaf_until_ns = 0
        self._resets_at_ns: int | None = None
        self._boot_text = self.firmware.boot_text

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Answers to what the host sent; bytes that form no sound command are ignored."""
        if now_ns < self._deaf_until_ns:
            return b""
        if self._asleep:  # the first byte only wakes it, and the command behind it is lost
            self._asleep, self._deaf_until_ns = False, now_ns + WAKE_NS
            self._settings.select = Select()
            return b""
        self._heard_ns = now_ns
        return b"".join(self._answer(command, now_ns) for command in self._receiver.feed(data, now_ns))

    def tick(self, now_ns: int) -> bytes:
        """Boot text, notices whose time has come, and errors of empty rounds."""
        out = bytearray(self._boot_text)
        self._boot_text = b""
        if self._resets_at_ns is not None and now_ns >= self._resets_at_ns:
            self.power_cycle()
            return bytes(out)
        while True:
            while self._due and self._due[0][0] <= now_ns:
                out += self._due.popleft()[1]
            if self._due or self._polls_left == 0 or self._round_ends_ns > now_ns:
                break
            if self._polls_left is not None:
                self._polls_left -= 1
            self._begin_round(max(self._round_ends_ns, now_ns - MOST_LAG_NS))
        self._doze(now_ns)
        return bytes(out)

    def power_cycle(self) -> None:
        """The module lost its power and got it back: defaults, boot text, no poll running."""
        self._settings = Settings(power_cdbm=self.firmware.most_cdbm)
        self._receiver = CommandReceiver()
        self._halt()
        self._asleep, self._resets_at_ns = False, None
        self.baud = 115_200
        self._boot_text = self.firmware.boot_text

    def _answer(self, command: Command, now_ns: int) -> bytes:
        try:
            if command.code in self._handlers:
                return self._handlers[command.code](command.parameters, now_ns)
            if command.code not in HANDLERS:
                return error(COMMAND_ERROR)
            parameters = HANDLERS[command.code](self._settings, self.firmware, command.parameters)
        except CommandError:
            return error(COMMAND_ERROR)
        code = self.firmware.select_mode_answers_as if command.code == SELECT_MODE else command.code
        return frame(ANSWER, code, parameters)

    def _begin_round(self, now_ns: int) -> None:
        cdbm = self._settings.power_cdbm
        if self.firmware.brown_out_above_cdbm is not None and cdbm > self.firmware.brown_out_above_cdbm:
            self._polls_left, self._resets_at_ns = 0, now_ns + BROWN_OUT_NS
            return
        self._rounds += 1
        if self.firmware.occupied_every is not None and self._rounds % self.firmware.occupied_every == 0:
            self._round_ends_ns = now_ns + SEARCH_NS
            self._due.append((self._round_ends_ns, error(ALL_OCCUPIED)))
            return
        query = int.from_bytes(self._settings.query, "big")
        done = self._field.inventory(now_ns, cdbm / 100, lambda epc: self._settings.select.takes(epc, query))
        for answer in done.answers:
            rssi = max(-128, min(round(answer.rssi_dbm), 127)).to_bytes(1, "big", signed=True)
            self._due.append((answer.at_ns, frame(NOTICE, 0x22, rssi + backscatter(answer.epc))))
        if not done.answers:
            self._due.append((done.ends_ns, error(NO_TAG)))
        self._round_ends_ns = done.ends_ns

    def _set_baud(self, parameters: bytes, _: int) -> bytes:
        """Takes effect at once and is not answered."""
        self.baud = one_of(parameters, BAUDS, size=2) * 100
        return b""

    def _sleep(self, _: bytes, __: int) -> bytes:
        self._halt()
        self._asleep = True
        return frame(ANSWER, 0x17, OK)

    def _single_poll(self, _: bytes, now_ns: int) -> bytes:
        if self._polls_left == 0 and not self._due:
            self._begin_round(now_ns)
        return b""

    def _multi_poll(self, parameters: bytes, now_ns: int) -> bytes:
        count = int.from_bytes(sized(parameters, 3)[1:], "big")
        if parameters[0] != 0x22:
            raise CommandError
        self._polls_left = None if count == 0 and self.firmware.zero_count_is_endless else count
        self._round_ends_ns = max(self._round_ends_ns, now_ns)
        return b""

    def _stop(self, _: bytes, __: int) -> bytes:
        self._halt()
        return frame(ANSWER, 0x28, OK)

    def _doze(self, now_ns: int) -> None:
        """Fall asleep after the set minutes without a command or a poll."""
        minutes = self._settings.sleep_after_min
        if minutes and self._polls_left == 0 and now_ns - self._heard_ns >= minutes * MINUTE_NS:
            self._asleep = True

    def _halt(self) -> None:
        self._polls_left = 0
        self._due.clear()
