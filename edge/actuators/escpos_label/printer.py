"""ESC/POS receipt printer: driver.

    [[printers]]
    id = "label-till"
    type = "escpos-label"
    port = "/dev/serial/by-path/…"
    code_page = "cp437"      # or "ascii", "cp850", "cp858" (with the euro sign): what the printer has
    columns = 42             # characters to a line: 42 or 48 on 80 mm, 32 on 58 mm
    cut = "partial"          # or "full", or "none"
    feed_lines = 4           # from the last line to the knife
    baud = 9600

Nothing is printed on a printer that has no paper, is open, off-line or broken.  A letter that the code page lacks is refused,
never replaced, and so is a code that is wider than the paper.  The printer acknowledges nothing, so its status is asked again
after the label: what had gone wrong by then is told.  A label fits into the printer's buffer (set it to 4 KB where it has a
switch for 45 bytes), so no flow control is used.
"""

import asyncio
from types import TracebackType
from typing import Annotated, ClassVar, Literal, Self

import msgspec

from edge.actuators.escpos_label.layout import to_bytes
from edge.actuators.printers import Label
from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout
from readers.escpos_label.codec import is_status
from readers.escpos_label.commands import Question, ask, parse_status
from readers.model import PrinterStatus
from readers.ports import BytePort, drain
from readers.settings import Baud, DeviceSettings

ANSWER_S = 0.5
TRIES = 2
BITS_PER_BYTE = 10
QUIET_MS, OLD_MS = 20, 500


class EscposSettings(DeviceSettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of a printer's stanza; see the module's docstring."""

    baud: Baud = 9600
    code_page: Literal["ascii", "cp437", "cp850", "cp858"] = "cp437"
    columns: Annotated[int, msgspec.Meta(ge=16, le=96)] = 42
    cut: Literal["full", "partial", "none"] = "partial"
    feed_lines: Annotated[int, msgspec.Meta(ge=0, le=20)] = 4


class EscposPrinter:
    """One printer on one port.  Entering asks whether it answers; leaving does nothing.

    Args:
        answer_s: how long to wait for a status byte.
    """

    settings_type: ClassVar[type[DeviceSettings]] = EscposSettings

    def __init__(self, port: BytePort, settings: EscposSettings, answer_s: float = ANSWER_S) -> None:
        self._port, self._settings, self._answer_s = port, settings, answer_s

    async def __aenter__(self) -> Self:
        """See that a printer answers, in whatever state.

        Raises:
            ReaderDisconnected, ReaderTimeout: none does.
        """
        await self.status()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    async def status(self) -> PrinterStatus:
        """How it is now.

        Raises:
            ReaderDisconnected, ReaderTimeout: close and open again.
        """
        return await self._status_within(self._answer_s)

    async def print_label(self, label: Label) -> None:
        """Print and cut; see `edge.actuators.printers.Printer`."""
        settings = self._settings
        data = to_bytes(label, settings.code_page, settings.columns, settings.cut, settings.feed_lines)
        _refuse_in_trouble(await self.status(), "nothing was printed")
        await self._port.send(data)
        under_way_s = len(data) * BITS_PER_BYTE / settings.baud  # the questions stand in line behind the label
        _refuse_in_trouble(await self._status_within(self._answer_s + under_way_s), "the label may be printed in part")

    async def _status_within(self, answer_s: float) -> PrinterStatus:
        printer, off_line, error, paper = [await self._ask(question, answer_s) for question in Question]
        return parse_status(printer, off_line, error, paper)

    async def _ask(self, question: Question, answer_s: float) -> int:
        """The answer to one question.  It does not say what it answers, so only one is ever on the way."""
        for attempt in range(TRIES):
            await drain(self._port, QUIET_MS, OLD_MS)
            await self._port.send(ask(question).to_bytes())
            answer = await self._answer(answer_s)
            if answer is None:
                continue
            if attempt:  # both questions may yet be answered, and the second would be taken for that of the next
                await self._answer(answer_s)
            return answer
        raise ReaderTimeout(
            f"no answer to status question {question.value}; check power, cable and baud rate, and that both ways are wired"
        )

    async def _answer(self, answer_s: float) -> int | None:
        """The last byte that can be a status; None when none comes in time.  Others (XON, XOFF, automatic status) are not."""
        try:
            async with asyncio.timeout(answer_s):
                while True:
                    data = await self._port.receive()
                    if not data:
                        raise ReaderDisconnected("the port was closed")
                    answers = [byte for byte in data if is_status(byte)]
                    if answers:
                        return answers[-1]
        except TimeoutError:
            return None


def _refuse_in_trouble(status: PrinterStatus, consequence: str) -> None:
    if status.trouble:
        raise ReaderRefused(f"the printer cannot print: {status.trouble}; {consequence}", 0)
