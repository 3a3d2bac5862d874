"""How `State.words` is divided: the keys of both hashes, then what a block of rows and a single EPC need for a moment."""

from hotpath.record import EPC_WORDS

MEMBER_KEYS = 2
"""First, the members' key."""
INDEX_KEYS = 2 + 2 * EPC_WORDS
"""Then the index's, random per start: one to start with, one for the length, one per 32-bit half of an EPC's words."""
BLOCK = 32
"""Rows that go through each stage of a feed together."""
HASHES_AT = MEMBER_KEYS + INDEX_KEYS
"""The index hashes of a block's rows."""
GUESSES_AT = HASHES_AT + BLOCK
"""The tags that these rows will most likely turn out to name, each plus one."""
EPC_AT = GUESSES_AT + BLOCK
WORDS = EPC_AT + EPC_WORDS
