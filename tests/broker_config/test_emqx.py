"""The files for EMQX, held to the same rules as Mosquitto's.  EMQX itself is not at hand: this is their form and their sense."""

import ast
import json
import re
from pathlib import Path, PurePosixPath

import pytest

from broker_config.access import Access
from broker_config.acl import Rights, is_filter
from broker_config.config import TlsListener
from broker_config.emqx import render_acl, render_config, settings
from broker_config.limits import MAX_CONNECTIONS
from broker_config.topics import TOPICS, user_name
from tests.support.brokers import DEMO_SITE

LISTENER = TlsListener(host="0.0.0.0", port=8883, names=("broker.store.example",))
FOLDER = PurePosixPath("/etc/emqx/tacet")
RULE = re.compile(r'\{allow, \{username, ("[^"]+")\}, (publish|subscribe), (\[.*\])\}\.')


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(DEMO_SITE, tmp_path / "identity")


def parse_hocon(text: str) -> dict[str, object]:
    """The part of HOCON that we write: comments, tables in braces, one `key = JSON value` per line."""
    root: dict[str, object] = {}
    open_tables = [root]
    for line in (line.strip() for line in text.splitlines()):
        if not line or line.startswith("#"):
            continue
        if line == "}":
            open_tables.pop()
        elif line.endswith(" {"):
            table: dict[str, object] = {}
            open_tables[-1][line.removesuffix(" {")] = table
            open_tables.append(table)
        else:
            key, _, value = line.partition(" = ")
            open_tables[-1][key] = json.loads(value)
    assert open_tables == [root], "a brace is missing"
    return root


def test_what_is_written_reads_back_as_what_was_meant() -> None:
    assert parse_hocon(render_config(LISTENER, FOLDER)) == settings(LISTENER, FOLDER)


def test_only_certificates_of_our_ca_open_the_one_listener_there_is() -> None:
    listeners = parse_hocon(render_config(LISTENER, FOLDER))["listeners"]
    assert isinstance(listeners, dict)
    closed = {
        (kind, name) for kind, own in listeners.items() for name, each in own.items() if each == {"enable": False}
    }
    assert closed == {("tcp", "default"), ("ws", "default"), ("wss", "default"), ("ssl", "default")}
    tls = listeners["ssl"]["tacet"]["ssl_options"]
    assert (tls["verify"], tls["fail_if_no_peer_cert"]) == ("verify_peer", True)
    assert set(tls["versions"]) == {"tlsv1.2", "tlsv1.3"}
    assert tls["cacertfile"] == "/etc/emqx/tacet/ca.pem"


def test_user_and_client_id_are_the_certificates_and_nothing_is_allowed_by_default() -> None:
    config = parse_hocon(render_config(LISTENER, FOLDER))
    mqtt, authorization = config["mqtt"], config["authorization"]
    assert isinstance(mqtt, dict)
    assert isinstance(authorization, dict)
    assert mqtt["peer_cert_as_username"] == mqtt["peer_cert_as_clientid"] == "cn"
    assert mqtt["max_packet_size"] == "65KB"
    assert authorization["no_match"] == "deny"
    assert authorization["sources"] == [{"type": "file", "enable": True, "path": "/etc/emqx/tacet/acl.conf"}]


def test_no_client_fills_the_broker_and_every_client_of_ours_fits() -> None:
    config = parse_hocon(render_config(LISTENER, FOLDER))
    mqtt, listeners = config["mqtt"], config["listeners"]
    assert isinstance(mqtt, dict)
    assert isinstance(listeners, dict)
    assert listeners["ssl"]["tacet"]["max_connections"] == MAX_CONNECTIONS
    assert mqtt["max_clientid_len"] >= len(user_name("display", "d" * 40))
    assert mqtt["max_topic_levels"] >= max(len(row.pattern.split("/")) for row in TOPICS)
    assert mqtt["max_qos_allowed"] == max(row.qos for row in TOPICS)
    assert (mqtt["max_mqueue_len"], mqtt["mqueue_store_qos0"]) == (10_000, False)
    for guard in ("flapping_detect", "force_shutdown"):
        assert config[guard]["enable"], guard  # type: ignore[index]


def parse_acl(text: str) -> dict[str, Rights]:
    """`acl.conf` back as rights; every term of it must be one of ours."""
    head, *rules, last = text.splitlines()
    assert head.startswith("%%")
    assert last == "{deny, all}."
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for rule in rules:
        match = RULE.fullmatch(rule)
        assert match, rule
        user, action, topics = match.groups()
        found.setdefault(json.loads(user), {})[action] = tuple(ast.literal_eval(topics))
    return {user: Rights(own.get("publish", ()), own.get("subscribe", ())) for user, own in found.items()}


def test_the_acl_says_of_each_user_what_mosquittos_says(access: Access) -> None:
    rights = parse_acl(render_acl(access.rights))
    assert rights == access.rights
    assert all(is_filter(topic) for own in rights.values() for topic in (*own.publish, *own.subscribe))


def test_where_emqx_takes_a_wider_filter_there_is_no_topic_below(access: Access) -> None:
    """It lets `x/#` pass for `x/+`, so nobody may publish anything deeper than an allowed filter's last `+`."""
    published = [topic for own in access.rights.values() for topic in own.publish]
    for own in access.rights.values():
        for wide in (topic for topic in own.subscribe if topic.endswith("/+")):
            prefix = wide.removesuffix("+").split("/")[:-1]
            deeper = [topic for topic in published if topic.split("/")[: len(prefix)] == prefix]
            assert all(len(topic.split("/")) == len(prefix) + 1 for topic in deeper), wide
