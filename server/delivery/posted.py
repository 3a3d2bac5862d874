"""The body of a post of events, unpacked within bounds."""

import zlib

import msgspec

from broker_config.messages import MAX_POST_BYTES, MAX_POST_ROWS, EventPost
from server.decoding import GENERATION
from server.errors import Unprocessable

GZIP_WINDOW = 16 + zlib.MAX_WBITS
_post = msgspec.json.Decoder(EventPost)


def read_post(body: bytes, encoding: str | None) -> EventPost:
    """What an agent has posted.

    Args:
        encoding: the Content-Encoding; plain or gzip.

    Raises:
        Unprocessable: neither, or too much, or not of this shape.
    """
    try:
        post = _post.decode(_unpack(body) if encoding == "gzip" else body)
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unprocessable(f"the events cannot be read: {error}") from error
    if len(post.rows) > MAX_POST_ROWS:
        raise Unprocessable(f"{len(post.rows)} rows are more than {MAX_POST_ROWS}; post fewer at a time")
    if not GENERATION.fullmatch(post.generation) or not GENERATION.fullmatch(post.session):
        raise Unprocessable("generation or session is missing or malformed")
    return post


def _unpack(body: bytes) -> bytes:
    unpacker = zlib.decompressobj(GZIP_WINDOW)
    data = unpacker.decompress(body, MAX_POST_BYTES)
    if not unpacker.eof:
        raise Unprocessable(f"the events are cut short, or more than {MAX_POST_BYTES} bytes; post fewer at a time")
    return data
