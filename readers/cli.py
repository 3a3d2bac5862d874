"""`tacet decode`: raw captures of a serial protocol, in words."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

CHUNK_BYTES = 1 << 16
EXAMPLES = """Examples:

  tacet decode --list

  tacet decode magicrf-m100 capture.bin

  echo 'bb 02 22 00 11 c9 34 00 30 75 1f eb 70 5c 59 04 e3 d5 0d 70 3a 76 ef 7e' | tacet decode magicrf-m100 --hex

  cat /dev/ttyUSB1 | tacet decode mt-sics

  echo a00101a2 | tacet decode lcus-relay --hex --direction to_reader
"""

decode_app = typer.Typer(context_settings={"allow_interspersed_args": True}, subcommand_metavar="")


@decode_app.callback(invoke_without_command=True, epilog=EXAMPLES)
def decode(
    protocol: Annotated[str | None, typer.Argument(help="A name that --list shows.")] = None,
    file: Annotated[str, typer.Argument(help="The capture; - reads standard input.")] = "-",
    *,
    hexadecimal: Annotated[bool, typer.Option("--hex", help="The capture is hex text, not bytes.")] = False,
    direction: Annotated[Literal["from_reader", "to_reader"], typer.Option(help="Who was speaking.")] = "from_reader",
    list_protocols: Annotated[bool, typer.Option("--list", help="Name the protocols.")] = False,
) -> None:
    """Decode a raw capture: one JSON object per frame, and one per broken stretch with the reason why."""
    from readers.capture import PROTOCOLS, describe_capture, find_protocol

    if list_protocols:
        typer.echo("\n".join(PROTOCOLS))
        return
    if protocol is None:
        raise typer.BadParameter("say which protocol; `tacet decode --list` names them")
    found = find_protocol(protocol, direction)
    with _open(file) as source:
        chunks = _chunks(source)
        _print(describe_capture(found, _from_hex(chunks) if hexadecimal else chunks))


def _print(records: Iterator[dict[str, object]]) -> None:
    try:
        for record in records:
            typer.echo(json.dumps(record))
    except BrokenPipeError:  # `| head` has seen enough; what the interpreter flushes at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open(file: str) -> AbstractContextManager[BufferedReader]:
    if file == "-":
        return nullcontext(cast("BufferedReader", sys.stdin.buffer))
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from error


def _chunks(source: BufferedReader) -> Iterator[bytes]:
    """What has come so far, not waiting for a full buffer, so that a live port can be watched."""
    while data := source.read1(CHUNK_BYTES):
        yield data


def _from_hex(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes that hex text spells; white space anywhere."""
    rest = b""
    for chunk in chunks:
        digits = rest + b"".join(chunk.split())
        whole = len(digits) // 2 * 2
        rest = digits[whole:]
        yield _bytes_of(digits[:whole])
    if rest:
        raise typer.BadParameter("the hex text ends in half a byte")


def _bytes_of(digits: bytes) -> bytes:
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError as error:
        raise typer.BadParameter(f"not hex text: {error}; leave --hex out for a binary capture") from error
