"""EPC Tag Data Standard: what a tag's EPC says.  A leaf: imports nothing else of ours, so anyone may import it."""

from readers.epc.codec import decode, encode, parse_tag_uri
from readers.epc.keys import (
    Gdti96,
    Grai96,
    Gsrn96,
    Gsrnp96,
    PartitionedKey,
    Raw,
    Sgln96,
    Sgtin96,
    Sscc96,
    check_digit,
)

__all__ = [
    "Gdti96",
    "Grai96",
    "Gsrn96",
    "Gsrnp96",
    "PartitionedKey",
    "Raw",
    "Sgln96",
    "Sgtin96",
    "Sscc96",
    "check_digit",
    "decode",
    "encode",
    "parse_tag_uri",
]
