"""The fence: only a newer, timely command for the right target acts, whatever the network does with the messages."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.command_mac import NotAuthentic, append_mac, open_command
from broker_config.messages import ActuatorCommand, Envelope, decode, encode
from broker_config.site import ActuatorId
from edge.actuators.fence import MAX_AHEAD_NS, MAX_OUTCOMES, MAX_TTL_MS, Fence, Outcome, judge
from edge.clock import NS_PER_S, to_ns
from edge.server_clock import ServerTime

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOW_NS = to_ns(NOW)
KNOWN = ServerTime(NOW_NS, NOW_NS)
TOPIC, ME, KEY, OTHERS_KEY = "tacet/1/demo/actuator/lamp/cmd", "agent-gw-1", b"k" * 32, b"o" * 32


def command(
    version: tuple[int, int] = (2, 5), age_s: float = 0, ttl_ms: int = 2000, target: str = "lamp", *, on: bool = True
) -> ActuatorCommand:
    return ActuatorCommand(
        actuator=ActuatorId(target),
        version=version,
        decision="d",
        on=on,
        issued_at=NOW - timedelta(seconds=age_s),
        ttl_ms=ttl_ms,
    )


@pytest.mark.parametrize(
    ("given_command", "verdict"),
    [
        (command(), "act"),
        (command(version=(3, 0)), "act"),
        (command(target="gate"), "wrong-target"),
        (command(version=(2, 4)), "repeat"),
        (command(version=(1, 7)), "repeat"),
        (command(version=(2, 3)), "stale"),
        (command(version=(1, 99)), "stale"),
        (command(age_s=2), "act"),
        (command(age_s=2.001), "expired"),
        (command(ttl_ms=0), "expired"),
        (command(ttl_ms=-5), "expired"),
        (command(ttl_ms=1), "act"),
        (command(ttl_ms=MAX_TTL_MS), "act"),
        (command(ttl_ms=MAX_TTL_MS + 1), "expired"),
        (command(age_s=-0.5), "act"),
        (command(age_s=-MAX_AHEAD_NS / NS_PER_S), "act"),
        (command(age_s=-(MAX_AHEAD_NS / NS_PER_S + 0.001)), "ahead"),
        (command(version=(2, 4), age_s=100), "repeat"),
    ],
)
def test_each_command_meets_its_verdict(given_command: ActuatorCommand, verdict: str) -> None:
    fence = Fence((2, 4), None, "done", (Outcome((1, 7), "expired"),))
    assert judge(given_command, "lamp", fence, KNOWN) == verdict


def test_a_wide_bound_makes_a_command_older_never_younger() -> None:
    wide = ServerTime(NOW_NS - NS_PER_S, NOW_NS + NS_PER_S)
    assert judge(command(age_s=1), "lamp", Fence(), wide) == "act"
    assert judge(command(age_s=1.001), "lamp", Fence(), wide) == "expired"


def test_without_the_servers_time_nothing_new_acts_and_retries_are_still_answered() -> None:
    fence = Fence((2, 4), None, "done")
    assert judge(command(version=(2, 5)), "lamp", fence, None) == "unsynced"
    assert judge(command(version=(2, 4)), "lamp", fence, None) == "repeat"


def test_a_command_whose_outcome_a_crash_took_is_not_done_again() -> None:
    fence = Fence().begin((2, 5), "d")
    assert judge(command(version=(2, 5)), "lamp", fence, KNOWN) == "repeat"
    assert fence.answer((2, 5)) is None, "nobody knows"
    assert fence.end("done").answer((2, 5)) == "done"


def test_outcomes_are_remembered_up_to_a_limit() -> None:
    fence = Fence()
    for count in range(1, MAX_OUTCOMES + 3):
        fence = fence.begin((1, count), None).end("done")
    assert fence.answer((1, 1)) is None
    assert fence.answer((1, 2)) == "done"
    assert len(fence.outcomes) == MAX_OUTCOMES


@dataclass
class Receiver:
    """An agent as far as a command is concerned; what it does is written down outside of it."""

    fence: Fence = field(default_factory=Fence)
    acted: list[tuple[tuple[int, int], bool]] = field(default_factory=list)

    def take(self, topic: str, payload: bytes, now_ns: int | None) -> None:
        try:
            said = decode(open_command(topic, payload, ME, KEY)).data
        except NotAuthentic:
            return
        assert isinstance(said, ActuatorCommand)
        now = None if now_ns is None else ServerTime(now_ns, now_ns)
        if judge(said, "lamp", self.fence, now) == "act":
            self.fence = self.fence.begin(said.version, said.decision).end("done")
            self.acted.append((said.version, said.on))


def sealed(said: ActuatorCommand, key: bytes = KEY, topic: str = TOPIC) -> bytes:
    envelope = Envelope(specversion="1.0", id="1", source="s", type=said.type_name, time=said.issued_at, data=said)
    return append_mac(topic, encode(envelope), {ME: key})


TAMPER = st.sampled_from(["no", "no", "no", "unsigned", "another key", "another topic", "altered", "appended"])


@st.composite
def networks(draw: st.DrawFn) -> tuple[list[bytes], list[tuple[str, bytes, float | None]]]:
    """What the server said, a command a second from 0; and what arrives: (topic, payload, at which second, None: unsynced)."""
    count = draw(st.integers(1, 6))
    orders = [command((1, n), age_s=-n, on=draw(st.booleans())) for n in range(1, count + 1)]
    good = [sealed(order) for order in orders]
    arrivals: list[tuple[str, bytes, float | None]] = []
    for _ in range(draw(st.integers(0, 25))):
        n = draw(st.integers(0, count - 1))
        at = draw(st.one_of(st.none(), st.floats(n + 1, n + 8)))
        match draw(TAMPER):
            case "no":
                arrivals.append((TOPIC, good[n], at))
            case "unsigned":
                arrivals.append((TOPIC, good[n].partition(b',"mac"')[0] + b"}", at))
            case "another key":
                arrivals.append((TOPIC, sealed(command((9, n), age_s=-n - 1), OTHERS_KEY), at))
            case "another topic":
                arrivals.append((TOPIC, sealed(command((9, n), age_s=-n - 1), topic=TOPIC + "x"), at))
            case "altered":
                arrivals.append((TOPIC, good[n].replace(b'"ttl_ms":2000', b'"ttl_ms":9000'), at))
            case "appended":
                arrivals.append((TOPIC, good[n][:-1] + b',"data":{"version":[9,9]}}', at))
    return good, arrivals


@given(networks())
def test_whatever_order_repeats_and_forgeries_come_the_newest_valid_command_stands_and_each_acts_once(
    network: tuple[list[bytes], list[tuple[str, bytes, float | None]]],
) -> None:
    good, arrivals = network
    receiver = Receiver()
    valid: list[tuple[tuple[int, int], bool]] = []
    for topic, payload, at_s in arrivals:
        receiver.take(topic, payload, None if at_s is None else NOW_NS + round(at_s * NS_PER_S))
        if payload in good and at_s is not None:
            n = good.index(payload) + 1
            if n - MAX_AHEAD_NS / NS_PER_S <= at_s <= n + 2:
                said = decode(payload).data
                assert isinstance(said, ActuatorCommand)
                valid.append(((1, n), said.on))
    versions = [version for version, _ in receiver.acted]
    assert versions == sorted(set(versions)), "done twice, or out of order"
    assert set(receiver.acted) <= set(valid), "a replayed, late or altered command acted"
    assert receiver.acted[-1:] == ([max(valid)] if valid else []), "the newest valid command does not stand"
