"""The server's own secrets: made once, for their owner only, and never half of one."""

import pytest

from broker_config.errors import ConfigError
from server.secrets import load_secrets, read_owner_token


def test_secrets_are_made_once_and_for_their_owner_only(tmp_path):
    data = tmp_path / "store" / "data"
    made = load_secrets(data)
    assert load_secrets(data) == made
    assert data.stat().st_mode & 0o777 == 0o700
    for path in data.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert made.owner_token not in repr(made)
    (data / "owner.token").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_secrets(data)


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("card.keys", "abc"),
        ("card.keys", "a" * 126),
        ("card.keys", "a" * 130),
        ("owner.token", ""),
        ("owner.token", "\n"),
    ],
)
def test_a_secret_that_was_cut_short_is_named_and_not_used(tmp_path, name, left):
    """An owner token of no letters was shown by every caller that showed none."""
    load_secrets(tmp_path)
    (tmp_path / name).write_text(left)
    with pytest.raises(ConfigError, match=name):
        load_secrets(tmp_path)


def test_no_two_secrets_are_one(tmp_path):
    made, other = load_secrets(tmp_path / "a"), load_secrets(tmp_path / "b")
    keys = {made.card_key, made.card_hash_key, made.code_key, made.erasure_key, made.audit_key}
    assert [len(key) for key in keys] == [32] * 5
    assert not keys & {other.card_key, other.card_hash_key, other.code_key, other.erasure_key, other.audit_key}


def test_the_command_line_reads_no_token_that_others_can_read_or_that_nobody_made(tmp_path):
    with pytest.raises(ConfigError, match="start the server once"):
        read_owner_token(tmp_path)
    made = load_secrets(tmp_path)
    assert read_owner_token(tmp_path) == made.owner_token
    (tmp_path / "owner.token").chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_owner_token(tmp_path)
