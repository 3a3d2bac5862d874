"""The live floor: its plan, and the running story as server-sent events."""
