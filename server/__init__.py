"""The site server: inbox, members and consent, decisions, displays, pages."""
