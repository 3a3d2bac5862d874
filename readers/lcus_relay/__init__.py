"""LCUS-n USB relay boards: the wire format.  The driver is an actuator and lives in `edge/actuators/lcus_relay`."""
