"""MagicRF M100 UHF module: payloads in words, one function per layout, picked by the tables in `describe.py`.

Each takes a payload and returns its fields ready for JSON; IndexError, KeyError or UnicodeDecodeError means that the
payload does not have this layout.
"""

from collections.abc import Callable

from readers.magicrf_m100 import answers, commands
from readers.magicrf_m100.commands import Info

Fields = dict[str, object]
Parser = Callable[[bytes], Fields]


def exactly(size: int, payload: bytes) -> bytes:
    """The payload, which must have this size."""
    if len(payload) != size:
        raise IndexError
    return payload


def nothing(payload: bytes) -> Fields:
    """No payload."""
    exactly(0, payload)
    return {}


def result(payload: bytes) -> Fields:
    """A result byte: 0 is done."""
    code = exactly(1, payload)[0]
    return {"result": "ok" if code == 0 else f"0x{code:02x}"}


def byte(name: str) -> Parser:
    """One number of one byte."""
    return lambda payload: {name: exactly(1, payload)[0]}


def word(name: str) -> Parser:
    """One number of two bytes."""
    return lambda payload: {name: int.from_bytes(exactly(2, payload), "big")}


def region(payload: bytes) -> Fields:
    """A frequency band."""
    return {"region": commands.REGION_NAMES[exactly(1, payload)[0]]}


def info_kind(payload: bytes) -> Fields:
    """Which version text."""
    kind = exactly(1, payload)[0]
    return {"info": Info(kind).name.lower()} if kind in tuple(Info) else {"info": f"0x{kind:02x}"}


def info_text(payload: bytes) -> Fields:
    """Which version text, and the text."""
    return info_kind(payload[:1]) | {"text": payload[1:].decode("ascii").rstrip("\0 ")}


def select(payload: bytes) -> Fields:
    """Select parameters."""
    mask = payload[7:]
    bits = payload[5]
    exactly(-(-bits // 8), mask)
    return {
        "sel_param": payload[:1].hex(),
        "pointer_bits": int.from_bytes(payload[1:5], "big"),
        "mask_bits": bits,
        "truncate": payload[6],
        "mask": mask.hex(),
    }


def select_answer(payload: bytes) -> Fields:
    """The answer to setting Select, or to setting its mode, which carries the same command."""
    return result(payload) if len(payload) == 1 else select(payload)


def query(payload: bytes) -> Fields:
    """The Query word and its parts."""
    word = int.from_bytes(exactly(2, payload), "big")
    return {
        "query_word": f"{word:04x}",
        "q": word >> 3 & 0xF,
        "session": word >> 8 & 3,
        "target": "B" if word >> 7 & 1 else "A",
    }


def multi_poll(payload: bytes) -> Fields:
    """How many rounds."""
    return {"count": int.from_bytes(exactly(3, payload)[1:], "big")}


def gpio(payload: bytes) -> Fields:
    """A pin, and what to do with it."""
    what, port, value = exactly(3, payload)
    if what == 0:
        return {"name": "gpio_direction", "port": port, "direction": "output" if value else "input"}
    return {"name": ("gpio_direction", "gpio_write", "gpio_read")[what], "port": port, "level": value}


def gpio_answer(payload: bytes) -> Fields:
    """A result, or a pin and its level."""
    return result(payload[-1:]) if payload[0] != 2 else {"port": payload[1], "level": payload[2]}


def idle(payload: bytes) -> Fields:
    """Whether the radio rests, and after how long it does by itself."""
    enter, _, minutes = exactly(3, payload)
    return {"enter": enter != 0, "auto_minutes": minutes}


def channels(payload: bytes) -> Fields:
    """The channels to hop between."""
    return {"channels": list(exactly(payload[0], payload[1:]))}


def hopping(payload: bytes) -> Fields:
    """On or off."""
    return {"on": exactly(1, payload)[0] != 0}


def baud(payload: bytes) -> Fields:
    """The line speed."""
    return {"baud": int.from_bytes(exactly(2, payload), "big") * 100}


def memory(payload: bytes) -> Fields:
    """Where in a tag to read or write, and what."""
    if len(payload) < 9:
        raise IndexError
    fields: Fields = {
        "bank": payload[4],
        "word_address": int.from_bytes(payload[5:7], "big"),
        "words": int.from_bytes(payload[7:9], "big"),
    }
    return fields | ({"data": payload[9:].hex()} if len(payload) > 9 else {})


def eas(payload: bytes) -> Fields:
    """The alarm bit of NXP's chips."""
    return {"psf": exactly(5, payload)[4]}


def tag_then(payload: bytes) -> tuple[Fields, bytes]:
    """The tag that an access answer names, and what follows it."""
    size = payload[0]
    if not 2 <= size < len(payload):
        raise IndexError
    return {"pc": payload[1:3].hex(), "epc": payload[3 : size + 1].hex()}, payload[size + 1 :]


def tag_result(payload: bytes) -> Fields:
    """A tag, and the result of an access to it."""
    if len(payload) == 1:
        return result(payload)
    tag, rest = tag_then(payload)
    return tag | result(rest)


def tag_data(payload: bytes) -> Fields:
    """A tag, and what its memory holds."""
    tag, rest = tag_then(payload)
    return tag | {"data": rest.hex()}


def demodulator(payload: bytes) -> Fields:
    """Receiver gains and threshold."""
    mixer_gain, if_gain, high, low = exactly(4, payload)
    return {"mixer_gain": mixer_gain, "if_gain": if_gain, "threshold": f"{high:02x}{low:02x}"}


def scan(payload: bytes) -> Fields:
    """One level for each channel."""
    first, last = payload[0], payload[1]
    levels = exactly(last - first + 1, payload[2:])
    return {"first_channel": first, "last_channel": last, "dbm": [b - 256 if b > 127 else b for b in levels]}


def error(payload: bytes) -> Fields:
    """An error code in words, with the tag it concerns where it names one."""
    code = payload[0]
    fields: Fields = {"error": f"0x{code:02x}", "meaning": answers.error_meaning(code)}
    if len(payload) > 1:
        size = payload[1]
        tag = payload[2:]
        exactly(size, tag)
        fields |= {"pc": tag[:2].hex(), "epc": tag[2:].hex()}
    return fields
