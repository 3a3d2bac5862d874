"""One card, one identity: whatever reads it, and however the member list writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readers.card_number import card_of_text, em4100_card, is_random, nfc_card

numbers = st.integers(0, 0xFFFFFFFF)
uids = st.sampled_from((4, 7, 10)).flatmap(lambda size: st.binary(min_size=size, max_size=size))
fixed_uids = uids.filter(lambda uid: len(uid) > 4 or uid[0] not in (0x08, 0x88))


@pytest.mark.parametrize(
    ("text", "card"),
    [
        ("em4100:0008075634", "45007b3972"),
        ("EM4100: 4294967295", "45ffffffff"),
        ("nfc:078cfc4f", "4e078cfc4f"),
        ("nfc:04:A1:B2:C3:D4:E5:F6", "4e8804a1b2c3d4e5f6"),
        ("NFC: 04-a1-b2-c3 d4e5f6", "4e8804a1b2c3d4e5f6"),
        ("nfc:01020304050607080910", "4e88010203880405060708" + "0910"),
    ],
)
def test_a_card_in_a_member_list(text, card):
    assert card_of_text(text).hex() == card


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("em4100:8075634", "ten digits"),
        ("em4100:123,14706", "lacks their highest byte"),
        ("em4100:4294967296", "at most 4294967295"),
        ("em4100:000807563٤", "ten digits"),
        ("nfc:08a1b2c3", "drawn anew"),
        ("nfc:8804a1b2", "longer one"),
        ("nfc:04a1b2", "4, 7 or 10 bytes"),
        ("nfc:04a1b2cg", "in hex"),
        ("mifare:04a1b2c3", "em4100:<the ten digits"),
        ("0008075634", "em4100:<the ten digits"),
    ],
)
def test_what_is_no_card_is_refused_without_its_number(text, why):
    with pytest.raises(ValueError, match=why) as caught:
        card_of_text(text)
    assert text.partition(":")[2] not in str(caught.value) or ":" not in text
    assert "a1b2" not in str(caught.value)


@given(numbers)
def test_a_printed_number_is_the_number_that_is_read(number):
    assert card_of_text(f"em4100:{number:010d}") == em4100_card(number)


@given(fixed_uids)
def test_a_written_uid_is_the_uid_that_is_read(uid):
    assert card_of_text(f"nfc:{uid.hex()}") == card_of_text(f"nfc:{uid.hex(':').upper()}") == nfc_card(uid)


@given(st.lists(numbers, max_size=20), st.lists(fixed_uids, max_size=20))
def test_no_card_is_taken_for_another_nor_for_a_tag(printed, chips):
    cards = {em4100_card(number) for number in printed} | {nfc_card(uid) for uid in chips}
    assert len(cards) == len(set(printed)) + len(set(chips))
    assert all(len(card) % 2 for card in cards), "a Gen2 EPC is whole 16-bit words"
    assert all(len(card) <= 62 for card in cards)


@given(uids)
def test_only_four_bytes_that_begin_with_08_are_random(uid):
    assert is_random(uid) == (len(uid) == 4 and uid[0] == 8)
