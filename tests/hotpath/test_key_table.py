"""The table that numbers byte strings, against a dict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotpath.key_table import ABSENT, NO_ROOM, find_all, find_or_add, grow, make_key_table

KEYS = st.lists(st.text("ab", min_size=1, max_size=5).map(str.encode) | st.binary(min_size=1, max_size=62), max_size=60)


@pytest.mark.parametrize("collide", [False, True])
@given(keys=KEYS, strangers=KEYS)
@settings(deadline=None)
def test_keys_are_numbered_as_they_first_come(collide: bool, keys: list[bytes], strangers: list[bytes]) -> None:
    table, expected = make_key_table(1, 1, 7), {}
    if collide:
        table.hash_keys[:] = 0
    for key in keys:
        wanted = expected.setdefault(key, len(expected))
        while (number := find_or_add(table, np.frombuffer(key, np.uint8))) == NO_ROOM:
            table = grow(table)
        assert number == wanted
    asked = [*keys, *strangers]
    padded = np.frombuffer(b"".join(key.ljust(62, b"\0") for key in asked), np.uint8).reshape(-1, 62).copy()
    found = np.zeros(len(asked), np.int64)
    find_all(table, padded, np.array([len(key) for key in asked], np.uint8), found)
    assert found.tolist() == [expected.get(key, ABSENT) for key in asked]
