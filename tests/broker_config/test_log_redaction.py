"""What names a person or opens a door is not in a log line; what an engineer needs is."""

import logging
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.log_redaction import HIDDEN, redact
from server.audit.chain import Anchor
from server.displays.pairing import hash_secret

CARD = "2d14257bf52cb6916d000000"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f"card {CARD} in zone door", CARD),
        (f"card {CARD.upper()}", CARD.upper()),
        (f"epc=b'{CARD}ab'", CARD),
        (f"tag {bytes.fromhex(CARD).hex(' ')}", "2d 14 25"),
        (f"tag {bytes.fromhex(CARD).hex(':')}", "2d:14:25"),
        ("row 7: em4100:0008075634 twice", "8075634"),
        ("printed 0008075634.", "0008075634"),
        ("nfc:04a1b2c3d4e5f6", "04a1b2c3"),
        ("no member 'm-1f2e3d4c5b6a7988'", "1f2e3d4c5b6a7988"),
        ("Authorization: Bearer abcdefghijkl", "abcdefghijkl"),
        ("{'authorization': 'Basic YWdlbnQ6cHc='}", "YWdlbnQ6cHc="),
        ("password = hunter22, user=x", "hunter22"),
        ('{"password":"hunter 22"}', "hunter 22"),
        ("owner_token='short'", "short"),
        ("Set-Cookie: tacet-display-d1=abc123; Path=/", "abc123"),
    ],
)
def test_a_secret_is_hidden(line, secret):
    assert secret not in redact(line)
    assert HIDDEN in redact(line)


@given(st.integers(24, 48))
def test_our_own_random_tokens_are_hidden_wherever_they_stand(size):
    token = secrets.token_urlsafe(size)
    if any(c.isdigit() for c in token) and any(c.islower() for c in token) and any(c.isupper() for c in token):
        assert token not in redact(f"GET /x?y={token} failed")


@pytest.mark.parametrize(
    "line",
    [
        "broker 127.0.0.1:1883: connected",
        "member table 29912345 of gw-1 offered",
        "outbox /var/lib/tacet/edge/outbox.sqlite: 12 events, generation 00112233aabbccdd",
        "2026-11-22T08:31:00.123456Z [warning] agent gw-1 lost: no such device; plug it in",
        "database /var/lib/tacet/server/tacet.db is damaged: set aside as tacet.db.corrupt-1795000000000000000",
        "compiling expire_and_forget_everything_that_is_over (7 of 19)",
        f"audit anchor {Anchor(41, hash_secret('x'))}; keep it: tacet audit verify --anchor",
    ],
)
def test_what_an_engineer_needs_stays(line):
    assert redact(line) == line


def test_at_debug_a_read_is_shown_and_a_password_is_not():
    assert redact(f"read {CARD}", logging.DEBUG) == f"read {CARD}"
    assert "hunter2" not in redact("password=hunter2", logging.DEBUG)


@pytest.mark.parametrize(
    "secret",
    [
        "2d14257b0123456789abcdef",
        "m-0123456789abcdef",
        "nfc:04:a2:b3:c4:d5:e6:f7",
        "nfc:04 a2 b3 c4 d5 e6 f7",
    ],
)
def test_a_number_that_looks_like_another_kind_of_number_inside_is_hidden_whole(secret):
    assert redact(f"no card {secret}; next") == f"no card {HIDDEN}; next"


def test_a_one_time_link_is_hidden_though_it_is_short():
    assert redact("GET /enter/cDIpitg2ybVLebXNJ-uqoQ?lang=en") == f"GET /enter/{HIDDEN}?lang=en"
