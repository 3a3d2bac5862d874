"""The bytes of a read log: from a file or a pipe, gzipped or plain, in blocks; and lines of text taken off them."""

import codecs
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import IO

from broker_config.errors import ConfigError

BLOCK_BYTES = 1 << 20
LONGEST_LINE_BYTES = 16 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_FORMAT = 31
"""zlib's `wbits`: with gzip's header and trailer, so that it checks the sum of each member."""
_LINE_END = re.compile(rb"\r\n?|\n")


def read_blocks(name: str) -> Iterator[bytes]:
    """The UTF-8 text of a log in blocks cut anywhere; `-` is standard input; gzip is recognised by its first bytes.

    Raises:
        ConfigError: it cannot be opened, is no text, or is a gzip file that is damaged or cut short.  What came before
            the damage is not believed either: half a log would pass for a whole one.
    """
    try:
        with nullcontext(sys.stdin.buffer) if name == "-" else Path(name).open("rb") as raw:
            yield from _checked_text(_plain_blocks(raw, name))
    except FileNotFoundError as error:
        raise ConfigError(f"{name}: no such file") from error
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}") from error
    except zlib.error as error:
        raise ConfigError(f"{name}: is a damaged gzip file ({error}); get it again from where it came from") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: is no UTF-8 text; a read log is CSV, gzipped or plain") from error


def _plain_blocks(raw: IO[bytes], name: str) -> Iterator[bytes]:
    block = raw.read(BLOCK_BYTES)
    if block[:2] == _GZIP_MAGIC:
        yield from _unzipped(block, raw, name)
        return
    while block:
        yield block
        block = raw.read(BLOCK_BYTES)


def _unzipped(packed: bytes, raw: IO[bytes], name: str) -> Iterator[bytes]:
    """All members of a gzip file, one after the other; zeros after a member are padding."""
    member = zlib.decompressobj(_GZIP_FORMAT)
    while packed:
        yield member.decompress(packed, BLOCK_BYTES)
        packed = member.unconsumed_tail
        if member.eof:
            packed = member.unused_data.lstrip(b"\0") or _next_unless_zero(raw)
            if not packed:
                return
            member = zlib.decompressobj(_GZIP_FORMAT)
        packed = packed or raw.read(BLOCK_BYTES)
    pipe = "gzip -dc FILE" if name == "-" else f"gzip -dc {name}"
    raise ConfigError(f"{name}: the gzip file is cut short; `{pipe} | tacet replay -` reads what is there")


def _next_unless_zero(raw: IO[bytes]) -> bytes:
    while block := raw.read(BLOCK_BYTES):
        if block := block.lstrip(b"\0"):
            return block
    return b""


def _checked_text(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks without a byte order mark.

    Raises:
        UnicodeDecodeError: they are no UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    start = next(blocks, b"")
    while len(start) < len(codecs.BOM_UTF8) and (more := next(blocks, b"")):
        start += more
    for block in chain([start.removeprefix(codecs.BOM_UTF8)], blocks):
        if not block.isascii() or decoder.getstate()[0]:
            decoder.decode(block)
        yield block
    decoder.decode(b"", final=True)


class LogText:
    """What is left of a log's text: for a kernel the bytes from `at` on, for others an iterator of lines.

    Args:
        blocks: cut anywhere.
    """

    def __init__(self, blocks: Iterator[bytes], name: str) -> None:
        self.data = b""
        self.at = 0
        self.line = 0
        """Lines used so far."""
        self.final = False
        """Nothing comes after `data`."""
        self._blocks, self._name = blocks, name

    def pull(self) -> None:
        """Drop what is used, and add a block.

        Raises:
            ConfigError: a line has no end.
        """
        left = self.data[self.at :]
        if len(left) > LONGEST_LINE_BYTES:
            raise ConfigError(
                f"{self._name}: line {self.line + 1} is longer than {LONGEST_LINE_BYTES >> 20} MiB: is no read log"
            )
        block = next(self._blocks, None)
        self.final = block is None
        self.data, self.at = left + (block or b""), 0

    def __iter__(self) -> "LogText":
        return self

    def __next__(self) -> str:
        """The next line, with its end: a line feed, a carriage return, or both."""
        while True:
            found = _LINE_END.search(self.data, self.at)
            if found and (self.final or found[0] != b"\r" or found.end() < len(self.data)):
                break
            if self.final:
                if self.at == len(self.data):
                    raise StopIteration
                break
            self.pull()
        end = found.end() if found else len(self.data)
        line = self.data[self.at : end].decode()
        self.at, self.line = end, self.line + 1
        return line
