"""How long a QoS 1 message takes from one client through each broker engine to another, as a Markdown table.

python -m tests.bench_broker [--messages 3000] [--per-s 200]
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import aiomqtt

from broker_config.mosquitto.process import find_mosquitto
from tests.support.brokers import DEMO_SITE, ENGINES, TestBroker, free_port

TOPIC = "tacet/1/demo/edge/gw-1/stats"
PAYLOAD_BYTES = 200
WARM_UP = 100


async def measure(broker: TestBroker, messages: int, per_s: int) -> tuple[list[float], list[float]]:
    """Milliseconds from the call of publish to the receiver's loop, and to the sender's PUBACK, sorted."""
    received, acknowledged = [], []
    async with broker.client("server") as server, broker.client("agent-gw-1") as agent:
        await server.subscribe("tacet/1/demo/edge/+/stats", qos=1)

        async def receive() -> None:
            for _ in range(messages + WARM_UP):
                message = await anext(server.messages)
                received.append((time.perf_counter_ns() - int(bytes(message.payload))) / 1e6)

        receiver = asyncio.create_task(receive())
        start = time.perf_counter()
        for number in range(messages + WARM_UP):
            await asyncio.sleep(max(0.0, start + number / per_s - time.perf_counter()))
            sent_ns = time.perf_counter_ns()
            await agent.publish(TOPIC, str(sent_ns).rjust(PAYLOAD_BYTES), qos=1)
            acknowledged.append((time.perf_counter_ns() - sent_ns) / 1e6)
        await asyncio.wait_for(receiver, 30)
    return sorted(received[WARM_UP:]), sorted(acknowledged[WARM_UP:])


async def bench_engine(engine: str, messages: int, per_s: int) -> str:
    """One row: the engine as a process of its own, as it runs in a store."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        shutil.copy(DEMO_SITE, folder / "site.toml")
        config = folder / "broker.toml"
        config.write_text(
            f'engine = "{engine}"\nport = {port}\nsite = "site.toml"\nidentity = "identity"\ndata = "data"\n'
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "tacet.py", "broker", "--config", config, stdout=-1
        )
        assert process.stdout is not None
        try:
            ready = (await process.stdout.readline()).decode()
            broker = TestBroker("127.0.0.1", port, folder / "identity", config, engine)
            received, acknowledged = await measure(broker, messages, per_s)
        finally:
            process.terminate()
            await process.wait()
    cells = [f"{at(values, share):.2f}" for values in (received, acknowledged) for share in (0.5, 0.99)]
    return f"| {name_of(ready)} | {' | '.join(cells)} |"


def name_of(ready: str) -> str:
    """The engine's name and version, out of the line that says it is ready."""
    return ready.partition("(")[2].strip().rstrip(")")


def at(values: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return values[min(len(values) - 1, int(share * len(values)))]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--per-s", type=int, default=200)
    options = parser.parse_args()
    sys.stdout.write(
        "| engine | to the receiver p50 ms | p99 ms | to the PUBACK p50 ms | p99 ms |\n|---|---|---|---|---|\n"
    )
    for engine in ENGINES:
        if engine != "mosquitto" or find_mosquitto():
            sys.stdout.write(await bench_engine(engine, options.messages, options.per_s) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except aiomqtt.MqttError as error:
        sys.exit(f"the broker went away: {error}")
