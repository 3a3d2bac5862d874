"""Numba kernels over NumPy columns: tag table, presence, member match.  No I/O, no clock."""
