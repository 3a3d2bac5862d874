"""The receipt printer's driver against its simulator over a real pty: what it prints, and what it will not."""

from contextlib import asynccontextmanager

import pytest

from edge.actuators import printers
from edge.actuators.escpos_label.layout import MAX_LABEL_BYTES, to_bytes
from edge.actuators.escpos_label.printer import EscposPrinter, EscposSettings
from edge.actuators.printers import Code, Label, LabelError
from readers.errors import ReaderDisconnected, ReaderRefused, ReaderTimeout, SettingsError, UnknownDevice
from readers.ports import SerialPort
from simulators.escpos_label import EscposDevice
from simulators.escpos_label.device import Firmware
from tests.readers.simulated import simulated
from tests.support.patience import eventually

LABEL = Label(("Café Ash", "", "Trail shoes  42"), Code("qr", "https://id.example/01/00614141008124"))


@asynccontextmanager
async def opened(path, device: EscposDevice, **settings):
    device.baud = 115200
    async with (
        simulated(device, path / "port") as line,
        SerialPort(path / "port", 115200) as port,
        EscposPrinter(port, EscposSettings(baud=115200, **settings), answer_s=0.3) as printer,
    ):
        yield printer, line


async def test_a_label_is_printed_and_cut(tmp_path):
    device = EscposDevice()
    async with opened(tmp_path, device) as (printer, _):
        await printer.print_label(LABEL)
        await eventually(lambda: device.papers)
        [paper] = device.papers
        assert (paper.code_page, paper.lines) == (0, ["Café Ash".encode("cp437"), b"Trail shoes  42"])
        assert paper.codes == [("qr", b"https://id.example/01/00614141008124")]
        assert paper.fed == 1 + 4


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        (Code("code128", "No.{7}"), ("barcode-73", b"{BNo.{{7}")),
        (Code("ean13", "4006381333931"), ("barcode-67", b"4006381333931")),
    ],
)
async def test_bar_codes(tmp_path, code, printed):
    device = EscposDevice()
    async with opened(tmp_path, device, cut="full") as (printer, _):
        await printer.print_label(Label((), code))
        await eventually(lambda: device.papers)
        assert device.papers[0].codes == [printed]


async def test_without_a_knife_nothing_is_cut(tmp_path):
    device = EscposDevice()
    async with opened(tmp_path, device, cut="none") as (printer, _):
        await printer.print_label(LABEL)
        assert (device.papers, len(device._paper.lines)) == ([], 2)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("cover_open", "its cover is open; close it"),
        ("broken", "it reports an error"),
        ("feeding", "it is off-line"),
    ],
)
async def test_a_printer_in_trouble_is_sent_nothing_and_says_what_to_do(tmp_path, trouble, words):
    device = EscposDevice()
    setattr(device, trouble, True)
    async with opened(tmp_path, device) as (printer, _):
        with pytest.raises(ReaderRefused, match=f"{words}.*; nothing was printed"):
            await printer.print_label(LABEL)
        assert not device._buffer
        setattr(device, trouble, False)
        await printer.print_label(LABEL)
        await eventually(lambda: len(device.papers) == 1)


async def test_an_empty_roll_is_said_before_and_in_the_middle(tmp_path):
    device = EscposDevice(firmware=Firmware(lines_to_paper_end=2))
    long = Label(tuple("abcd"))
    async with opened(tmp_path, device) as (printer, _):
        with pytest.raises(ReaderRefused, match="no paper; put in a new roll; the label may be printed in part"):
            await printer.print_label(long)
        with pytest.raises(ReaderRefused, match="no paper; put in a new roll; nothing was printed"):
            await printer.print_label(long)


async def test_little_paper_is_told_and_stops_nothing(tmp_path):
    device = EscposDevice()
    device.paper_low = True
    async with opened(tmp_path, device) as (printer, _):
        assert (await printer.status()).paper_low
        await printer.print_label(LABEL)


async def test_bytes_that_are_no_status_are_passed_over(tmp_path):
    device = EscposDevice(firmware=Firmware(chatter=b"\x11\x13\x00\xff"))
    async with opened(tmp_path, device) as (printer, _):
        await printer.print_label(LABEL)
        await eventually(lambda: device.papers)


async def test_a_slow_line_is_given_the_time_the_label_takes(tmp_path):
    device = EscposDevice()
    answered_at: list[int] = []
    feed = device.feed

    def slow(data: bytes, now_ns: int) -> bytes:
        """The question after the label is heard only when the label has passed."""
        answer = feed(data, now_ns)
        if answer and device.papers and not answered_at:
            answered_at.append(now_ns)
            held.append(answer)
            return b""
        return answer

    held: list[bytes] = []
    tick = device.tick
    device.feed = slow
    device.tick = lambda now: tick(now) + (held.pop() if held and now - answered_at[0] > 400_000_000 else b"")
    async with (
        simulated(device, tmp_path / "port"),
        SerialPort(tmp_path / "port", 9600) as port,
        EscposPrinter(port, EscposSettings(baud=1200), answer_s=0.25) as printer,
    ):
        sent: list[bytes] = []
        send = port.send

        async def watch(data: bytes) -> None:
            sent.append(data)
            await send(data)

        port.send = watch
        await printer.print_label(LABEL)
        assert sent.count(b"\x10\x04\x01") == 2, "asked again although the label was still under way"


class Slow(EscposDevice):
    """Answers the next questions so many ms late."""

    def __init__(self) -> None:
        super().__init__()
        self.late_ms: list[int] = []
        self._held: list[tuple[int, bytes]] = []

    def feed(self, data: bytes, now_ns: int) -> bytes:
        answer = super().feed(data, now_ns)
        if answer and self.late_ms:
            self._held.append((now_ns + self.late_ms.pop(0) * 1_000_000, answer))
            return b""
        return answer

    def tick(self, now_ns: int) -> bytes:
        due = [answer for at_ns, answer in self._held if at_ns <= now_ns]
        self._held = self._held[len(due) :]
        return b"".join(due) + super().tick(now_ns)


async def test_two_late_answers_to_one_question_are_not_those_to_two(tmp_path):
    """The second, taken for that of the next question, would be a false all clear, or a false alarm."""
    device = Slow()
    device.paper_low = True
    async with opened(tmp_path, device) as (printer, _):
        device.late_ms = [0, 0, 360, 150, 250]  # the third question is asked twice
        assert (await printer.status()).paper_low


async def test_a_printer_that_does_not_answer_is_said_so(tmp_path):
    with pytest.raises(ReaderTimeout, match="no answer to status question 1; check power, cable and baud rate"):
        async with opened(tmp_path, EscposDevice(firmware=Firmware(answers=False))):
            pass


async def test_unplugged_and_plugged_in_again(tmp_path):
    async with opened(tmp_path, EscposDevice()) as (printer, line):
        line.unplug()
        with pytest.raises(ReaderDisconnected):
            await printer.print_label(LABEL)
    device = EscposDevice()
    async with opened(tmp_path, device) as (printer, _):
        await printer.print_label(LABEL)


async def test_it_is_opened_by_name(tmp_path):
    async with (
        simulated(EscposDevice(), tmp_path / "port"),
        printers.open_printer("escpos-label", str(tmp_path / "port"), {"columns": 32}) as printer,
    ):
        assert not (await printer.status()).trouble


@pytest.mark.parametrize(
    ("label", "code_page", "why"),
    [
        (Label(("x" * 43,)), "cp437", "line 1 has 43 characters; a line has room for 42"),
        (Label(("ok", "小雨")), "cp437", r"line 2: cp437 has no letter U\+5C0F"),
        (Label(("5 €",)), "cp437", r"no letter U\+20AC"),
        (Label(("é",)), "ascii", r"ascii has no letter U\+00E9"),
        (Label(("a\x1b@",)), "cp437", "line 1 holds a control character"),
        (Label((), Code("ean13", "4006381333932")), "cp437", "the last of which checks"),
        (Label((), Code("ean13", "40063813339")), "cp437", "13 digits"),
        (Label((), Code("code128", "é")), "cp437", "printable ASCII"),
        (Label((), Code("code128", "")), "cp437", "1 to 40 characters"),
        (Label((), Code("qr", "x" * 301)), "cp437", "1 to 300 characters"),
        (Label(tuple("x" * 42 for _ in range(60))), "cp437", f"more than the {MAX_LABEL_BYTES}"),
    ],
)
def test_what_cannot_be_printed_is_refused_whole(label, code_page, why):
    with pytest.raises(LabelError, match=why) as caught:
        to_bytes(label, code_page, 42, "partial", 4)
    assert "小" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "columns", "order"),
    [
        (Code("ean13", "4006381333931"), 42, b"\x1dw\x03"),
        (Code("ean13", "4006381333931"), 20, b"\x1dw\x02"),
        (Code("code128", "A" * 9), 42, b"\x1dw\x03"),
        (Code("code128", "A" * 17), 42, b"\x1dw\x02"),
        (Code("qr", "https://id.example/01/00614141008124"), 32, b"1C\x06"),
        (Code("qr", "x" * 180), 32, b"1C\x06"),
        (Code("qr", "x" * 181), 32, b"1C\x05"),
        (Code("qr", "x" * 300), 32, b"1C\x04"),
        (Code("qr", "x" * 300), 48, b"1C\x06"),
    ],
)
def test_a_code_is_as_wide_as_the_paper_allows(code, columns, order):
    assert order in to_bytes(Label((), code), "cp437", columns, "none", 0)


@pytest.mark.parametrize(("characters", "columns"), [(19, 42), (13, 32), (40, 48)])
def test_a_code_that_the_printer_would_leave_out_in_silence_is_refused(characters, columns):
    label = Label((), Code("code128", "A" * characters))
    with pytest.raises(LabelError, match=f"code128 code of {characters} characters is wider than {columns} columns"):
        to_bytes(label, "cp437", columns, "none", 0)


def test_the_euro_sign_needs_its_own_page():
    data = to_bytes(Label(("5 €",)), "cp858", 42, "none", 0)
    assert b"\x1bt\x13" in data
    assert b"5 \xd5\n" in data


async def test_a_label_that_cannot_be_printed_sends_nothing(tmp_path):
    device = EscposDevice()
    async with opened(tmp_path, device) as (printer, _):
        with pytest.raises(LabelError):
            await printer.print_label(Label(("小雨",)))
        await printer.status()  # what was sent before it has come by now
        assert (device._paper.lines, device.papers, bytes(device._buffer)) == ([], [], b"")


@pytest.mark.parametrize(
    ("stanza", "message"),
    [({"code_page": "utf-8"}, "^code_page: "), ({"cut": "yes"}, "^cut: "), ({"columns": 8}, "^columns: ")],
)
def test_a_wrong_setting_is_named(stanza, message):
    with pytest.raises(SettingsError, match=message):
        printers.check_printer("escpos-label", stanza)


def test_an_unknown_type_lists_those_there_are():
    with pytest.raises(UnknownDevice, match="unknown printer type 'x'; known: escpos-label"):
        printers.check_printer("x", {})
