"""Who is asking: what a token, a session or a proxy says, verified, as a visitor with a scope.

Nothing here knows a web framework or a database. Whatever cannot be verified raises; there is no
visitor by default.
"""
