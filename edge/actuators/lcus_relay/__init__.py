"""LCUS-n USB relay boards."""
