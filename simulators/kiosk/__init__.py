"""A display without a browser: pairs over HTTP, listens over MQTT, forgets what it showed."""

from simulators.kiosk.client import Kiosk

__all__ = ["Kiosk"]
