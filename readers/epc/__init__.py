"""EPC Tag Data Standard: what a tag's EPC says.  A leaf: imports nothing else of ours, so anyone may import it."""

from readers.epc.bits import EpcError
from readers.epc.codec import decode, encode
from readers.epc.describe import describe
from readers.epc.keys import Key, Raw
from readers.epc.parsing import parse
from readers.epc.text import check_digit, require_check_digit

__all__ = ["EpcError", "Key", "Raw", "check_digit", "decode", "describe", "encode", "parse", "require_check_digit"]
