"""The one resynchronising loop under every codec: any slices in, whole sound frames out, noise counted and located.

A codec says where a frame may start and whether one stands there; after a failure the search goes on one byte further,
so noise never takes a following sound frame with it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

F = TypeVar("F")
Direction = Literal["from_reader", "to_reader"]
"""Who speaks: the device, or the host."""

NO_START, BAD_STRUCTURE, BAD_CHECK = range(3)
"""How telling the reason for a rejection is: of a noise stretch the most telling is kept, of equals the first."""


@dataclass(frozen=True, slots=True)
class Sound(Generic[F]):
    """A frame that stands where it was looked for."""

    frame: F
    length: int


@dataclass(frozen=True, slots=True)
class Broken:
    """No frame stands here, whatever may follow."""

    why: str
    telling: int = BAD_STRUCTURE


@dataclass(frozen=True, slots=True)
class Found(Generic[F]):
    """A frame and where in the whole stream it stood, in bytes."""

    offset: int
    length: int
    frame: F


@dataclass(frozen=True, slots=True)
class Noise:
    """A maximal stretch without a sound frame."""

    offset: int
    length: int
    why: str
    telling: int = BAD_STRUCTURE


class StreamDecoder(ABC, Generic[F]):
    """Frames from a byte stream.  A codec defines `_seek` and `_examine`, both without side effects."""

    def __init__(self) -> None:
        self.discarded_bytes = 0
        """All noise so far: a health counter."""
        self._buffer = bytearray()
        self._offset = 0  # of the buffer's first byte in the stream
        self._noise: Noise | None = None
        self._in_step = False  # what is looked at stands right behind a sound frame

    @abstractmethod
    def _seek(self, buffer: bytearray, start: int) -> int:
        """Where at or after `start` a frame may begin; `len(buffer)` where nowhere."""

    @abstractmethod
    def _examine(self, buffer: bytearray, start: int) -> Sound[F] | Broken | None:
        """What stands at `start`; None while too few bytes are here to tell.  Must decide within a bounded length."""

    def feed(self, data: bytes) -> list[F]:
        """The frames that `data` completes."""
        return [found.frame for found in self.scan(data) if isinstance(found, Found)]

    def flush(self) -> list[F]:
        """The frames hidden behind an unfinished one.  Call when the line has been quiet: what waits is then noise."""
        return [found.frame for found in self.finish() if isinstance(found, Found)]

    def take_rest(self) -> bytes:
        """The bytes that wait for more, taken out: somebody else goes on with the stream."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._offset += len(rest)
        return rest

    def scan(self, data: bytes) -> list[Found[F] | Noise]:
        """As `feed`, with places, and with the noise that a frame has ended."""
        self._buffer += data
        return self._advance(final=False)

    def finish(self) -> list[Found[F] | Noise]:
        """What is left at the end of the stream; the stretch of noise in progress, if any, comes last."""
        results = self._advance(final=True)
        return results + self._end_noise()

    def _advance(self, *, final: bool) -> list[Found[F] | Noise]:
        buffer, at = self._buffer, 0
        results: list[Found[F] | Noise] = []
        while at < len(buffer):
            start = self._seek(buffer, at)
            if start > at:
                self._skip(at, start - at, Broken("no start of a frame", NO_START))
                at = start
                continue
            verdict = self._examine(buffer, at)
            if verdict is None and not final:
                break
            if isinstance(verdict, Sound):
                results += self._end_noise()
                results.append(Found(self._offset + at, verdict.length, verdict.frame))
                at += verdict.length
                self._in_step = True
            else:
                self._skip(at, 1, verdict or Broken(f"cut off: only {len(buffer) - at} bytes of a frame"))
                at += 1
        del buffer[:at]
        self._offset += at
        return results

    def _skip(self, at: int, length: int, broken: Broken) -> None:
        self.discarded_bytes += length
        self._in_step = False
        noise = self._noise
        if noise is None:
            self._noise = Noise(self._offset + at, length, broken.why, broken.telling)
        elif broken.telling > noise.telling:
            self._noise = Noise(noise.offset, noise.length + length, broken.why, broken.telling)
        else:
            self._noise = Noise(noise.offset, noise.length + length, noise.why, noise.telling)

    def _end_noise(self) -> list[Found[F] | Noise]:
        ended, self._noise = self._noise, None
        return [] if ended is None else [ended]
