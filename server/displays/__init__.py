"""Displays: pairing a browser with one, and the way of its MQTT bytes to the broker."""
