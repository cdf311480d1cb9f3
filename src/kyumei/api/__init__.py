"""The verbs of kyumei as functions; the command line and every other face call these and nothing else.

Each verb is loaded on first use, with what it needs of the rest: a question in SQL does not wait for what a diagnosis needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kyumei.api.asking import query
    from kyumei.api.examples import demo_case
    from kyumei.api.investigating import investigate
    from kyumei.api.listing import tables, unread

__all__ = ["demo_case", "investigate", "query", "tables", "unread"]

_HOMES = {"demo_case": "examples", "investigate": "investigating", "query": "asking", "tables": "listing", "unread": "listing"}


def __getattr__(name: str) -> object:
    """Load a verb from its module."""
    if name not in _HOMES:
        message = f"module 'kyumei.api' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(f"kyumei.api.{_HOMES[name]}"), name)
