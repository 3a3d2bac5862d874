"""What is said to a service manager, on both kinds of socket, and to nobody."""

import os
from pathlib import Path

import pytest

from broker_config.service_notify import ServiceNotifier
from tests.support.service_manager import service_manager


@pytest.mark.parametrize("abstract", [True, False])
async def test_everything_is_one_datagram_of_lines(tmp_path: Path, abstract: bool) -> None:
    with service_manager(None if abstract else tmp_path) as manager:
        notifier = ServiceNotifier.from_environment({"NOTIFY_SOCKET": manager.address})
        notifier.starting("compiling\nthis", 90)
        notifier.ready("on 1883")
        notifier.status("busy")
        notifier.alive()
        notifier.stopping()
        assert [await manager.hear() for _ in range(5)] == [
            ["STATUS=compiling this", "EXTEND_TIMEOUT_USEC=90000000"],
            ["READY=1", "STATUS=on 1883"],
            ["STATUS=busy"],
            ["WATCHDOG=1"],
            ["STOPPING=1", "STATUS=stopping"],
        ]


async def test_a_large_database_buys_more_time_to_open_it(tmp_path: Path) -> None:
    path = tmp_path / "tacet.db"
    with service_manager(None) as manager:
        notifier = ServiceNotifier.from_environment({"NOTIFY_SOCKET": manager.address})
        notifier.opening(path)
        with path.open("wb") as file:
            file.truncate(5_000_000_000)
        notifier.opening(path)
        assert [await manager.hear() for _ in range(2)] == [
            ["STATUS=opening tacet.db", "EXTEND_TIMEOUT_USEC=120000000"],
            ["STATUS=opening tacet.db", "EXTEND_TIMEOUT_USEC=5120000000"],
        ]


def test_without_a_manager_nothing_is_sent_or_said(caplog: pytest.LogCaptureFixture) -> None:
    notifier = ServiceNotifier.from_environment({})
    notifier.ready("on 1883")
    assert (notifier.watchdog_s, caplog.records) == (None, [])


def test_a_manager_that_is_gone_is_no_reason_to_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceNotifier(str(tmp_path / "nobody")).alive()
    assert "cannot be told WATCHDOG=1" in caplog.text


def test_the_children_inherit_nothing_of_it() -> None:
    environ = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "1", "WATCHDOG_PID": str(os.getpid()), "HOME": "/"}
    ServiceNotifier.from_environment(environ)
    assert environ == {"HOME": "/"}


@pytest.mark.parametrize(
    ("microseconds", "pid", "watchdog_s"),
    [
        ("15000000", "", 15.0),
        ("15000000", "our own", 15.0),
        ("15000000", "1", None),  # it watches another process
        ("0", "", None),
        ("soon", "", None),
    ],
)
def test_the_watchdog_watches_only_us(microseconds: str, pid: str, watchdog_s: float | None) -> None:
    watched = str(os.getpid()) if pid == "our own" else pid
    environ = {"WATCHDOG_USEC": microseconds, "WATCHDOG_PID": watched}
    assert ServiceNotifier.from_environment(environ).watchdog_s == watchdog_s
