"""Who may do what over HTTP: sessions, staff accounts, and one table of routes that the gate enforces.

To add a route: a line in `table.py` (the server refuses to start without it).  To let somebody new sign in: open a session
with `Sessions.open`, put its secret into the answer with `cookies.give`.  In a route, ask for `Who` (anybody signed in) or
`CurrentSession`; `require("member")` says it once more where the table is not enough.
"""
