"""kyumei: the root cause of a failure on AWS, from its logs and configuration, with the evidence line by line.

    import kyumei

    answer = kyumei.investigate("./case", "403 on GET /app/admin at 2025-02-06 14:32 JST")
    print(answer.verdict, answer.sentence)

The verbs of ``kyumei.api`` and the types of ``kyumei.model`` are reached from here and loaded on first use, so that
``kyumei --help`` does not wait for a database engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kyumei.api import investigate
    from kyumei.errors import KyumeiError
    from kyumei.model.finding import Certainty, Finding, Investigation, Verdict
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window

__version__ = "0.1.0"
__all__ = ["Certainty", "Finding", "Investigation", "KyumeiError", "Symptom", "Verdict", "Window", "__version__", "investigate"]

_HOMES = {
    "Certainty": "kyumei.model.finding",
    "Finding": "kyumei.model.finding",
    "Investigation": "kyumei.model.finding",
    "KyumeiError": "kyumei.errors",
    "Symptom": "kyumei.model.symptom",
    "Verdict": "kyumei.model.finding",
    "Window": "kyumei.model.window",
    "investigate": "kyumei.api",
}


def __getattr__(name: str) -> object:
    """Load what was asked for from its module."""
    if name not in _HOMES:
        message = f"module 'kyumei' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOMES[name]), name)
