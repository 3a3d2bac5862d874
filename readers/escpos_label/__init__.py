"""ESC/POS receipt printers: the wire format.  The driver is an actuator and lives in `edge/actuators/escpos_label`."""
