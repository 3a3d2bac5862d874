"""Members, their cards, consent and preferences.  Names stay in this package."""
