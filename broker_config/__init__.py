"""What both sides of the bus agree on: topics, messages, identity, site, and the broker set-ups."""
