"""Firmware of a ThingMagic Mercury UHF module: commands in, answers and a stream of tags out.

It wakes up in its bootloader and knows little until it is told to boot; a stream goes on when the host is gone; a stop is
answered behind the reports that were waiting.  Plain searches with the tag buffer, tag memory and GPIO are not modelled;
like any unknown command they are unavailable.
Source: M5e and M6e manuals, by command; Mercury API, serial_reader.c; published captures.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from simulators.gen2 import backscatter
from simulators.mercury import configuration
from simulators.mercury.configuration import HANDLERS, INVALID_PARAMETER, UNAVAILABLE, CommandError, sized
from simulators.mercury.frames import Command, CommandReceiver, frame
from simulators.mercury.settings import BAUDS, POWER_UP_BAUD, Firmware, Settings, Stream
from simulators.scene_radio import Answer, Epc, Round

READ_MULTIPLE, STREAM = 0x22, 0x2F
NO_TAGS, RADIO_OFF, INVALID_BAUD = 0x0400, 0x0405, 0x010A
TOO_HOT, HIGH_RETURN_LOSS = 0x0504, 0x0505
STREAM_STATS, TEMPERATURE = 0x0100, b"\x82\x00"
A_TAG, A_STATE = 1, 2
SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
BAD_ANTENNA_NS = 100_000_000  # what turning to one costs
BROWN_OUT_NS = 100_000_000
ANSWER_LEAVES_NS = 20_000_000  # then the line takes on its new speed
MOST_LAG_NS = 200_000_000  # a stalled simulator skips time rather than telling all of it at once


class Field(Protocol):
    """What an antenna hears."""

    def inventory(self, now_ns: int, power_dbm: float, takes_part: Callable[[Epc], bool]) -> Round:
        """One inventory round."""


class MercuryDevice:
    """One module on its line.

    Args:
        fields: of each antenna, port 1 first.
    """

    def __init__(self, fields: Sequence[Field], *, firmware: Firmware | None = None) -> None:
        self.firmware = firmware or Firmware()
        self.temperature_c = 30
        self._fields = fields
        self._round_ends_ns = 0
        self._alive_at_ns = 0
        self._baud_due: tuple[int, int] | None = None  # when, and which
        self._handlers: dict[int, Callable[[bytes, int], bytes]] = {
            0x04: self._boot,
            0x06: self._set_baud,
            0x61: self._get_antennas,
            0x72: self._get_temperature,
            0x91: self._set_antennas,
        }
        self.power_cycle()

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Answers to what the host sent; bytes that form no sound command are ignored, and all but a stop while streaming."""
        return b"".join(self._answer(command, now_ns) for command in self._receiver.feed(data, now_ns))

    def tick(self, now_ns: int) -> bytes:
        """Reports whose time has come, keep-alives, and complaints."""
        if self._baud_due is not None and now_ns >= self._baud_due[0]:
            self.baud, self._baud_due = self._baud_due[1], None
        if self._resets_at_ns is not None and now_ns >= self._resets_at_ns:
            self.power_cycle()
        if self._stream is None:
            return b""
        out = bytearray()
        self._round_ends_ns = max(self._round_ends_ns, now_ns - MOST_LAG_NS)
        while self._round_ends_ns <= now_ns and self._resets_at_ns is None:
            self._begin_round(self._stream, self._round_ends_ns)
        while self._due and self._due[0][0] <= now_ns:
            out += self._due.popleft()[1]
        if now_ns - self._alive_at_ns >= SECOND_NS:
            out += self._keep_alive(self._stream)
            self._alive_at_ns = now_ns
        return bytes(out)

    def power_cycle(self) -> None:
        """The module lost its power and got it back: defaults, no word, no stream running."""
        self.baud = POWER_UP_BAUD
        self._settings = Settings(not self.firmware.boots_by_itself, self.firmware.most_cdbm)
        self._receiver = CommandReceiver()
        self._stream: Stream | None = None
        self._due: deque[tuple[int, bytes]] = deque()
        self._told: set[Epc] = set()  # by the read filter
        self._turn = 0
        self._round_ends_ns = self._alive_at_ns = 0
        self._resets_at_ns: int | None = None
        self._baud_due = None

    def _answer(self, command: Command, now_ns: int) -> bytes:
        if self._resets_at_ns is not None or (self._stream is not None and command.opcode != STREAM):
            return b""
        try:
            return self._obey(command, now_ns)
        except CommandError as error:
            return frame(command.opcode, error.status)

    def _obey(self, command: Command, now_ns: int) -> bytes:
        opcode, parameters = command.opcode, command.parameters
        if opcode == 0x03:
            return frame(opcode, 0, configuration.version(self._settings, self.firmware, parameters))
        if opcode == 0x0C:
            return frame(opcode, 0, configuration.current_program(self._settings, self.firmware, parameters))
        if self._settings.in_bootloader and opcode not in (0x04, 0x06):
            raise CommandError(UNAVAILABLE)
        if opcode == STREAM:
            return self._control_stream(parameters, now_ns)
        if opcode in self._handlers:
            return frame(opcode, 0, self._handlers[opcode](parameters, now_ns))
        if opcode not in HANDLERS:
            raise CommandError(UNAVAILABLE)
        return frame(opcode, 0, HANDLERS[opcode](self._settings, self.firmware, parameters))

    def _boot(self, parameters: bytes, _: int) -> bytes:
        sized(parameters, 0)
        if not self._settings.in_bootloader:
            raise CommandError(UNAVAILABLE)
        self._settings.in_bootloader = False
        return b""

    def _set_baud(self, parameters: bytes, now_ns: int) -> bytes:
        """Answered at the old speed."""
        baud = int.from_bytes(sized(parameters, 4), "big")
        if baud not in BAUDS:
            raise CommandError(INVALID_BAUD)
        self._baud_due = (now_ns + ANSWER_LEAVES_NS, baud)
        return b""

    def _get_antennas(self, parameters: bytes, _: int) -> bytes:
        if sized(parameters, 1) != b"\x05":
            raise CommandError(INVALID_PARAMETER)
        return parameters + b"".join(bytes((port, 1)) for port in range(1, len(self._fields) + 1))

    def _get_temperature(self, parameters: bytes, _: int) -> bytes:
        sized(parameters, 0)
        return self._temperature()

    def _set_antennas(self, parameters: bytes, _: int) -> bytes:
        ports = parameters[1:]
        if parameters[:1] != b"\x02" or not ports or ports[::2] != ports[1::2]:
            raise CommandError(INVALID_PARAMETER)
        if any(not 1 <= port <= len(self._fields) for port in ports):
            raise CommandError(INVALID_PARAMETER)
        self._settings.antennas = tuple(ports[::2])
        return b""

    def _control_stream(self, parameters: bytes, now_ns: int) -> bytes:
        if not self.firmware.streams:
            raise CommandError(UNAVAILABLE)
        if parameters[2:3] == b"\x02":
            waiting = b"".join(report for _, report in self._due)
            self._stream = None
            self._due.clear()
            return waiting + frame(STREAM, 0, b"\x02" if self.firmware.confirms else b"")
        if self._stream is not None:
            return b""
        self._stream = self._read_order(parameters)
        self._told.clear()
        self._round_ends_ns = self._alive_at_ns = now_ns
        return frame(STREAM, 0, b"\x01" if self.firmware.confirms else b"")

    def _read_order(self, parameters: bytes) -> Stream:
        """00 00 | 01 | 22 | 00 00 | 05 | length | 22, option, search flags(2), time-out(2), metadata flags(2), statistics(2)"""
        if self._settings.region == 0 or self._settings.protocol == 0:
            raise CommandError(RADIO_OFF)
        order = parameters[8:]
        flags = int.from_bytes(order[2:4], "big")
        with_statistics = flags & STREAM_STATS != 0
        if parameters[2:4] != b"\x01\x22" or len(order) != 8 + 2 * with_statistics or len(order) != parameters[7] + 1:
            raise CommandError(INVALID_PARAMETER)
        if with_statistics and not self.firmware.reports_temperature:
            raise CommandError(INVALID_PARAMETER)
        metadata = int.from_bytes(order[6:8], "big")
        if self.firmware.only_metadata not in (None, metadata):
            raise CommandError(INVALID_PARAMETER)
        return Stream(order[1:4], metadata, with_statistics)

    def _begin_round(self, stream: Stream, now_ns: int) -> None:
        limit_cdbm, power_cdbm = self.firmware.brown_out_above_cdbm, self._settings.power_cdbm
        if limit_cdbm is not None and power_cdbm > limit_cdbm:
            self._resets_at_ns = now_ns + BROWN_OUT_NS
            return
        if self._too_hot():
            self._round_ends_ns = now_ns + BAD_ANTENNA_NS
            return
        antenna = self._settings.antennas[self._turn % len(self._settings.antennas)]
        self._turn += 1
        if antenna in self.firmware.bad_antennas:
            self._round_ends_ns = now_ns + BAD_ANTENNA_NS
            self._due.append((self._round_ends_ns, frame(READ_MULTIPLE, HIGH_RETURN_LOSS)))
            return
        done = self._fields[antenna - 1].inventory(now_ns, power_cdbm / 100, lambda _: True)
        for answer in done.answers:
            if not self._settings.read_filter or answer.epc not in self._told:
                self._told.add(answer.epc)
                self._due.append((answer.at_ns, self._report(stream, antenna, answer)))
        self._round_ends_ns = done.ends_ns

    def _report(self, stream: Stream, antenna: int, answer: Answer) -> bytes:
        sent = backscatter(answer.epc)
        since_ms = max(0, answer.at_ns - self._alive_at_ns) // MS_NS
        hops = self._settings.hop_table or (0,)
        nibble = antenna & 0xF  # port 16 has no room and goes as 0
        fields = (  # in the order of the flags, bit 0 first
            b"\x01",
            max(-128, min(round(answer.rssi_dbm), 127)).to_bytes(1, "big", signed=True),
            bytes((nibble << 4 | nibble,)),
            hops[self._turn % len(hops)].to_bytes(3, "big"),
            since_ms.to_bytes(4, "big"),
            b"\x00\x00",  # phase
            bytes((self._settings.protocol,)),
            b"\x00\x00",  # no embedded data
            b"\x0f",  # pins
            b"\x04",  # Q
            b"\x00",  # link frequency
            b"\x00",  # target
        )
        told = b"".join(value for bit, value in enumerate(fields) if stream.metadata >> bit & 1)
        head = stream.head + stream.metadata.to_bytes(2, "big") + bytes((A_TAG,))
        return frame(READ_MULTIPLE, 0, head + told + (len(sent) * 8).to_bytes(2, "big") + sent)

    def _keep_alive(self, stream: Stream) -> bytes:
        if self._resets_at_ns is not None:
            return b""
        alive = frame(READ_MULTIPLE, TOO_HOT if self._too_hot() else NO_TAGS)
        if not stream.with_temperature:
            return alive
        head = bytes((stream.head[0] & ~0x10,)) + stream.head[1:]  # a state has no metadata
        return alive + frame(
            READ_MULTIPLE, 0, head + bytes((A_STATE,)) + TEMPERATURE * 2 + b"\x01" + self._temperature()
        )

    def _too_hot(self) -> bool:
        return self.temperature_c > self.firmware.too_hot_above_c

    def _temperature(self) -> bytes:
        return self.temperature_c.to_bytes(1, "big", signed=True)
