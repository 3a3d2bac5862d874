import asyncio
import errno
import termios

import pytest
import serial

from readers import registry
from readers.errors import ReaderDisconnected, ReaderTimeout, SettingsError
from readers.ports import SerialPort, drain, explain
from tests.readers.peers import Peer
from tests.support.patience import WAIT_S


async def receive_all(port: SerialPort, size: int) -> bytes:
    data = b""
    async with asyncio.timeout(WAIT_S):
        while len(data) < size:
            data += await port.receive()
    return data


async def test_every_byte_passes_both_ways_unchanged():
    everything = bytes(range(256))
    async with Peer() as peer, SerialPort(peer.path, 115200) as port:
        peer.say(everything)
        assert await receive_all(port, 256) == everything
        await port.send(everything)
        await peer.hears(everything)


async def test_a_missing_device_is_one_line_that_says_what_to_do():
    with pytest.raises(ReaderDisconnected, match=r"^/dev/no-such-tty: no such device; .*ls -l /dev/serial/by-id"):
        await SerialPort("/dev/no-such-tty", 9600).__aenter__()


async def test_a_port_in_use_is_said_so():
    async with Peer() as peer, SerialPort(peer.path, 9600):
        with pytest.raises(ReaderDisconnected, match="in use by another program"):
            await SerialPort(peer.path, 9600).__aenter__()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOENT, "no such device; check the cable"),
        (errno.EACCES, "no permission; join the group"),
        (errno.EBUSY, "in use by another program; `fuser -v /dev/ttyUSB0` names it"),
        (errno.EAGAIN, "in use by another program"),
    ],
)
async def test_what_keeps_a_port_from_being_opened_is_one_line_with_what_to_do(code, words, monkeypatch):
    def refuse(*_, **__):
        raise serial.SerialException(code, "could not open port")

    monkeypatch.setattr(serial, "Serial", refuse)
    with pytest.raises(ReaderDisconnected, match=f"^/dev/ttyUSB0: {words}") as caught:
        await SerialPort("/dev/ttyUSB0", 9600).__aenter__()
    assert "\n" not in str(caught.value)


async def test_a_port_can_be_opened_again_after_it_was_closed():
    async with Peer() as peer:
        for _ in range(2):
            async with SerialPort(peer.path, 9600) as port:
                await port.send(b"x")
        await peer.hears(b"xx")


@pytest.mark.parametrize(("line", "form"), [("8N1", (8, "N", 1)), ("7E2", (7, "E", 2))])
async def test_a_port_carries_bytes_as_told(line, form, monkeypatch):
    """A pty has 8 bits and no parity, so only what pyserial is asked for can be seen."""
    asked = []

    def open_nothing(path, baud, *line, **_):
        asked.append((baud, line))
        raise FileNotFoundError(errno.ENOENT, "not there")

    monkeypatch.setattr(serial, "Serial", open_nothing)
    with pytest.raises(ReaderDisconnected):
        await SerialPort("/dev/ttyUSB0", 9600, line=line).__aenter__()
    assert asked == [(9600, form)]


@pytest.mark.parametrize(
    ("type_name", "stanza"),
    [
        ("mt-sics", {}),
        ("modbus-weight", {"address": 0, "value_type": "int16", "capacity_g": 1}),
        ("line-weight", {"capacity_g": 1}),
    ],
)
async def test_a_scale_may_want_another_line_than_most(type_name, stanza, monkeypatch):
    asked = []

    class Port(SerialPort):
        def __init__(self, *_, line, **__):
            asked.append(line)
            super().__init__("/dev/no-such-tty", 9600)

    monkeypatch.setattr(registry, "SerialPort", Port)
    for line in ("8N1", "7E1"):
        with pytest.raises(ReaderDisconnected):
            await registry.open_scale(type_name, "w-1", "", {**stanza, "line": line}, lambda: 0).__aenter__()
    assert asked == ["8N1", "7E1"]
    with pytest.raises(SettingsError, match=r"^line: "):
        registry.check_scale(type_name, {**stanza, "line": "9N1"})


async def test_a_file_that_is_no_port(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReaderDisconnected, match="not a serial port"):
        await SerialPort(tmp_path / "file", 9600).__aenter__()


@pytest.mark.parametrize(("code", "words"), [(errno.EACCES, "dialout"), (errno.EBUSY, "fuser"), (errno.EIO, "cable")])
def test_the_advice_fits_the_trouble(code, words):
    assert words in explain("/dev/ttyUSB0", code)


async def test_a_baud_rate_no_port_has_is_a_wrong_setting():
    async with Peer() as peer:
        with pytest.raises(SettingsError, match="baud"):
            await SerialPort(peer.path, -1).__aenter__()


async def test_a_port_goes_on_at_another_speed_without_what_had_come_before():
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        peer.say(b"old")
        async with asyncio.timeout(WAIT_S):
            while not port._buffer:
                await asyncio.sleep(0.001)
        port.set_baud(921600)
        assert termios.tcgetattr(peer._master)[5] == termios.B921600
        peer.say(b"new")
        assert await receive_all(port, 3) == b"new"


async def test_a_speed_no_port_has_is_a_wrong_setting_and_a_port_that_is_gone_is_gone():
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        with pytest.raises(SettingsError, match="cannot run at -1 baud"):
            port.set_baud(-1)
        peer.unplug()
        with pytest.raises(ReaderDisconnected):
            await port.receive()
        with pytest.raises(ReaderDisconnected, match="check the cable"):
            port.set_baud(115200)
    with pytest.raises(ReaderDisconnected, match="closed"):
        SerialPort(peer.path, 9600).set_baud(115200)


async def test_unplugging_ends_a_waiting_receive_after_what_had_come():
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        peer.say(b"last")
        assert await receive_all(port, 4) == b"last"
        waiting = asyncio.create_task(port.receive())
        await asyncio.sleep(0)
        peer.unplug()
        with pytest.raises(ReaderDisconnected, match=f"{peer.path}: disconnected"):
            async with asyncio.timeout(WAIT_S):
                await waiting
        with pytest.raises(ReaderDisconnected):
            await port.send(b"anyone?")


async def test_closing_ends_a_waiting_receive():
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        waiting = asyncio.create_task(port.receive())
        await asyncio.sleep(0)
        port.close()
        async with asyncio.timeout(WAIT_S):
            assert await waiting == b""


async def test_bytes_nobody_takes_are_dropped_oldest_first_and_counted():
    async with Peer() as peer, SerialPort(peer.path, 9600, buffer_bytes=100) as port:
        peer.say(b"a" * 150)
        peer.say(b"b" * 50)
        async with asyncio.timeout(WAIT_S):
            while port.overrun_bytes < 100:
                await asyncio.sleep(0.001)
        assert await port.receive() == b"a" * 50 + b"b" * 50


async def test_draining_ends_when_the_line_is_quiet():
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        peer.say(b"left over")
        assert await drain(port, quiet_ms=20)
        peer.say(b"fresh")
        assert await receive_all(port, 5) == b"fresh"


async def test_draining_gives_up_on_a_line_that_never_falls_quiet():
    class Chatter:
        overrun_bytes = 0

        async def receive(self) -> bytes:
            await asyncio.sleep(0.001)
            return b"x"

    assert not await drain(Chatter(), quiet_ms=50, limit_ms=30)


async def test_a_device_that_takes_no_bytes_is_a_timeout(monkeypatch):
    monkeypatch.setattr("readers.ports.SEND_TIMEOUT_S", 0.05)
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        asyncio.get_running_loop().remove_reader(peer._master)  # the peer stops listening
        with pytest.raises(ReaderTimeout, match="takes no bytes"):
            await port.send(bytes(1 << 20))


async def test_two_senders_do_not_mix():
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        await asyncio.gather(port.send(b"a" * 200_000), port.send(b"b" * 200_000))
        await peer.hears(b"b" * 200_000)
        assert bytes(peer.heard) == b"a" * 200_000 + b"b" * 200_000
