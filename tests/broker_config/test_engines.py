"""Both engines, real clients: they start, deliver, keep, and stop."""

import asyncio
from pathlib import Path

import pytest

from broker_config.config import Engine
from broker_config.site import load_site
from tests.support.brokers import DEMO_SITE, ENGINES, running_broker

pytestmark = pytest.mark.parametrize("engine", ENGINES)


async def test_a_message_reaches_who_subscribed(tmp_path: Path, engine: Engine) -> None:
    async with running_broker(tmp_path, load_site(DEMO_SITE), engine) as broker, broker.client("server") as server:
        await server.subscribe("tacet/1/demo/edge/+/stats", qos=1)
        async with broker.client("agent-gw-1") as agent:
            await agent.publish("tacet/1/demo/edge/gw-1/stats", b"7", qos=1)
        async with asyncio.timeout(5):
            message = await anext(server.messages)
        assert (str(message.topic), message.payload) == ("tacet/1/demo/edge/gw-1/stats", b"7")
