"""Levels of log lines that say that something went wrong, as the column ``level`` of the tables holds them."""

from __future__ import annotations

GRAVE = ("ERROR", "CRITICAL")
"""In logs of applications, functions and agents, whose many words for a level become five."""
GRAVE_ANYWHERE = (*GRAVE, "CRIT", "ALERT", "EMERG", "EMERGENCY", "FATAL", "PANIC", "SEVERE")
"""In capitals, in any log: the tables of web servers and databases keep the words of their writers."""
