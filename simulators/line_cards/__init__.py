"""Card readers that type."""

from simulators.line_cards.device import LineCardDevice

__all__ = ["LineCardDevice"]
