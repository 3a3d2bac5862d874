"""A visit's token as people see it: short, the same on every page, and gone with the token."""

import zlib

LABELS = 1000


def label_visit(token: str) -> str:
    """`v` and up to three digits, e.g. `v407`; `static/visit.js` computes the same."""
    return f"v{zlib.crc32(token.encode()) % LABELS}"
