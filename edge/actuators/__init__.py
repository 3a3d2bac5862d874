"""Drivers of the things a store can switch."""
