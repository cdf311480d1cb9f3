"""Incidents written down as a folder of logs, with the truth about them: the other side of kyumei's tests, and its examples.

Nothing here imports kyumei. Equal plans give equal bytes.
"""

from __future__ import annotations

from incidents.folder import generate
from incidents.plan import Plan
from incidents.scenarios import SCENARIOS, example
from incidents.truth import Cited, Truth

__all__ = ["SCENARIOS", "Cited", "Plan", "Truth", "example", "generate"]
