"""`tacet epc`: what a tag's EPC says, and the EPC that says it."""

import json
from typing import Annotated

import typer

from readers.epc import EpcError, decode, describe, encode, parse
from readers.epc.tables import SCHEMES

DECODE_EXAMPLES = """Examples:

  tacet epc decode 3074257bf7194e4000001a85

  tacet epc decode f73795211411234538566cb0afc4 e28011700000020f1234abcd
"""
ENCODE_EXAMPLES = """Examples:

  tacet epc encode urn:epc:tag:sgtin-96:3.0614141.812345.6789

  tacet epc encode urn:epc:id:sgtin:0614141.812345.32a%2Fb --filter 1

  tacet epc encode '(01)80614141123458(21)6789' --company-prefix-length 7

  tacet epc encode https://id.gs1.org/8018/952114112345678906 --scheme gsrn+
"""
EXAMPLES = """Examples:

  tacet epc decode 3074257bf7194e4000001a85

  tacet epc encode urn:epc:tag:sgtin-96:3.0614141.812345.6789
"""

_PLUS_HEADERS = tuple(f"{row.header:02x}" for row in SCHEMES.values() if row.is_plus)

epc_app = typer.Typer(help="Read and write EPCs by the GS1 Tag Data Standard.", no_args_is_help=True, epilog=EXAMPLES)


@epc_app.command("decode", epilog=DECODE_EXAMPLES)
def decode_epcs(
    epcs: Annotated[list[str], typer.Argument(metavar="HEX", help="EPCs as a reader reports them.")],
) -> None:
    """Say what EPCs carry: one JSON object each.  What is no EPC is carried raw, with the reason why."""
    for text in epcs:
        epc = _to_bytes(text)
        typer.echo(json.dumps({"bytes_hex": epc.hex(), **describe(decode(epc))}))


@epc_app.command("encode", epilog=ENCODE_EXAMPLES)
def encode_epcs(
    uris: Annotated[
        list[str],
        typer.Argument(metavar="URI", help="Tag URI, pure identity URI, element string or GS1 Digital Link."),
    ],
    *,
    scheme: Annotated[
        str | None, typer.Option(help="As sgtin-96 or sgtin+; else the URI's own, or the shortest that will do.")
    ] = None,
    filter_value: Annotated[int | None, typer.Option("--filter", help="Instead of the URI's own, or of 0.")] = None,
    company_prefix_length: Annotated[
        int | None,
        typer.Option(min=6, max=12, help="Digits of it; element strings and links do not tell, + schemes do not ask."),
    ] = None,
) -> None:
    """Write EPCs: one JSON object each, as `tacet epc decode` shows it; bytes_hex is what goes on the tag."""
    for uri in uris:
        try:
            key = parse(uri, scheme, filter_value=filter_value, prefix_digits=company_prefix_length)
        except EpcError as error:
            raise typer.BadParameter(str(error)) from error
        typer.echo(json.dumps({"bytes_hex": encode(key).hex(), **describe(key)}))


def _to_bytes(text: str) -> bytes:
    """A "+" EPC is often written to its last whole digit; anywhere else an odd digit means that one has been lost."""
    if len(text) % 2 and text.lower().startswith(_PLUS_HEADERS):
        text += "0"
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not hex text of whole bytes") from error
