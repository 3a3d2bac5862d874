"""Erasure: a member asks once, every copy goes, and each place that held one says so."""
