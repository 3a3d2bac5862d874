"""A store that does not exist: shoppers, tags, radio and shelves, speaking the real wire protocols over ptys."""
