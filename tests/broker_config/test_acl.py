"""The ACL's rules, held to a brute-force oracle over every short topic."""

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.acl import Rights, is_filter, is_within, matches, render_acl_file, rights_of
from broker_config.identity import make_credential
from broker_config.site import load_site
from broker_config.topics import Party, parse_topic
from tests.support.brokers import DEMO_SITE

LEVELS = ["", "a", "b", "$s", "z"]
"""`z` stands for any level that no filter names."""
TOPICS = ["/".join(levels) for n in range(1, 6) for levels in itertools.product(LEVELS, repeat=n) if levels != ("",)]
filters = st.lists(st.sampled_from(["", "a", "b", "$s", "+", "#"]), min_size=1, max_size=4).map("/".join)


def oracle_matches(topic: str, topic_filter: str) -> bool:
    """Section 4.7 of MQTT 3.1.1, one rule a line."""

    def walk(levels: list[str], wanted: list[str]) -> bool:
        if wanted == ["#"]:
            return True
        if not levels or not wanted:
            return not levels and not wanted
        return wanted[0] in ("+", levels[0]) and walk(levels[1:], wanted[1:])

    if topic[0] == "$" and topic_filter[0] in "+#":
        return False
    return walk(topic.split("/"), topic_filter.split("/"))


def is_sound(topic_filter: str) -> bool:
    return topic_filter != "" and "#" not in topic_filter[:-1]


@given(filters)
def test_a_filter_matches_exactly_the_topics_the_standard_says(topic_filter: str) -> None:
    assert is_filter(topic_filter) == is_sound(topic_filter)
    for topic in TOPICS[:400]:
        assert matches(topic, topic_filter) == (is_sound(topic_filter) and oracle_matches(topic, topic_filter)), topic


@given(filters.filter(is_sound), filters.filter(is_sound))
def test_within_means_every_topic_of_the_one_is_a_topic_of_the_other(inner: str, outer: str) -> None:
    expected = all(oracle_matches(topic, outer) for topic in TOPICS if oracle_matches(topic, inner))
    assert is_within(inner, outer) == expected


@pytest.mark.parametrize(
    ("inner", "outer", "within"),
    [
        ("x/#", "x/+", False),
        ("x/+", "x/#", True),
        ("x", "x/#", True),
        ("x/#", "x/+/#", False),
        ("#", "+/#", True),
        ("+/#", "#", True),
        ("#", "+", False),
        ("$SYS/a", "#", False),
        ("$SYS/a", "+/a", False),
        ("$SYS/+", "$SYS/#", True),
        ("$share/g/x/+", "x/+", False),
        ("x//y", "x/+/y", True),
        ("x/y#", "x/#", False),
        ("x/#/y", "x/#", False),
        ("", "#", False),
        ("x\0", "#", False),
    ],
)
def test_known_traps_of_inclusion(inner: str, outer: str, within: bool) -> None:
    assert is_within(inner, outer) is within


@pytest.mark.parametrize("topic", ["x/+", "x/#", "+", "#", "", "x/a+", "x/\0"])
def test_a_wildcard_in_a_publish_topic_never_matches(topic: str) -> None:
    assert not Rights(publish=("x/+", "#", "x/#"), subscribe=()).is_allowed_publish(topic)


def rights(party: Party, own_id: str) -> Rights:
    return rights_of(make_credential(party, own_id), load_site(DEMO_SITE))


def test_an_agent_speaks_for_its_own_places_only() -> None:
    own = rights("agent", "gw-1")
    assert own.is_allowed_publish("tacet/1/demo/zone/shoes/visit/entered")
    assert own.is_allowed_subscribe("tacet/1/demo/actuator/lamp-s1/cmd")
    for topic in (
        "tacet/1/demo/edge/gw-2/$state",
        "tacet/1/demo/zone/elsewhere/visit/entered",
        "tacet/1/demo/actuator/lamp-s1/cmd",
        "tacet/1/other/edge/gw-1/$state",
        "tacet/1/demo/edge//$state",
    ):
        assert not own.is_allowed_publish(topic), topic
    for wanted in ("tacet/1/demo/edge/+/ack", "tacet/1/demo/#", "tacet/1/demo/zone/shoes/visit/entered"):
        assert not own.is_allowed_subscribe(wanted), wanted


def test_a_display_hears_its_own_moments_only() -> None:
    own = rights("display", "d-door")
    assert own.is_allowed_subscribe("tacet/1/demo/display/d-door/moment/set")
    assert not own.is_allowed_subscribe("tacet/1/demo/display/d-shoes/moment/set")
    assert not own.is_allowed_subscribe("tacet/1/demo/display/+/moment/set")
    assert not own.is_allowed_subscribe("tacet/1/demo/display/d-door/#")


def test_only_the_server_says_what_is_sold_and_only_agents_hear_it() -> None:
    settled = "tacet/1/demo/txn/settled"
    parties = {"server": rights("server", ""), "agent": rights("agent", "gw-1"), "client": rights("client", "watch")}
    parties["display"] = rights("display", "d-door")
    assert [name for name, own in parties.items() if own.is_allowed_publish(settled)] == ["server"]
    assert [name for name, own in parties.items() if own.is_allowed_receive(settled)] == ["agent"]


def test_a_plain_client_hears_how_many_but_not_who_nor_what() -> None:
    watch = rights("client", "watch")
    assert watch.is_allowed_receive("tacet/1/demo/zone/shoes/count")
    assert watch.is_allowed_receive("tacet/1/demo/zone/shoes/coverage")
    for what in ("visit/entered", "visit/dwelled", "visit/left", "item/arrived"):
        assert not watch.is_allowed_receive(f"tacet/1/demo/zone/shoes/{what}")
    assert not watch.is_allowed_publish("tacet/1/demo/zone/shoes/count")


def every_filter() -> Iterator[tuple[Party, str]]:
    for party, own_id in (("server", "server"), ("agent", "gw-1"), ("display", "d-door"), ("client", "watch")):
        own = rights(party, own_id)  # type: ignore[arg-type]
        for topic_filter in own.publish + own.subscribe:
            yield party, topic_filter  # type: ignore[misc]


def test_no_filter_reaches_beyond_the_site_or_the_topic_table() -> None:
    for party, topic_filter in every_filter():
        assert "#" not in topic_filter
        assert topic_filter.startswith("tacet/1/demo/")
        assert parse_topic(topic_filter.replace("+", "x")) is not None, (party, topic_filter)


def test_the_acl_file_names_each_user_and_gives_strangers_nothing() -> None:
    text = render_acl_file({"display-d-door": rights("display", "d-door"), "client-watch": rights("client", "watch")})
    before_users, door, watch = text.split("\nuser ")
    assert "topic" not in before_users.split("\n", 1)[1]
    assert "topic read tacet/1/demo/display/d-door/moment/set" in door
    assert "topic write tacet/1/demo/display/d-door/shown" in door
    assert "moment" not in watch
    assert "topic write" not in watch
