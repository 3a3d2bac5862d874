"""Who looked at whom and who changed what: an append-only log whose rows hold each other fast."""
