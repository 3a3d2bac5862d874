"""A Modbus RTU slave on its line: requests end by 3.5 characters of silence, as the standard says, and are then answered.

A request that is not for this unit, or whose CRC is wrong, is passed over in silence; a broadcast is obeyed without an
answer.  Source: Modbus over serial line V1.02, section 2.5.1; Modbus application protocol V1.1b3, section 7.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

BITS_PER_BYTE = 11
NS_PER_S = 1_000_000_000
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, ILLEGAL_VALUE, DEVICE_BUSY = 1, 2, 3, 6


@dataclass(frozen=True, slots=True)
class Manners:
    """How well a slave behaves.

    Args:
        answers_as: the unit number in its answers; None is its own.
        echoes_line: the adapter hears itself: what the host sends comes back before the answer.
        noise: bytes before each answer, as a line without bias resistors gives them.
        deaf_for: so many requests are left without an answer first.
        busy_for: so many requests are then refused as busy.
        slow_ns: how long it thinks.
        wrong_crc_for: so many answers then have a wrong CRC.
    """

    answers_as: int | None = None
    echoes_line: bool = False
    noise: bytes = b""
    deaf_for: int = 0
    busy_for: int = 0
    slow_ns: int = 0
    wrong_crc_for: int = 0


WELL_BEHAVED = Manners()


class Refusal(Exception):
    """An exception answer.

    Args:
        code: as the standard numbers it.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class Slave(ABC):
    """One unit.  What it can do is said by `obey`."""

    def __init__(self, unit: int, baud: int, manners: Manners) -> None:
        self.unit, self.baud, self.manners = unit, baud, manners
        self.requests: list[bytes] = []
        """Every sound request for this unit, without unit and CRC."""
        self._heard = bytearray()
        self._heard_at_ns = 0
        self._saying: list[tuple[int, bytes]] = []
        self._answered = 0

    @abstractmethod
    def obey(self, request: bytes, now_ns: int) -> bytes:
        """The answer to a request, both without unit and CRC.

        Raises:
            Refusal: it says no.
        """

    def feed(self, data: bytes, now_ns: int) -> bytes:
        """Listen; nothing is said before the host is silent."""
        if self._heard and now_ns - self._heard_at_ns >= self._silence_ns:
            self._hear_out(now_ns)
        self._heard += data
        self._heard_at_ns = now_ns
        return data if self.manners.echoes_line else b""

    def tick(self, now_ns: int) -> bytes:
        """The answer, when it is due."""
        if self._heard and now_ns - self._heard_at_ns >= self._silence_ns:
            self._hear_out(now_ns)
        due = [answer for at_ns, answer in self._saying if now_ns >= at_ns]
        self._saying = [(at_ns, answer) for at_ns, answer in self._saying if now_ns < at_ns]
        return b"".join(due)

    @property
    def _silence_ns(self) -> int:
        return int(max(3.5 * BITS_PER_BYTE / self.baud, 0.00175) * NS_PER_S)

    def _hear_out(self, now_ns: int) -> None:
        """The host is silent: what it said is one request, or nothing."""
        heard = bytes(self._heard)
        self._heard.clear()
        if len(heard) < 4 or checksum(heard[:-2]) != heard[-2:] or heard[0] not in (0, self.unit):
            return
        request = heard[1:-2]
        self.requests.append(request)
        answer = self._answer_to(request, now_ns)
        if answer is not None and heard[0]:
            self._saying.append((now_ns + self.manners.slow_ns, self.manners.noise + answer))

    def _answer_to(self, request: bytes, now_ns: int) -> bytes | None:
        """The whole answer; None when it is one of those that are left out."""
        manners = self.manners
        turn, self._answered = self._answered - manners.deaf_for, self._answered + 1
        if turn < 0:
            return None
        try:
            if turn < manners.busy_for:
                raise Refusal(DEVICE_BUSY)  # noqa: TRY301  as if the device had said so
            said = self.obey(request, now_ns)
        except Refusal as refusal:
            said = bytes([request[0] | 0x80, refusal.code])
        body = bytes([self.unit if manners.answers_as is None else manners.answers_as]) + said
        check = checksum(body)
        if manners.busy_for <= turn < manners.busy_for + manners.wrong_crc_for:
            check = bytes([check[0] ^ 0xFF, check[1]])
        return body + check


def checksum(body: bytes) -> bytes:
    """CRC-16 by its definition: division by x^16 + x^15 + x^2 + 1, lowest bit first, all ones before."""
    register = 0xFFFF
    for bit in (byte >> position & 1 for byte in body for position in range(8)):
        feedback = register & 1 ^ bit
        register >>= 1
        if feedback:
            register ^= 0b1010_0000_0000_0001
    return bytes([register & 0xFF, register >> 8])
