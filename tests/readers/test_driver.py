"""What every streaming driver inherits."""

import asyncio
from collections.abc import Sequence

import pytest

from readers.driver import StreamDriver
from readers.errors import ReaderTimeout
from readers.model import Chunk, Read, Scanned
from readers.uhfreader18.codec import Frame, FrameDecoder
from tests.support.patience import WAIT_S

FRAME = Frame(0, 0xEE, bytes(12), 0).to_bytes()
NOTHING = Scanned(0, 0, 0, ())


class Silent:
    """A port at which nothing comes."""

    overrun_bytes = 0

    async def receive(self) -> bytes:
        await asyncio.Event().wait()
        return b""


class Driver(StreamDriver[Frame]):
    def _interpret(self, frame: Frame, read_at_ns: int) -> Sequence[Read]:
        return ()

    def _is_sign_of_life(self, frame: Frame) -> bool:
        return True

    def _listen_until_s(self) -> float:
        return 0.0

    async def _attend(self, lives: int, heard_at_s: float) -> None:
        pass


@pytest.fixture
def driver() -> Driver:
    return Driver("r-1", Silent(), FrameDecoder, lambda: 7)


async def test_what_setting_up_left_behind_a_false_length_is_not_lost_in_silence(driver):
    left = b"\xf0" + FRAME
    assert driver._decoder.feed(left) == []
    taken = []
    async with asyncio.timeout(WAIT_S):
        async for chunk in driver.chunks():
            taken.append(chunk)
            if not chunk.data:
                break
            driver.scanned(NOTHING)
    assert taken == [Chunk(left, 7), Chunk(b"", 7)]


async def test_a_chunk_of_which_nobody_told_is_our_own_mistake(driver):
    chunks = driver.chunks()
    await anext(chunks)
    with pytest.raises(ValueError, match="`scanned` not told"):
        await anext(chunks)


class Says(Silent):
    """A port at which one frame comes."""

    async def receive(self) -> bytes:
        return FRAME


class GivesUp(Driver):
    def _interpret(self, frame: Frame, read_at_ns: int) -> Sequence[Read]:
        return (Read(b"e1", self.reader_id, 1, -50.0, read_at_ns),)

    def _listen_until_s(self) -> float:
        return asyncio.get_running_loop().time() + 5

    async def _attend(self, lives: int, heard_at_s: float) -> None:
        raise ReaderTimeout("it does not go on")


async def test_the_reads_in_hand_when_a_driver_gives_up_are_not_lost():
    reads = GivesUp("r-1", Says(), FrameDecoder, lambda: 7).reads()
    assert await anext(reads) == Read(b"e1", "r-1", 1, -50.0, 7)
    with pytest.raises(ReaderTimeout, match="does not go on"):
        await anext(reads)
