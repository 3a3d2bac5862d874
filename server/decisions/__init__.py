"""Rules, gates and stored decisions: what the store says, what it leaves unsaid, and why."""
