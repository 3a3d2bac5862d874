"""An LCUS USB relay board."""

from simulators.lcus_relay.device import LcusRelayDevice

__all__ = ["LcusRelayDevice"]
