"""Card readers that type: a line of ASCII per touch."""
