"""A weighing terminal that speaks MT-SICS."""

from simulators.mt_sics.device import MtSicsDevice

__all__ = ["MtSicsDevice"]
