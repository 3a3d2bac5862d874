"""Credentials, the keyed hash against its published vectors, and the sealed handle."""

import base64
import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.errors import ConfigError, MessageError
from broker_config.identity import (
    Credential,
    add_credential,
    load_credential,
    make_credential,
    open_handle,
    seal_handle,
    siphash_2_4_128,
    write_credential,
)
from broker_config.private_files import write_private

KEY = bytes(range(16))
# Source: SipHash reference implementation, vectors.h, vectors_sip128: key 00..0f, message of n bytes 00, 01, 02 …
OFFICIAL = {
    0: "a3817f04ba25a8e66df67214c7550293",
    1: "da87c1d86b99af44347659119b22fc45",
    2: "8177228da4a45dc7fca38bdef60affe4",
    3: "9c70b60c5267a94e5f33b6b02985ed51",
    4: "f88164c12d9c8faf7d0f6e7c7bcd5579",
    5: "1368875980776f8854527a07690e9627",
    6: "14eeca338b208613485ea0308fd7a15e",
    7: "a1f1ebbed8dbc153c0b84aa61ff08239",
    8: "3b62a9ba6258f5610f83e264f31497b4",
    15: "5493e99933b0a8117e08ec0f97cfc3d9",
}
SEAL = b"s" * 32
HANDLE = b"0123456789abcdef"


@pytest.mark.parametrize(("length", "expected"), OFFICIAL.items())
def test_siphash_gives_the_published_vectors(length: int, expected: str) -> None:
    assert siphash_2_4_128(KEY, bytes(range(length))).hex() == expected


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.binary(max_size=80))
def test_siphash_equals_openssl(key: bytes, data: bytes) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    command = ["openssl", "mac", "-macopt", f"hexkey:{key.hex()}", "-macopt", "size:16", "SIPHASH"]
    done = subprocess.run(command, input=data, capture_output=True, check=True, timeout=20)
    assert siphash_2_4_128(key, data).hex() == done.stdout.decode().strip().lower()


@given(st.binary(min_size=16, max_size=16), st.text())
def test_a_sealed_handle_opens_for_its_own_event(handle: bytes, event_id: str) -> None:
    event_id = event_id.encode(errors="ignore").decode()
    assert open_handle(SEAL, seal_handle(SEAL, handle, event_id), event_id) == handle


def test_two_sealings_of_one_handle_share_nothing() -> None:
    assert seal_handle(SEAL, HANDLE, "gw-1.a.1") != seal_handle(SEAL, HANDLE, "gw-1.a.1")


def refuses(seal_key: bytes, who: str, event_id: str) -> None:
    with pytest.raises(MessageError, match="cannot be opened"):
        open_handle(seal_key, who, event_id)


def test_a_sealed_handle_is_refused_elsewhere_or_altered() -> None:
    who = seal_handle(SEAL, HANDLE, "gw-1.a.1")
    refuses(SEAL, who, "gw-1.a.2")
    refuses(b"t" * 32, who, "gw-1.a.1")
    sealed = base64.urlsafe_b64decode(who)
    for place in range(len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        refuses(SEAL, base64.urlsafe_b64encode(altered).decode(), "gw-1.a.1")
    for broken in ("", "A", "AAAA", who[:-4], who + "AAAA", "*" * 60, who.replace("-", "+") + "é"):
        refuses(SEAL, broken, "gw-1.a.1")


def test_a_credential_survives_its_file_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    made = make_credential("agent", "gw-1")
    path = write_credential(folder, made)
    assert load_credential(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_only_agents_hold_member_keys() -> None:
    agent, display = make_credential("agent", "gw-1"), make_credential("display", "d-door")
    assert len(bytes.fromhex(agent.match_key or "")) == 16
    assert len(bytes.fromhex(agent.seal_key or "")) == 32
    assert (display.match_key, display.seal_key) == (None, None)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_secret_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = write_credential(tmp_path / "identity", make_credential("display", "d-door"))
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_credential(path)


@pytest.mark.parametrize("field", ["password", "match_key", "seal_key", "command_key"])
def test_a_secret_that_was_cut_short_is_refused(tmp_path: Path, field: str) -> None:
    """An empty password lets everybody in, and with an empty key everybody signs."""
    path = write_credential(tmp_path, made := make_credential("agent", "gw-1"))
    whole = path.read_text()
    for left in ("", "0f"):
        path.write_text(whole.replace(str(getattr(made, field)), left))
        with pytest.raises(ConfigError, match=field):
            load_credential(path)


def test_writing_again_replaces_the_whole_file_and_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, b"one, long")
    write_private(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("write", [write_credential, add_credential])
def test_a_secret_just_made_is_not_taken_away_by_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, Credential], Path | None]
) -> None:
    synced, fsync = [], os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(sorted(os.listdir(descriptor)) if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    monkeypatch.setattr(os, "fsync", noted)
    path = write(tmp_path, make_credential("display", "d-door"))
    assert path is not None
    assert synced == ["file", [path.name]], "its content, then its name"


def test_two_programs_writing_one_secret_at_once_neither_fail_nor_mix_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    contents = [letter * 20_000 for letter in (b"a", b"b")]

    def write(content: bytes) -> None:
        for _ in range(50):
            write_private(path, content)
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(2) as writers:
        list(writers.map(write, contents))
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
