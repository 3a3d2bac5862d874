"""A microcontroller board with an HX711 amplifier, or an indicator, that prints its weight."""

from simulators.line_weight.device import Board, LineWeightDevice

__all__ = ["Board", "LineWeightDevice"]
