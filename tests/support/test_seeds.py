"""A scan that finds nothing proves something only where it would have found what is there."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.seeds import find_in, find_seeds

CARD = bytes.fromhex("2d14257bf52cb6916d000000")


@given(st.binary(min_size=8, max_size=24), st.binary(max_size=9), st.binary(max_size=9))
def test_a_seed_is_found_wherever_it_lies_in_base64(seed, before, after):
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert find_in("there", encode(before + seed + after), {"seed": seed})


@pytest.mark.parametrize(
    "written",
    [CARD, CARD.hex().encode(), CARD.hex().upper().encode(), CARD.hex(" ").encode(), CARD[::-1], json.dumps(CARD.hex()).encode()],
)  # fmt: skip
def test_a_card_is_found_however_it_is_written(tmp_path, written):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    path = tmp_path / "deep" / "er" / "x.db-wal"
    path.write_bytes(b"\0" * 100 + written + b"\xff" * 100)
    (hit, *_) = find_seeds([tmp_path], {"the card": CARD})
    assert (hit.where, hit.seed, hit.count) == (str(path), "the card", 1)
    assert not find_seeds([tmp_path], {"another": bytes(reversed(range(12)))})


def test_names_are_found_in_texts_of_all_kinds_and_in_names_of_files(tmp_path):
    seed = {"alias": "Zoë-Björk".encode()}
    for text in (json.dumps("Zoë-Björk"), json.dumps("Zoë-Björk", ensure_ascii=False)):
        assert find_in("json", text.encode(), seed)
    assert find_in("utf-16", "Zoë-Björk".encode("utf-16-le"), seed)
    (tmp_path / "Zoë-Björk.csv").touch()
    assert find_seeds([tmp_path], seed)


def test_a_short_seed_counts_only_as_a_whole_value():
    seed = {"alias": b"Ash"}
    assert not find_in("a word", b"Ashes and Ash trees", seed)
    assert find_in("a value", b'{"alias":"Ash"}', seed)
    assert find_in("a cell", b"2d14,Ash,en", seed)
