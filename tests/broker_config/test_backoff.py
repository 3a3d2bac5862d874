"""How long gateways wait before they try again, alone and in a crowd."""

import random

import pytest

import broker_config.backoff
from broker_config.backoff import FIRST_S, MAX_S, Backoff


def first_s(gateways: int) -> list[float]:
    """The first delay of each of so many."""
    return [Backoff.among(gateways).next_delay_s() for _ in range(gateways)]


@pytest.mark.parametrize("gateways", [1, 2])
def test_a_gateway_or_two_are_back_at_once(gateways: int) -> None:
    assert max(first_s(gateways)) <= FIRST_S


@pytest.mark.parametrize("gateways", [10, 100, 300])
def test_a_crowd_does_not_return_in_step(gateways: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_config.backoff.random, "uniform", random.Random(1).uniform)
    delays_s = first_s(gateways)
    assert max(sum(start <= each < start + 1 for each in delays_s) for start in delays_s) <= 20
    waits = Backoff.among(gateways)
    longest_s = [max(waits.next_delay_s() for _ in range(200)) for _ in range(2)]
    assert all(max(MAX_S, 3 * gateways / 8) / 2 < each <= max(MAX_S, 3 * gateways / 8) for each in longest_s)
