"""Incidents between the browser and the application: for every id of the failure knowledge base a guilty and an innocent folder of logs."""

from __future__ import annotations

from incidents.edge.combined import COMBINED
from incidents.edge.fault import Cause, Fault, Variant
from incidents.edge.make import generate
from incidents.edge.table import CAUSES, UNCOVERED
from incidents.edge.truth import Truth

__all__ = ["CAUSES", "COMBINED", "UNCOVERED", "Cause", "Fault", "Truth", "Variant", "generate"]
