"""What statuses of HTTP mean, for all who ask the same of them."""

from __future__ import annotations

REDIRECTS = range(300, 400)
"""Statuses that say where to go next."""
FAILED = 400
"""The first status that says that a request failed."""
SERVER_ERROR = 500
"""The first that says that it failed on the side of whoever answered."""
CLIENT_CLOSED = 499
"""nginx's own number for a client that closed before there was an answer: nobody was refused anything."""
