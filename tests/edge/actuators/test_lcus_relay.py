"""The relay driver over a real pty."""

import pytest

from edge.actuators import registry
from edge.actuators.lcus_relay.relay import LcusRelay, LcusSettings
from readers.errors import ReaderDisconnected, SettingsError, UnknownDevice
from readers.ports import SerialPort
from tests.readers.peers import Peer

ON, OFF = bytes.fromhex("a00101a2"), bytes.fromhex("a00100a1")


async def test_opening_and_leaving_put_it_into_its_safe_state():
    async with Peer() as peer:
        async with registry.open_relay("lcus-relay", peer.path, {"channel": 1, "safe": "off"}) as relay:
            await peer.hears(OFF)
            await relay.switch(on=True)
            await peer.hears(OFF + ON)
        await peer.hears(OFF + ON + OFF)


async def test_safe_may_be_on():
    async with Peer() as peer:
        async with registry.open_relay("lcus-relay", peer.path, {"safe": "on"}) as relay:
            assert relay.safe
        await peer.hears(ON + ON)


async def test_other_channels_of_the_board_are_left_alone_until_told():
    async with Peer() as peer, SerialPort(peer.path, 9600) as port:
        async with LcusRelay(port, LcusSettings(channel=2, channels=4)) as relay:
            await relay.set(4, on=True)
            with pytest.raises(ValueError, match="channel 5 is not on a board of 4"):
                await relay.set(5, on=True)
        await peer.hears(bytes.fromhex("a00200a2 a00401a5 a00200a2"))
        assert len(peer.heard) == 12


async def test_an_unplugged_board_is_told_when_it_is_switched():
    async with Peer() as peer, registry.open_relay("lcus-relay", peer.path, {}) as relay:
        peer.unplug()
        with pytest.raises(ReaderDisconnected):
            await relay.switch(on=True)


@pytest.mark.parametrize(
    ("stanza", "message"),
    [
        ({"safe": "maybe"}, "^safe: "),
        ({"channel": 0}, "^channel: "),
        ({"channel": 3, "channels": 2}, "channel 3 is not on a board of 2"),
        ({"chanel": 1}, "unknown field `chanel`"),
    ],
)
def test_a_wrong_setting_is_named(stanza, message):
    with pytest.raises(SettingsError, match=message):
        registry.check_relay("lcus-relay", stanza)


def test_an_unknown_type_lists_those_there_are():
    with pytest.raises(UnknownDevice, match="unknown actuator type 'x'; known: lcus-relay"):
        registry.check_relay("x", {})
