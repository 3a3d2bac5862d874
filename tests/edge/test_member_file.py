"""The member table on disk: opened as it is, refused when any byte is wrong, replaced under a reader's eyes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.errors import MessageError
from broker_config.identity import make_credential, siphash_2_4_128
from broker_config.member_table import MemberTable, pack_members
from edge.at_rest import AtRest
from edge.member_file import IncomingTable, OpenedMembers, index_members, member_path, open_members, remove_others

KEY = bytes(range(16))
S = 1_000_000_000
START_NS = 1_800_000_000 * S
UNTIL_NS = START_NS + 100 * S
CARDS = [bytes([0x30, number, *range(10)]) for number in range(4)]
TABLE = pack_members(3, UNTIL_NS, [(siphash_2_4_128(KEY, card), card[:2] * 8) for card in CARDS])
AT_REST = AtRest(make_credential("agent", "gw-1"), "members")
BYTES = AT_REST.seal(TABLE.to_bytes())
hash_and_handle = st.tuples(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))


def content(members: OpenedMembers) -> MemberTable:
    return MemberTable(members.version, members.leased_until_ns, members.rows.tobytes())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("members")


@given(st.integers(0, 2**64 - 1), st.integers(-(2**63), 2**63 - 1), st.lists(hash_and_handle, max_size=40))
@settings(deadline=None)
def test_a_opened_table_is_what_was_written_and_as_good_as_one_in_memory(
    folder: Path, version: int, leased_until_ns: int, members: list[tuple[bytes, bytes]]
) -> None:
    table = pack_members(version, leased_until_ns, members)
    (folder / "table").write_bytes(AT_REST.seal(table.to_bytes()))
    opened, indexed = open_members(folder / "table", AT_REST), index_members(table)
    assert content(opened) == content(indexed) == table
    assert opened.slots.tolist() == indexed.slots.tolist()
    assert len(opened) == len(members)


def test_the_kernels_take_a_opened_table_as_the_type_they_are_compiled_for(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(BYTES)
    rows = open_members(tmp_path / "table", AT_REST).rows
    assert (rows.dtype, rows.flags.writeable, rows.flags.aligned, rows.flags.c_contiguous) == (np.uint64, *[True] * 3)


@pytest.mark.parametrize("place", range(len(BYTES)))
def test_a_table_with_any_byte_altered_is_refused(folder: Path, place: int) -> None:
    path = folder / "altered"
    path.write_bytes(BYTES[:place] + bytes([BYTES[place] ^ 0x10]) + BYTES[place + 1 :])
    with pytest.raises(MessageError) as caught:
        open_members(path, AT_REST)
    assert "\n" not in str(caught.value)


def test_a_table_cut_anywhere_or_too_long_is_refused(folder: Path) -> None:
    for data in [BYTES[:size] for size in range(len(BYTES))] + [BYTES + b"\0"]:
        (folder / "cut").write_bytes(data)
        with pytest.raises(MessageError):
            open_members(folder / "cut", AT_REST)


def test_rows_out_of_order_are_refused_in_a_file_and_in_memory(folder: Path) -> None:
    table = MemberTable(1, UNTIL_NS, b"\xf0" * 32 + b"\x01" * 32)
    (folder / "unsorted").write_bytes(AT_REST.seal(table.to_bytes()))
    with pytest.raises(MessageError, match="order"):
        open_members(folder / "unsorted", AT_REST)
    with pytest.raises(MessageError, match="order"):
        index_members(table)


def test_a_table_is_replaced_while_another_holds_the_old_mapping(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_bytes(BYTES)
    old = open_members(path, AT_REST)
    newer = pack_members(4, UNTIL_NS, [(b"n" * 16, b"m" * 16)])
    with IncomingTable(path, AT_REST) as incoming:
        incoming.write(newer.to_bytes()[:20])
        incoming.write(newer.to_bytes()[20:])
        assert content(open_members(path, AT_REST)) == TABLE  # until it is accepted
        accepted = incoming.accept()
    assert content(accepted) == content(open_members(path, AT_REST)) == newer
    assert content(old) == TABLE
    assert [each.name for each in tmp_path.iterdir()] == ["table"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"", b"nonsense", TABLE.to_bytes()[:-1]])
def test_what_is_not_accepted_leaves_the_old_table_and_no_trace(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "table"
    path.write_bytes(BYTES)
    with pytest.raises(MessageError), IncomingTable(path, AT_REST) as incoming:  # noqa: PT012 - as it is used
        incoming.write(data)
        incoming.accept()
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("table", BYTES)]


def test_a_key_has_a_file_of_its_own_that_does_not_tell_the_key(tmp_path: Path) -> None:
    mine, other = member_path(tmp_path, KEY), member_path(tmp_path, bytes(16))
    assert mine != other
    assert KEY.hex()[:8] not in mine.name
    for path in (mine, other, tmp_path / "other"):
        path.touch()
    remove_others(mine)
    assert sorted(tmp_path.iterdir()) == sorted([mine, tmp_path / "other"])
