"""Time series through influxdb-client's batching writer.

What has been stored waits in a bounded buffer; a task of its own hands it to the writer, whose own backlog is bounded by
counting what it has not settled.  When either is full, points are dropped and counted.  Only numbers are written, tagged
by kind and place: no visit, no item, no text, so that neither people nor cardinality get into the series.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import cast

import msgspec
from influxdb_client import InfluxDBClient, WriteOptions
from reactivex.scheduler import ThreadPoolScheduler

from broker_config.errors import MessageError
from broker_config.site import Site
from server.clock import to_ns
from server.config import InfluxTarget
from server.decoding import Heard
from server.telemetry import TelemetryCounters

log = logging.getLogger(__name__)

MAX_WAITING = 10_000
MAX_UNSETTLED = 10_000
BATCH = 500
FLUSH_MS = 1_000
TIMEOUT_MS = 2_000
CLOSE_WAIT_MS = 2_000
PLACES = ("zone", "shelf", "display", "actuator")
# Numbers that name a thing or a moment rather than measure one.
SKIPPED = frozenset({"version"})


class InfluxSink:
    """Buffers points and hands them on."""

    def __init__(self, target: InfluxTarget, site: Site) -> None:
        self.counters = TelemetryCounters()
        self._site = site.id
        self._waiting: deque[Heard] = deque(maxlen=MAX_WAITING)
        self._unsettled = 0
        self._loop = asyncio.get_running_loop()
        self._target = target
        self._client = InfluxDBClient(url=target.url, token=target.token, org=target.org, timeout=TIMEOUT_MS)
        self._scheduler = ThreadPoolScheduler(max_workers=1)
        options = WriteOptions(
            batch_size=BATCH,
            flush_interval=FLUSH_MS,
            max_retries=1,
            retry_interval=FLUSH_MS,
            max_close_wait=CLOSE_WAIT_MS,
            write_scheduler=self._scheduler,
        )
        self._writer = self._client.write_api(
            write_options=options, success_callback=self._on_success, error_callback=self._on_error
        )

    def take(self, heard: Heard) -> None:
        """Put a message in the buffer, at the cost of the oldest where it is full."""
        if len(self._waiting) == MAX_WAITING:
            self.counters.dropped += 1
        self._waiting.append(heard)

    async def run(self) -> None:
        """Hand on what waits, several times a second."""
        while True:
            await asyncio.sleep(FLUSH_MS / 4 / 1000)
            await self._hand_on()

    async def close(self) -> None:
        """Hand on the rest, wait for it a little, and stop the writer's threads."""
        await self._hand_on()
        await asyncio.to_thread(self._writer.close)
        self._scheduler.executor.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._client.close)

    async def _hand_on(self) -> None:
        batch = list(islice(self._waiting, BATCH))
        if not batch:
            return
        for _ in batch:
            self._waiting.popleft()
        lines = [line for heard in batch if (line := self._line(heard)) is not None]
        if not lines:
            return
        if self._unsettled + len(lines) > MAX_UNSETTLED:
            self.counters.dropped += len(lines)
            return
        self._unsettled += len(lines)
        await asyncio.to_thread(self._writer.write, self._target.bucket, self._target.org, lines)

    def _line(self, heard: Heard) -> str | None:
        try:
            return to_line(heard, self._site)
        except (MessageError, OverflowError):  # a time of another age, a number beyond any float
            self.counters.dropped += 1
            return None

    def _on_success(self, _key: object, data: object) -> None:
        self._loop.call_soon_threadsafe(self._settle, _points(data), False)

    def _on_error(self, _key: object, data: object, error: BaseException) -> None:
        log.warning("time series not written: %s", type(error).__name__)
        self._loop.call_soon_threadsafe(self._settle, _points(data), True)

    def _settle(self, points: int, failed: bool) -> None:
        self._unsettled -= points
        if failed:
            self.counters.errors += 1
            self.counters.dropped += points
        else:
            self.counters.written += points


@asynccontextmanager
async def open_influx(target: InfluxTarget, site: Site) -> AsyncIterator[InfluxSink]:
    """The sink, at work while the block runs."""
    # The client logs each failed batch with its payload; we count and say it once, without.
    logging.getLogger("influxdb_client.client.write_api").setLevel(logging.CRITICAL)
    sink = InfluxSink(target, site)
    task = asyncio.create_task(sink.run(), name="time series")
    try:
        yield sink
    finally:
        task.cancel()
        await asyncio.wait([task])
        await sink.close()


def to_line(heard: Heard, site: str) -> str:
    """One message as line protocol.

    `tacet_<kind>,site=…,<place>=… count=1i,<number>=… <ns>`
    """
    said = msgspec.to_builtins(heard.envelope.data)
    numbers = _numbers(said) | _numbers(said.get("evidence") or {}) | _numbers(said.get("counters") or {})
    tags = {"site": site, **{place: said[place] for place in PLACES if place in said}}
    if heard.owner is not None:
        tags["agent"] = heard.owner
    if isinstance(said.get("reason"), str) and said["reason"].isalpha():
        tags["reason"] = said["reason"]
    tag_text = ",".join(f"{name}={_escape(value)}" for name, value in sorted(tags.items()))
    field_text = ",".join(["count=1i", *(f"{_escape(name)}={value}" for name, value in numbers.items())])
    measurement = "_".join(heard.envelope.type.split(".")[:-1])
    return f"{measurement},{tag_text} {field_text} {to_ns(heard.envelope.time)}"


def _numbers(said: dict[str, object]) -> dict[str, float]:
    """The measured values, as floats: a field must not change its type from one point to the next."""
    return {
        name: float(value)
        for name, value in said.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and name not in SKIPPED
    }


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ").replace("\n", " ")


def _points(data: object) -> int:
    """How many lines are in a batch as the writer hands it back."""
    return cast(bytes, data).count(b"\n") + 1
