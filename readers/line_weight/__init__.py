"""Scales that print lines of text: boards with an HX711 amplifier, and simple indicators."""
