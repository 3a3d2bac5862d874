"""The fault matrix: every fault that a store may meet, by number, and why one that no row injects is not injected.

A reason that names a test file: the behaviour is held there, but without the figures of a run.  A row takes its fault's
line away from here.
"""

from tests.faults.report import NotRun

PROXY = "needs the fault-injecting TCP proxy, which is not built yet"
SIMULATION = "needs the deterministic simulation of edge, broker and server, which is not built yet"
KILLS = "needs the loop that kills real processes, which is not built yet"
SOAK = "needs a long run on real processes, which the rig does not have yet"

NOT_RUN: tuple[tuple[int, str, str], ...] = (
    (1, "serial garbage", "held by tests/readers/test_framing.py and tests/fuzz; not counted here yet"),
    (2, "partial, split and merged frames", "held by tests/readers/test_framing.py; not counted here yet"),
    (3, "a length field that lies", "held by tests/readers/test_framing.py; not counted here yet"),
    (4, "unplugged and replugged, another port name", "held by tests/edge/test_replug.py; not counted here yet"),
    (5, "a stuck serial port, open and silent", "held by tests/edge/test_health.py; not counted here yet"),
    (6, "a reader's brown-out", "held by tests/readers/mercury, one driver; not counted here yet"),
    (7, "a port opened by two processes", "held by tests/simulators/test_pty_host.py; not counted here yet"),
    (8, "a slow host, buffers overrun", "needs a load on the processor, which the rig does not make yet"),
    (12, "the broker is away for an hour", SIMULATION),
    (13, "the broker restarts and has forgotten", KILLS),
    (14, "the broker's queue overflows", "needs a run against Mosquitto with the server away, which is not built yet"),
    (15, "messages delivered twice", "held by tests/server/test_inbox.py; across the network: " + PROXY),
    (16, "messages out of order", "held by tests/server/test_inbox.py; not counted here yet"),
    (17, "the network flaps, half-open connections", PROXY),
    (18, "a slow link", PROXY),
    (22, "the agent is killed in the middle of a write", "held by tests/edge/test_outbox_store.py, 5 kills; more: " + KILLS),
    (25, "a burst of a hundred times the rate", SOAK),
    (26, "ten million stray tags", "measured by `tacet bench flood`; what reaches the disk is not looked at yet"),
    (27, "malformed messages", "held by tests/server/test_inbox.py and tests/fuzz; not counted here yet"),
    (28, "oversized messages", "held by tests/broker_config/test_attacks.py; memory is not measured yet"),
    (30, "two agents with one identity", "two processes, one broker: the rig does not start them yet"),
    (32, "a slow consumer", PROXY),
    (36, "the server is killed between commit and acknowledgement", "held by tests/server/test_inbox.py, once; more: " + KILLS),
    (37, "PostgreSQL fails over", "the server has no PostgreSQL store"),
    (38, "the server is restored from yesterday's backup", "held by tests/edge/test_outbox_store.py; not counted here yet"),
    (39, "the agent hangs", "needs a service manager of the rig's own, which is not built yet"),
    (40, "the first compilation is slower than the watchdog", "needs a service manager of the rig's own, which is not built yet"),
    (42, "leaks over seven days", SOAK),
)  # fmt: skip


def not_run() -> list[NotRun]:
    """A line for each fault that is not injected, with the reason."""
    return [NotRun(numbers=(number,), fault=fault, why=why) for number, fault, why in NOT_RUN]
