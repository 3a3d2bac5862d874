"""Time series: a real server takes them; a dead or slow one is never waited for."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from broker_config.messages import EdgeStats, SensorReport
from broker_config.site import load_site
from server.config import load_config
from server.decoding import MessageReader
from server.link import Incoming
from server.runtime import opened
from tests.server.harness import DEMO, RIVER, Clock, Edge, token, write_store
from tests.support.brokers import free_port
from tests.support.patience import WAIT_S, eventually
from tests.support.programs import program


def with_influx(folder: Path, url: str) -> Path:
    path = write_store(folder)
    path.write_text(f'{path.read_text()}\n[influx]\nurl = "{url}"\ntoken = "t"\norg = "o"\nbucket = "b"\n')
    return path


@asynccontextmanager
async def store_with(folder: Path, url: str) -> AsyncIterator[Edge]:
    """A server that writes its time series to `url`."""
    clock = Clock(time.time_ns())  # the time-series server refuses what is too far away
    config = load_config(with_influx(folder, url))
    async with opened(config, load_site(folder / "site.toml"), clock) as state:
        await state.members.import_csv((folder / "members.csv").read_text())
        yield Edge(state, clock)


@asynccontextmanager
async def victoria_metrics(folder: Path) -> AsyncIterator[str]:
    """A real one; its address."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        program("victoria-metrics"), f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={folder}",
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(timeout=WAIT_S) as client, asyncio.timeout(WAIT_S):
            while True:
                try:
                    if (await client.get(f"{url}/health")).is_success:
                        break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.system
async def test_events_and_health_arrive_at_a_real_server_and_name_nobody(tmp_path):
    async with victoria_metrics(tmp_path / "vm") as url:
        async with store_with(tmp_path, url) as edge:
            await edge.visit(RIVER, "door", token(1))
            (moment,) = edge.moments()
            await edge.deliver(edge.shown(moment), edge.picked(), edge.said(stats(), agent="gw-1"))
            counters = edge.state.telemetry.counters
            await eventually(lambda: counters.written == 4)
            assert (counters.dropped, counters.errors) == (0, 0)
        async with httpx.AsyncClient(timeout=WAIT_S) as client:
            await client.get(f"{url}/internal/force_flush")
            told = (await client.get(f"{url}/api/v1/export", params={"match[]": '{site="demo"}'})).text
    assert '"__name__":"tacet_visit_entered_rssi_dbm"' in told
    assert '"__name__":"tacet_edge_stats_reads"' in told
    assert '"__name__":"tacet_shelf_pick_delta_g"' in told
    assert '"zone":"door"' in told
    for secret in (RIVER, token(1), "River", moment.decision):
        assert secret not in told


def stats() -> EdgeStats:
    return EdgeStats(
        reads=77, reads_per_s=1.0, present_items=0, present_visits=0, strays=0, bad_frames=0, dropped_reads=0,
        events=0, outbox=0, dropped_events=0, members_version=1, member_lease_s=1, counters={"late reads": 3},
    )  # fmt: skip


async def test_a_dead_server_costs_no_decision_and_is_counted(tmp_path):
    async with store_with(tmp_path, f"http://127.0.0.1:{free_port()}") as edge:
        await edge.visit(RIVER, "door", token(1))
        assert edge.moments()
        counters = edge.state.telemetry.counters
        await eventually(lambda: counters.errors == 1)
        assert (counters.dropped, counters.written) == (1, 0)
        await edge.visit(RIVER, "shoes", token(1))
        assert edge.moments()


async def test_a_server_that_takes_and_never_answers_costs_no_decision(tmp_path):
    taken = asyncio.Event()
    release = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        taken.set()
        await release.wait()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with store_with(tmp_path, f"http://127.0.0.1:{port}") as edge:
        await edge.visit(RIVER, "door", token(1))
        async with asyncio.timeout(WAIT_S):
            await taken.wait()
        for zone in ("shoes", "fitting"):
            await edge.visit(RIVER, zone, token(1))
        assert len(edge.moments()) == 3
        release.set()
    server.close()
    await server.wait_closed()


async def test_a_full_buffer_drops_the_oldest_and_counts_it(tmp_path, monkeypatch):
    import server.influx as influx

    monkeypatch.setattr(influx, "MAX_WAITING", 3)
    async with store_with(tmp_path, f"http://127.0.0.1:{free_port()}") as edge:
        await edge.deliver(*(edge.picked() for _ in range(5)))
        assert edge.state.telemetry.counters.dropped == 2


async def test_a_number_or_time_that_no_series_holds_does_not_end_the_series(tmp_path):
    async with store_with(tmp_path, f"http://127.0.0.1:{free_port()}") as edge:
        sink = edge.state.telemetry
        ancient = msgspec.json.decode(edge.said(stats(), agent="gw-1").payload) | {"time": "1900-01-01T00:00:00Z"}
        said = edge.said(msgspec.structs.replace(stats(), reads=10**400), agent="gw-1")
        await edge.deliver(said, Incoming(said.topic, msgspec.json.encode(ancient), said.received_ns))
        await eventually(lambda: sink.counters.dropped == 2)
        await edge.deliver(edge.picked())
        await eventually(lambda: not sink._waiting)


def test_a_line_has_numbers_and_places_and_no_names(tmp_path, store, clock):
    import server.influx as influx

    reader = MessageReader(load_site(DEMO / "site.toml"))
    edge = Edge.__new__(Edge)
    edge.clock, edge.agent = clock, "gw-1"
    sensed = SensorReport(id="p-desk", zone="desk", occupied=True, since=datetime.now(UTC), distance_cm=80)
    told = msgspec.structs.replace(stats(), sensors=(sensed,))
    line = influx.to_line(reader.read(Edge.said(edge, told, agent="gw-1")), "demo")
    assert line.startswith("tacet_edge_stats,agent=gw-1,site=demo count=1i,reads=77.0,")
    assert "late\\ reads=3.0" in line
    assert "desk" not in line, "nobody keeps what a sensor sensed"
    assert line.endswith(f" {clock.now_ns}")


async def test_without_the_section_the_client_is_not_even_imported(state):
    import subprocess
    import sys

    code = "import sys, server.app, server.runtime; sys.exit('influxdb_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=DEMO.parents[1]).returncode == 0
