"""Sealed files: opened by their agent only, whole only, for their purpose only."""

import struct

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.identity import make_credential
from edge import at_rest as at_rest_module
from edge.at_rest import AtRest, SealedFileError, SealedWriter

CREDENTIAL = make_credential("agent", "gw-1")
MINE = AtRest(CREDENTIAL, "members")


@pytest.fixture
def _small_pieces(monkeypatch):
    monkeypatch.setattr(at_rest_module, "PIECE_BYTES", 8)


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 17, 100])
def test_what_is_sealed_comes_back_however_it_was_cut(size):
    data = bytes(range(size))
    assert MINE.open(memoryview(MINE.seal(data))) == data
    for cut in (1, 3, 8, 50):
        writer = SealedWriter(MINE)
        pieces = [piece for start in range(0, size, cut) for piece in writer.add(data[start : start + cut])]
        assert MINE.open(memoryview(b"".join([writer.head, *pieces, writer.end()]))) == data


@pytest.mark.usefixtures("_small_pieces")
def test_no_piece_can_be_cut_off_moved_or_put_into_another_file():
    sealed = MINE.seal(bytes(range(20)))
    head, pieces = sealed[:24], [sealed[24:48], sealed[48:72], sealed[72:]]
    other = MINE.seal(bytes(range(20)))
    for forged in (
        [head, pieces[0]], [head, pieces[0], pieces[1]], [head, pieces[1], pieces[0], pieces[2]],
        [head, pieces[0], pieces[2]], [head, *pieces, pieces[2]], [head, other[24:48], *pieces[1:]],
        [other[:24], *pieces], [head], [b"TACETAR0", head[8:], *pieces],
    ):  # fmt: skip
        with pytest.raises(SealedFileError):
            MINE.open(memoryview(b"".join(forged)))


@given(st.data())
@settings(deadline=None)
def test_any_flipped_bit_is_refused(data):
    sealed = bytearray(MINE.seal(b"a table of some members"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealedFileError):
        MINE.open(memoryview(sealed))


@pytest.mark.usefixtures("_small_pieces")
def test_a_file_sealed_before_an_upgrade_opens_after_it():
    """The form on disk, written once more from its description: what an older version sealed has to open."""
    salt, data, purpose = bytes(range(16)), b"twenty bytes of table", b"members"
    secret = bytes.fromhex(CREDENTIAL.seal_key or "") + bytes.fromhex(CREDENTIAL.match_key or "")
    cipher = AESGCM(HKDF(SHA256(), 32, salt, b"tacet at rest " + purpose).derive(secret))
    sealed = b"TACETAR1" + salt
    for number, last in ((0, 0), (1, 0), (2, 1)):
        nonce, bound = struct.pack(">IQ", 0, number), purpose + struct.pack(">QB", number, last)
        sealed += cipher.encrypt(nonce, data[8 * number : 8 * number + 8], bound)
    assert MINE.open(memoryview(sealed)) == data


def test_another_agent_or_purpose_opens_nothing_and_no_two_files_are_alike():
    sealed = MINE.seal(b"handle-of-ann-16" * 4)
    assert b"handle-of-ann" not in sealed
    assert sealed != MINE.seal(b"handle-of-ann-16" * 4)
    for stranger in (AtRest(make_credential("agent", "gw-1"), "members"), AtRest(CREDENTIAL, "presence")):
        with pytest.raises(SealedFileError):
            stranger.open(memoryview(sealed))
