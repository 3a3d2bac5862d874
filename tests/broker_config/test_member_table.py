"""The member table's bytes: what was packed comes out, and nothing else is taken for a table."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.errors import MessageError
from broker_config.member_table import MAGIC, pack_members
from tests.support.member_tables import unpack_members

member = st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
TABLE = pack_members(
    3, 1_700_000_000_000_000_000, [(bytes([n]) * 16, bytes([255 - n]) * 16) for n in range(4)]
).to_bytes()


@given(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), st.lists(member, max_size=20))
def test_a_table_survives_its_bytes_sorted(
    version: int, leased_until_ns: int, members: list[tuple[bytes, bytes]]
) -> None:
    table = unpack_members(pack_members(version, leased_until_ns, members).to_bytes())
    assert (table.version, table.leased_until_ns, len(table)) == (version, leased_until_ns, len(members))
    records = [table.records[start : start + 32] for start in range(0, len(table.records), 32)]
    assert records == sorted(card + handle for card, handle in members)


def test_every_altered_byte_is_noticed() -> None:
    for place in range(len(TABLE)):
        with pytest.raises(MessageError):
            unpack_members(TABLE[:place] + bytes([TABLE[place] ^ 1]) + TABLE[place + 1 :])


def test_another_format_is_refused_though_its_checksum_is_right() -> None:
    body = b"TACETMB2" + TABLE[8:-32]
    with pytest.raises(MessageError, match="not a member table"):
        unpack_members(body + hashlib.sha256(body).digest())


def test_every_shorter_or_longer_table_is_refused() -> None:
    for data in [TABLE[:length] for length in range(len(TABLE))] + [TABLE + b"\0", TABLE + TABLE]:
        with pytest.raises(MessageError):
            unpack_members(data)


@given(st.binary(max_size=300))
def test_foreign_bytes_are_no_table(data: bytes) -> None:
    for foreign in (data, MAGIC + data):
        with pytest.raises(MessageError):
            unpack_members(foreign)


def test_a_huge_count_costs_nothing() -> None:
    with pytest.raises(MessageError, match="says it holds"):
        unpack_members(TABLE[:24] + b"\xff" * 8 + TABLE[32:])
