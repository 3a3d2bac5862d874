"""An ESC/POS receipt printer."""

from simulators.escpos_label.device import EscposDevice, Printed

__all__ = ["EscposDevice", "Printed"]
