"""Writes an incident into a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidents.answers import answer_files
from incidents.applog import app_files
from incidents.balancerlog import alb_files
from incidents.site import site_of
from incidents.syslog import syslog_files
from incidents.traffic import traffic
from incidents.truth import truth_of
from incidents.waflog import waf_files
from incidents.weblogs import nginx_files

if TYPE_CHECKING:
    from pathlib import Path

    from incidents.entry import Written
    from incidents.plan import Plan
    from incidents.truth import Truth

WRITERS = {"nginx": nginx_files, "syslog": syslog_files, "app": app_files, "waf": waf_files, "alb": alb_files}


def generate(plan: Plan, folder: Path) -> Truth:
    """Writes the files of the incident under ``folder`` and returns the truth about it. Equal plans give equal bytes."""
    site = site_of(plan)
    requests = traffic(site, plan)
    files: dict[str, list[Written]] = {log: write(site, plan, requests) for log, write in WRITERS.items() if log in plan.logs}
    if "answers" in plan.logs:
        files["answers"] = answer_files(site, plan)
    for file in (file for group in files.values() for file in group):
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    return truth_of(site, plan, requests, files)
