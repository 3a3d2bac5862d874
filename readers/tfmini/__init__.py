"""Benewake TFmini, TFmini Plus and TFmini-S: laser range finders."""
