"""The topic table: every row has a message, every topic leads back to its row, and only state is retained."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker_config.messages import KINDS
from broker_config.site import is_level
from broker_config.topics import BY_NAME, TOPICS, Topic, parse_topic, topic_for

level = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)


def variable(row: Topic) -> str | None:
    return row.pattern[row.pattern.index("{") + 1 : row.pattern.index("}")] if "{" in row.pattern else None


@settings(max_examples=300)
@given(row=st.sampled_from(TOPICS), site=level, own=level)
def test_every_topic_leads_back_to_its_row(row: Topic, site: str, own: str) -> None:
    name = variable(row)
    topic = topic_for(row.name, site, **({name: own} if name else {}))
    assert parse_topic(topic) == (row, site, own if name else "")


@pytest.mark.parametrize("topic", ["", "tacet/1/demo", "tacet/2/demo/decision/made", "tacet/1/demo/decision", "$SYS/broker/uptime",
                                   "tacet/1/demo/decision/made/x", "tacet/1/demo/zone/a/item/eaten"])  # fmt: skip
def test_a_foreign_topic_has_no_row(topic: str) -> None:
    assert parse_topic(topic) is None


def test_names_and_patterns_are_each_their_own() -> None:
    assert len(BY_NAME) == len(TOPICS) == len({row.pattern for row in TOPICS})


def test_only_state_is_retained_and_only_agents_have_durable_events() -> None:
    for row in TOPICS:
        if row.retained:
            last = row.pattern.rsplit("/", 1)[-1]
            states = {"$state", "$description", "state", "count", "coverage", "set"}
            assert last in states or row.name == "privacy_receipt", row.name
            assert row.expiry_s is None, row.name
            assert row.name != "moment_set"
        if row.durable:
            assert (row.publisher, row.qos) == ("agent", 1), row.name


def test_fixed_levels_are_sound_levels() -> None:
    for row in TOPICS:
        for part in row.pattern.split("/"):
            assert part.startswith("{") or is_level(part.removeprefix("$")), row.name


def test_every_message_kind_has_a_row_and_a_type_of_its_own() -> None:
    assert len({kind.type_name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.topic in BY_NAME, kind.type_name
