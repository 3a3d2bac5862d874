"""A member's own page: what is known, why something was shown, and how to stop it."""
