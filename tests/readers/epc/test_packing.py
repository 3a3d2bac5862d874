"""The alphabets and sizes of the "+" schemes' texts, as the standard prints them."""

import pytest

from readers.epc import EpcError
from readers.epc.packing import PACKINGS, shortest_packing
from tests.readers.epc.keys import TEXT_OF_ENCODING

URN40 = PACKINGS[5]


def test_each_alphabet_is_whole():
    """TDS 2.3, table E; 7-bit ASCII also carries the `#` of component references."""
    for indicator, packing in PACKINGS.items():
        extra = "#" if indicator == 4 else ""
        assert set(packing.alphabet) - {"\0"} == set(TEXT_OF_ENCODING[str(indicator)] + extra)


@pytest.mark.parametrize(
    ("indicator", "char", "code"),
    [
        (1, "A", 10),
        (1, "F", 15),
        (2, "a", 10),
        (2, "f", 15),
        (3, "A", 0),
        (3, "Z", 25),
        (3, "a", 26),
        (3, "z", 51),
        (3, "0", 52),
        (3, "9", 61),
        (3, "-", 62),
        (3, "_", 63),
        (4, "!", 0x21),
        (4, "z", 0x7A),
        (4, "_", 0x5F),
        (5, "A", 1600 * 1 + 1),
        (5, "Z", 1600 * 26 + 1),
        (5, "-", 1600 * 27 + 1),
        (5, ".", 1600 * 28 + 1),
        (5, ":", 1600 * 29 + 1),
        (5, "0", 1600 * 30 + 1),
        (5, "9", 1600 * 39 + 1),
    ],
)
def test_codes_of_single_characters(indicator, char, code):
    """TDS 2.3, tables 14-5 to 14-9."""
    assert PACKINGS[indicator].pack(char) == code
    assert PACKINGS[indicator].unpack(code, 1) == char


@pytest.mark.parametrize(
    ("length", "sizes"),
    [(1, (4, 4, 16, 6, 7)), (3, (10, 12, 16, 18, 21)), (10, (34, 40, 64, 60, 70)), (20, (67, 80, 112, 120, 140)),
     (28, (94, 112, 160, 168, 196)), (30, (100, 120, 160, 180, 210))],
)  # fmt: skip
def test_sizes_are_those_of_table_b(length, sizes):
    assert tuple(PACKINGS[indicator].bits(length) for indicator in (0, 1, 5, 3, 4)) == sizes


def test_three_characters_share_16_bits():
    assert URN40.pack("A-9") == 1600 * 1 + 40 * 27 + 39 + 1
    assert URN40.pack("ABCD") == (1600 + 80 + 3 + 1) << 16 | (1600 * 4 + 1)


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (0, 1),  # no group is 0
        (1, 1),  # three pads
        (1600 * 1 + 40 * 2 + 1, 1),  # two characters where one was announced
        (1600 * 1 + 2 + 1, 2),  # a pad between two characters
        (40 * 2 + 1, 1),  # a pad in front
        (1600 * 40 + 40 * 1 + 1, 2),  # there is no 41st character
        (0xFFFF, 3),
        ((1600 * 1 + 40 * 2 + 1) << 16 | (1600 * 3 + 40 * 4 + 1), 4),  # a pad at the end of the first three
    ],
)
def test_a_group_that_no_characters_give_is_refused(value, length):
    with pytest.raises(EpcError):
        URN40.unpack(value, length)


def test_a_number_of_more_digits_than_announced_is_refused():
    assert PACKINGS[0].unpack(7, 3) == "007"
    with pytest.raises(EpcError):
        PACKINGS[0].unpack(1001, 3)


def test_the_shortest_is_chosen_and_among_equals_the_first():
    assert [shortest_packing(text) for text in ("123", "1A", "1a", "Za", "Z!", "ABZ", "ABCDEFGH", "1")] == [
        0, 1, 2, 3, 4, 5, 3, 0,
    ]  # fmt: skip
