"""Orders are the server's, to this receiver, on this topic, byte for byte; and a time is told by nobody else."""

import hashlib
import hmac
import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.command_mac import (
    NotAuthentic,
    append_mac,
    is_time_signed,
    open_command,
    receivers_of,
    sign_time,
)
from broker_config.site import load_site
from broker_config.topics import BY_NAME, TOPICS
from tests.support.edge import DEMO

TOPIC, ME, KEY, OTHER = "tacet/1/demo/display/d-door/moment/set", "display-d-door", b"k" * 32, b"o" * 32
ORDER = b'{"type":"x","data":{"version":[1,2],"on":true}}'
SIGNED = append_mac(TOPIC, ORDER, {"agent-gw-1": OTHER, ME: KEY})


def test_what_was_signed_comes_out_and_the_rest_still_reads_it() -> None:
    assert open_command(TOPIC, SIGNED, ME, KEY) == ORDER
    assert open_command(TOPIC, SIGNED, "agent-gw-1", OTHER) == ORDER
    assert SIGNED.startswith(ORDER[:-1] + b',"mac":"agent-gw-1:')


def test_the_code_is_rfc_2104_of_topic_and_bytes() -> None:
    code = hmac.new(KEY, TOPIC.encode() + b"\n" + ORDER, hashlib.sha256).hexdigest()[:32]
    assert SIGNED.endswith(f' display-d-door:{code}"}}'.encode())


@pytest.mark.parametrize(
    ("topic", "payload", "user", "key"),
    [
        (TOPIC, ORDER, ME, KEY),
        (TOPIC.replace("d-door", "d-shoes"), SIGNED, ME, KEY),
        (TOPIC.replace("set", "clear"), SIGNED, ME, KEY),
        (TOPIC, SIGNED, ME, OTHER),
        (TOPIC, SIGNED, "display-d-shoes", KEY),
        (TOPIC, SIGNED, "d-door", KEY),
        (TOPIC, SIGNED[:-1] + b',"data":{"on":false}}', ME, KEY),
        (TOPIC, SIGNED + b" ", ME, KEY),
        (TOPIC, append_mac(TOPIC, ORDER, {}), ME, KEY),
        (TOPIC, append_mac(TOPIC, ORDER, {ME: OTHER}), ME, KEY),
        (TOPIC, re.sub(rb"display-d-door:[0-9a-f]{32}", b"display-d-door:", SIGNED), ME, KEY),
        (TOPIC, b',"mac":"' + ME.encode() + b':"}', ME, KEY),
        (TOPIC, b"", ME, KEY),
    ],
)
def test_anything_else_is_refused(topic: str, payload: bytes, user: str, key: bytes) -> None:
    with pytest.raises(NotAuthentic):
        open_command(topic, payload, user, key)


@given(at=st.integers(0, len(SIGNED) - 1), byte=st.integers(0, 255))
def test_one_altered_byte_is_refused_or_not_ours_to_read(at: int, byte: int) -> None:
    altered = SIGNED[:at] + bytes([byte]) + SIGNED[at + 1 :]
    try:
        said = open_command(TOPIC, altered, ME, KEY)
    except NotAuthentic:
        return
    assert said == ORDER  # the change was in another receiver's code


@given(payload=st.binary(max_size=200))
def test_no_bytes_break_the_check(payload: bytes) -> None:
    with pytest.raises(NotAuthentic):
        open_command(TOPIC, payload, ME, KEY)


def test_every_order_of_the_table_is_signed_for_whoever_hears_it() -> None:
    site = load_site(DEMO / "site.toml")
    orders = [row for row in TOPICS if row.publisher == "server" and re.search(r"cmd|/set$|/clear$", row.pattern)]
    assert [row.name for row in orders if not row.signed] == []
    assert receivers_of(BY_NAME["actuator_cmd"], site, {"actuator": "lamp-s1"}) == ["agent-gw-1"]
    assert receivers_of(BY_NAME["edge_members"], site, {"agent": "gw-9"}) == ["agent-gw-9"]
    assert receivers_of(BY_NAME["txn_settled"], site, {}) == ["agent-gw-1"]
    ended = receivers_of(BY_NAME["visit_ended"], site, {})
    assert ended == ["agent-gw-1", *(f"display-{each.id}" for each in site.displays)]


def test_an_order_to_one_device_is_not_signed_for_the_agents_of_others() -> None:
    site = load_site(DEMO / "site.toml")
    moved = msgspec.structs.replace(site.actuators[0], id="lamp-x", agent="gw-2")
    site = msgspec.structs.replace(site, actuators=(*site.actuators, moved))
    assert receivers_of(BY_NAME["actuator_cmd"], site, {"actuator": site.actuators[0].id}) == ["agent-gw-1"]
    assert receivers_of(BY_NAME["actuator_cmd"], site, {"actuator": "lamp-x"}) == ["agent-gw-2"]


def test_a_time_counts_for_one_question_of_one_asker() -> None:
    mac = sign_time(ME, "ab" * 16, 1_795_000_000_000_000, KEY)
    assert is_time_signed(ME, "ab" * 16, 1_795_000_000_000_000, KEY, mac)
    assert not is_time_signed(ME, "ac" * 16, 1_795_000_000_000_000, KEY, mac)
    assert not is_time_signed(ME, "ab" * 16, 1_795_000_000_000_001, KEY, mac)
    assert not is_time_signed("agent-gw-1", "ab" * 16, 1_795_000_000_000_000, KEY, mac)
    assert not is_time_signed(ME, "ab" * 16, 1_795_000_000_000_000, OTHER, mac)
    assert not is_time_signed(ME, "ab" * 16, 1_795_000_000_000_000, KEY, "")
