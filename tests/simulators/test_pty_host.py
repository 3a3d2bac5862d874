"""Ptys as serial cables: paced, bounded, there under their name, gone when pulled."""

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from simulators.errors import SimulatorError
from simulators.pty_host import FIFO_BYTES, Pacer, PtyLine
from tests.support.patience import WAIT_S

MS = 1_000_000


class Echo:
    """Says what it hears, and `says` at each tick."""

    def __init__(self, baud: int = 115_200) -> None:
        self.baud, self.says, self.heard = baud, b"", b""

    def feed(self, data: bytes, _now_ns: int) -> bytes:
        self.heard += data
        return data

    def tick(self, _now_ns: int) -> bytes:
        return self.says


class Bench:
    """A line whose clock moves 4 ms at each step."""

    def __init__(self, link: Path) -> None:
        self.device = Echo()
        self.line = PtyLine(self.device, link)
        self.now_ns = 0

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.now_ns += 4 * MS
            self.line.step(self.now_ns)

    def until(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + WAIT_S
        while not done():
            assert time.monotonic() < deadline_s
            self.step()


@pytest.fixture
def bench(tmp_path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "r-1")
    bench.line.plug()
    yield bench
    bench.line.unplug()


@contextmanager
def opened(link: Path) -> Iterator[serial.Serial]:
    with serial.Serial(str(link), 115_200, timeout=0, exclusive=True) as port:
        yield port


def read(port: serial.Serial, count: int) -> bytes:
    """At least `count` bytes; the kernel hands them over in its own time."""
    data, deadline_s = bytearray(), time.monotonic() + WAIT_S
    while len(data) < count:
        assert time.monotonic() < deadline_s
        data += port.read(65_536)
    return bytes(data)


def exchange(bench: Bench, port: serial.Serial, data: bytes) -> None:
    """Send `data` and see it come back."""
    port.write(data)
    back = bytearray()

    def is_back() -> bool:
        back.extend(port.read(4096))
        return len(back) >= len(data)

    bench.until(is_back)
    assert bytes(back) == data


def test_every_byte_value_passes_both_ways(bench):
    with opened(bench.line.link) as port:
        exchange(bench, port, bytes(range(256)))


def test_it_survives_the_host_closing_and_opening_again(bench):
    for _ in range(3):
        with opened(bench.line.link) as port:
            exchange(bench, port, b"hello")
        bench.step(5)


def test_what_is_said_while_no_host_is_there_is_lost(bench):
    bench.device.says = b"old "
    bench.step(50)
    bench.device.says = b""
    bench.step(200)
    assert bench.line.lost_bytes > 0
    with opened(bench.line.link) as port:
        exchange(bench, port, b"new")


def test_a_host_that_does_not_read_loses_bytes_and_bounds_the_rest(bench):
    with opened(bench.line.link) as port:
        bench.device.says = bytes(100)
        bench.step(2000)
        assert bench.line.lost_bytes > 0
        bench.device.says = b""
        bench.step(FIFO_BYTES)
        assert len(read(port, 200_000 - bench.line.lost_bytes)) == 200_000 - bench.line.lost_bytes


def test_an_unplugged_line_is_gone_for_the_host_and_comes_back(bench):
    with opened(bench.line.link) as port:
        exchange(bench, port, b"before")
        bench.line.unplug()
        assert not bench.line.link.is_symlink()
        poll = select.poll()
        poll.register(port.fd, select.POLLIN)
        assert poll.poll(1000)[0][1] & select.POLLHUP
        with pytest.raises(OSError, match="Input/output"):
            os.write(port.fd, b"anyone?")
    bench.step(5)
    bench.line.plug()
    with opened(bench.line.link) as port:
        exchange(bench, port, b"after")


def test_plugging_twice_is_plugging_once(bench):
    target = bench.line.link.readlink()
    bench.line.plug()
    assert bench.line.link.readlink() == target


def test_a_dead_link_is_replaced_but_a_file_is_not(tmp_path):
    link = tmp_path / "r-1"
    link.symlink_to("/dev/pts/99999")
    line = PtyLine(Echo(), link)
    line.plug()
    assert link.exists()
    line.unplug()
    link.write_text("precious")
    with pytest.raises(SimulatorError, match="r-1"):
        line.plug()
    assert link.read_text() == "precious"


@pytest.mark.parametrize("baud", [9600, 57_600, 115_200])
@pytest.mark.parametrize("step_ms", [1, 4, 7])
def test_no_line_carries_more_than_its_speed(baud, step_ms):
    pacer, sent = Pacer(), 0
    for now_ms in range(0, 2001, step_ms):
        count = pacer.allowance(baud, now_ms * MS)
        pacer.spend(count, idle=False)
        sent += count
    assert sent == pytest.approx(2000 / step_ms // 1 * step_ms * baud / 10_000, abs=2)


def test_an_idle_line_saves_nothing_up():
    pacer = Pacer()
    for now_ms in range(1000):
        pacer.allowance(115_200, now_ms * MS)
        pacer.spend(0, idle=True)
    assert pacer.allowance(115_200, 1000 * MS) <= 13


def test_a_stall_is_no_licence_for_a_flood():
    pacer = Pacer()
    pacer.allowance(115_200, 0)
    assert pacer.allowance(115_200, 60_000 * MS) <= 231


def test_the_host_receives_at_the_pace_of_the_line(bench):
    bench.device.says = bytes(1000)
    with opened(bench.line.link) as port:
        bench.step(1)
        bench.device.says = b""
        bench.step(10)
        passed = bench.now_ns // MS * 11.52
        assert len(read(port, int(passed) - 60)) == pytest.approx(passed, abs=60)
        assert bench.line.waiting_bytes == pytest.approx(1000 - passed, abs=60)


def test_a_line_that_minds_its_speed_carries_only_framing_errors_at_another(tmp_path):
    device = Echo(baud=9600)
    line = PtyLine(device, tmp_path / "r-1", minds_baud=True)
    line.plug()
    now_ns = 0

    def talk(port: serial.Serial) -> bytes:
        nonlocal now_ns
        device.heard, deadline_s, said = b"", time.monotonic() + WAIT_S, b""
        port.write(b"abc")
        while len(said) < 3:
            assert time.monotonic() < deadline_s
            now_ns += 4 * MS
            line.step(now_ns)
            said += port.read(10)
        return said

    with opened(line.link) as port:
        assert (talk(port), device.heard) == (bytes(3), bytes(3))
        port.baudrate = 9600
        assert (talk(port), device.heard) == (b"abc", b"abc")
    line.unplug()
