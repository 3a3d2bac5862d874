"""Mosquitto's generated files, and that the real program takes them."""

import asyncio
import base64
import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker_config.access import Access
from broker_config.config import TlsListener
from broker_config.errors import ConfigError
from broker_config.mosquitto.conf import render_listeners
from broker_config.mosquitto.files import USER, can_reach, hash_password, render_config, write_files
from tests.support.brokers import DEMO_SITE, running_broker
from tests.support.patience import WAIT_S
from tests.support.programs import program

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def test_a_hash_has_mosquittos_form_and_a_salt_of_its_own() -> None:
    assert re.fullmatch(r"\$7\$101\$[A-Za-z0-9+/]{16}\$[A-Za-z0-9+/]{86}==", hash_password("secret"))
    assert hash_password("secret") != hash_password("secret")


def test_the_hash_is_the_one_mosquitto_passwd_makes(tmp_path: Path) -> None:
    """Same salt and rounds in, same hash out."""
    tool = program("mosquitto_passwd")
    file = tmp_path / "passwords"
    subprocess.run([tool, "-c", "-b", str(file), "user", "secret"], check=True, timeout=20, capture_output=True)
    _, _, rounds, salt, digest = file.read_text().strip().split("$")
    expected = hashlib.pbkdf2_hmac("sha512", b"secret", base64.b64decode(salt), int(rounds))
    assert base64.b64decode(digest) == expected
    assert (int(rounds), len(base64.b64decode(salt))) == (101, 12)


def test_the_configuration_opens_one_listener_and_lets_no_stranger_in(tmp_path: Path) -> None:
    files = write_files(tmp_path, "127.0.0.1", 1883, Access(DEMO_SITE, tmp_path / "identity"))
    lines = render_config(files, "127.0.0.1", 1883).splitlines()
    assert [line for line in lines if line.startswith("listener")] == ["listener 1883 127.0.0.1"]
    assert "allow_anonymous false" in lines
    assert "set_tcp_nodelay true" in lines
    assert "sys_interval 0" in lines
    assert not [line for line in lines if "websockets" in line]


def test_a_data_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, no folder")
    with pytest.raises(ConfigError, match="data"):
        write_files(tmp_path / "data", "127.0.0.1", 1883, Access(DEMO_SITE, tmp_path / "identity"))


def test_no_file_holds_a_password_or_can_be_read_by_others(tmp_path: Path) -> None:
    access = Access(DEMO_SITE, tmp_path / "identity")
    files = write_files(tmp_path / "data", "127.0.0.1", 1883, access)
    text = files.passwords.read_text() + files.config.read_text() + files.acl.read_text()
    assert not [user for user, password in access.passwords.items() if password in text]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files.passwords, files.config, files.acl)} == {0o600}
    assert stat.S_IMODE(files.folder.stat().st_mode) == 0o700


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder every user can reach; pytest's own are private to the user who runs it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@needs_root
async def test_as_root_it_runs_as_its_own_user_where_that_user_reaches_the_folder(reachable: Path) -> None:
    program("mosquitto")
    (reachable / "data").mkdir()
    async with running_broker(reachable, engine="mosquitto"):
        folder = reachable / "data" / "mosquitto"
        assert folder.owner() == USER
        assert "user root" not in (folder / "mosquitto.conf").read_text()
        assert mosquitto_owner(folder) == pwd.getpwnam(USER).pw_uid
    async with running_broker(reachable, engine="mosquitto"):
        assert mosquitto_owner(folder) == pwd.getpwnam(USER).pw_uid, "it starts again on its own files"


@needs_root
async def test_as_root_it_stays_root_where_its_user_cannot_reach_the_folder(reachable: Path) -> None:
    program("mosquitto")
    home = reachable / "home"
    home.mkdir(mode=0o700)
    async with running_broker(home, engine="mosquitto"):
        folder = home / "data" / "mosquitto"
        assert "user root" in (folder / "mosquitto.conf").read_text()
        assert mosquitto_owner(folder) == 0
        assert stat.S_IMODE(home.stat().st_mode) == 0o700, "the folder was not opened for it"


def mosquitto_owner(folder: Path) -> int:
    """The user id of the Mosquitto that runs from `folder`."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder / "mosquitto.conf").encode() in (process / "cmdline").read_bytes():
                return process.stat().st_uid
        except (FileNotFoundError, ProcessLookupError):
            continue
    raise AssertionError("it does not run")


async def test_retained_state_survives_a_restart(tmp_path: Path) -> None:
    topic = "tacet/1/demo/display/d-door/base/set"
    async with running_broker(tmp_path, engine="mosquitto") as broker, broker.client("server") as server:
        await server.publish(topic, b"kept", qos=1, retain=True)
    async with running_broker(tmp_path, engine="mosquitto") as again, again.client("display-d-door") as display:
        await display.subscribe(topic, qos=1)
        async with asyncio.timeout(WAIT_S):
            assert (await anext(display.messages)).payload == b"kept"


@needs_root
def test_reach_is_judged_folder_by_folder(reachable: Path) -> None:
    program("mosquitto")
    inner = reachable / "a" / "b"
    inner.mkdir(parents=True)
    assert can_reach(inner, USER)
    (reachable / "a").chmod(0o700)
    assert not can_reach(inner, USER)
    (reachable / "a").chmod(0o711)
    assert can_reach(inner, USER)
    os.chown(reachable / "a", pwd.getpwnam(USER).pw_uid, 0)
    (reachable / "a").chmod(0o077)
    assert not can_reach(inner, USER), "the owner's bits count for the owner, not the others'"
    assert not can_reach(inner, "nobody-of-this-name")


def test_the_networks_listener_takes_certificates_alone_and_new_tls(tmp_path: Path) -> None:
    """OpenSSL's own defaults refuse old TLS on most machines; ours must on all."""
    door = TlsListener(host="0.0.0.0", port=8883, names=("broker.store.example",))
    plain, network = (
        " ".join(part) for part in split_at_listeners(render_listeners("127.0.0.1", 1883, door, tmp_path))
    )
    assert plain.startswith("listener 1883 127.0.0.1")
    assert "certificate" not in plain
    assert network.startswith("listener 8883 0.0.0.0")
    for line in ("tls_version tlsv1.2", "require_certificate true", "use_identity_as_username true",
                 "use_username_as_clientid true", f"crlfile {tmp_path}/crl.pem", "max_connections 1000"):  # fmt: skip
        assert line in network


def split_at_listeners(lines: list[str]) -> list[list[str]]:
    """Each listener's own lines."""
    starts = [at for at, line in enumerate(lines) if line.startswith("listener ")]
    return [lines[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
