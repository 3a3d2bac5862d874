"""A UHF reader of the UHFReader18 or the UHFReader288 family."""

from simulators.uhfreader18.device import UhfDevice

__all__ = ["UhfDevice"]
