"""The Mercury driver against a scripted module: captured frames, noise, contradictions, silence."""

import asyncio
import time

import pytest

from readers.errors import ReaderRefused, ReaderTimeout
from readers.mercury.codec import Answer
from readers.mercury.patience import Patience
from readers.mercury.reader import MercuryReader
from readers.model import Scanned
from readers.ports import SerialPort
from tests.readers.mercury.rig import EPC, KEEP_ALIVE, READ, SETTINGS, SOON, STATUS_REPORT, TAG, obedient, scripted
from tests.readers.peers import Peer
from tests.support.patience import WAIT_S


async def test_an_old_complaint_is_no_reason_for_a_new_silence(take):
    async with scripted(Answer(0x22, 0x0504).to_bytes(), TAG) as (reader, _):
        with pytest.raises(ReaderTimeout, match="check power and wiring"):
            await take(reader, 1_000_000)
        assert reader.health.alarms == 1
        assert "too hot" in reader.health.alarm


async def test_captured_frames_become_reads_and_health(take):
    async with scripted(KEEP_ALIVE, STATUS_REPORT, TAG) as (reader, _):
        assert await take(reader, 1) == [READ]
        assert reader.health.temperature_c == 28
        assert reader.health.signs_of_life == 2


async def test_contradicting_records_and_noise_cost_nothing_but_counters(take):
    xpc_of_nothing = Answer(
        0x22, 0, bytes.fromhex("10001b0046") + b"\x01\xc4\x11\x05\x00\x20\x02\x00\x00\x00"
    ).to_bytes()
    async with scripted(b"\xff" + TAG, xpc_of_nothing, b"\xff\x10noise", TAG) as (reader, _):
        assert await take(reader, 2) == [READ, READ]
        assert (reader.health.bad_frames, reader.health.discarded_bytes) == (1, 8)


async def test_a_stray_header_does_not_hold_up_what_follows_it(take):
    patience = Patience(answer_s=0.4, quiet_ms=20, rearm_s=60, dead_s=90)
    async with scripted(b"\xff" + TAG, patience=patience) as (reader, _):
        assert await take(reader, 1) == [READ]


async def test_a_wrong_tag_crc_is_said(take):
    wrong = Answer(0x22, 0, TAG[5:-4] + b"\x00\x00").to_bytes()
    async with scripted(wrong) as (reader, _):
        [read] = await take(reader, 1)
        assert (read.epc, read.crc_ok) == (EPC, False)


async def test_a_stream_that_the_module_ends_with_an_error_is_refused(take):
    async with scripted(Answer(0x22, 0x0405).to_bytes()) as (reader, _):
        with pytest.raises(ReaderRefused, match="refuses to go on reading: status 0x0405, radio_off") as caught:
            await take(reader, 1)
        assert caught.value.code == 0x0405


async def test_a_late_answer_to_a_stop_is_none_to_a_start():
    obeys = obedient()

    def script(data: bytes) -> list[bytes]:
        starts = data[2] == 0x2F and data[5] == 1
        return [Answer(0x2F, 0, b"\x02").to_bytes(), Answer(0x2F, 0x0405).to_bytes()] if starts else obeys(data)

    async with Peer(script) as peer, SerialPort(peer.path, 115200) as port:
        with pytest.raises(ReaderRefused, match="refuses to read without end: status 0x0405"):
            await MercuryReader("r-1", port, SETTINGS, lambda: 0, SOON).__aenter__()


async def test_a_full_tag_buffer_and_an_ended_search_are_no_errors(take):
    ended = Answer(0x22, 0, bytes.fromhex("00001b0000000003")).to_bytes()
    full = (Answer(0x22, 0x0601).to_bytes(), Answer(0x22, 0x0601, TAG[5:-2]).to_bytes())
    async with scripted(*full, ended, TAG) as (reader, _):
        assert await take(reader, 1) == [READ]
        assert reader.health.signs_of_life == 2


async def test_a_consumer_that_was_busy_for_long_does_not_call_a_living_module_dead(take):
    patience = Patience(answer_s=0.4, quiet_ms=20, rearm_s=0.02, dead_s=0.03)
    async with scripted(TAG, patience=patience) as (reader, _):
        async with asyncio.timeout(WAIT_S):
            while not reader._port._buffer:
                await asyncio.sleep(0.001)
        time.sleep(0.05)  # longer than dead_s, with a read waiting
        assert await take(reader, 1) == [READ]


async def test_a_module_that_only_babbles_is_dead(take):
    async with scripted() as (reader, peer):

        async def babble() -> None:
            while True:
                peer.say(b"\x55" * 10)
                await asyncio.sleep(0.005)

        noise = asyncio.create_task(babble())
        with pytest.raises(ReaderTimeout):
            await take(reader, 1)
        noise.cancel()


async def test_the_wire_scan_may_take_the_stream_and_tells_what_else_there_was():
    async with scripted(TAG) as (reader, _):
        chunks = reader.chunks()
        chunk = await anext(chunks)
        assert chunk.data == TAG
        hot = Answer(0x22, 0x0504).to_bytes()
        reader.scanned(Scanned(reads=3, bad_frames=1, discarded_bytes=5, others=(KEEP_ALIVE, STATUS_REPORT, hot)))
        health = reader.health
        assert (health.signs_of_life, health.bad_frames, health.discarded_bytes, health.alarms) == (5, 1, 5, 1)
        assert health.temperature_c == 28
        await chunks.aclose()
