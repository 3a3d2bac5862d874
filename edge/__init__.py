"""The agent on a store gateway: serial devices in, presence events out, commands to actuators."""
