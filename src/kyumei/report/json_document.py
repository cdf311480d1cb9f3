"""An investigation as JSON for programs: schema 1, stable, nothing shortened.

Keys are only ever added. Times are UTC as ``2025-02-06T05:32:10Z``; what is not known is null.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kyumei.model.window import iso
from kyumei.report.escape import for_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from kyumei.model.artifact import Coverage
    from kyumei.model.finding import Citation, Finding, Hop, Impact, Investigation, Moment
    from kyumei.model.standout import Standout
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window

SCHEMA = 1


def to_json(investigation: Investigation) -> dict[str, Any]:
    """The investigation as a value that ``json.dumps`` takes."""
    return {
        "schema": SCHEMA,
        "case": investigation.case,
        "symptom": _symptom(investigation.symptom),
        "verdict": investigation.verdict.value,
        "sentence": investigation.sentence,
        "message": investigation.message,
        "findings": [_finding(finding) for finding in investigation.findings],
        "ruled_out": [{"code": item.code, "why": item.why, "citations": _citations(item.citations)} for item in investigation.ruled_out],
        "hops": [_hop(hop) for hop in investigation.hops],
        "coverage": [_coverage(item) for item in investigation.coverage],
        "gaps": [{"missing": gap.missing, "would_decide": gap.would_decide, "how": gap.how} for gap in investigation.gaps],
        "unread": {
            "lines": investigation.unread_lines,
            "files": [{"file": file, "lines": lines} for file, lines in investigation.unread_files],
        },
        "timeline": [_moment(moment) for moment in investigation.timeline],
        "notes": list(investigation.notes),
        "standouts": [_standout(item) for item in investigation.standouts],
        "others": [to_json(other) for other in investigation.others],
    }


def to_json_text(investigation: Investigation) -> str:
    """The investigation as indented JSON text, safe to show in a terminal, without a final line feed."""
    return for_json(json.dumps(to_json(investigation), ensure_ascii=False, indent=2, allow_nan=False))


def _time(moment: datetime | None) -> str | None:
    """A moment, or null."""
    return None if moment is None else iso(moment)


def _window(window: Window | None) -> dict[str, str] | None:
    """A window, or null."""
    return None if window is None else {"start": iso(window.start), "end": iso(window.end)}


def _symptom(symptom: Symptom) -> dict[str, Any]:
    """What the person saw, as it was understood."""
    return {
        "text": symptom.text,
        "window": _window(symptom.window),
        "moment": _time(symptom.moment),
        "zone": symptom.zone,
        "status": symptom.status,
        "status_class": symptom.status_class,
        "kind": symptom.kind.value if symptom.kind else None,
        "took_seconds": symptom.took_seconds,
        "method": symptom.method,
        "host": symptom.host,
        "path": symptom.path,
        "query": symptom.query,
        "client": symptom.client,
        "request_ids": list(symptom.request_ids),
        "error_text": symptom.error_text,
        "browser": symptom.browser,
        "understood": [{"field": field, "value": value} for field, value in symptom.understood],
        "ignored": list(symptom.ignored),
        "notes": list(symptom.notes),
    }


def _citation(citation: Citation) -> dict[str, Any]:
    """A cited line; ``record`` only where the cited record is not the whole line."""
    cited: dict[str, Any] = {"file": citation.file, "line": citation.line, "text": citation.text}
    return {**cited, "record": citation.record} if citation.record else cited


def _citations(citations: Iterable[Citation]) -> list[dict[str, Any]]:
    """Cited lines."""
    return [_citation(citation) for citation in citations]


def _finding(finding: Finding) -> dict[str, Any]:
    """A cause."""
    return {
        "code": finding.code,
        "rule": finding.rule,
        "title": finding.title,
        "certainty": finding.certainty.value,
        "subject": dict(finding.subject),
        "onset": _time(finding.onset),
        "explains": finding.explains,
        "layer": finding.layer or None,
        "because": finding.because or None,
        "impact": _impact(finding.impact),
        "message": finding.message,
        "chain": [
            {"says": evidence.says, "sql": evidence.sql, "total": evidence.total, "citations": _citations(evidence.citations)}
            for evidence in finding.chain
        ],
        "remedy": [{"says": remedy.says, "commands": list(remedy.commands), "proof": remedy.proof} for remedy in finding.remedy],
        "check": [{"says": check.says, "command": check.command} for check in finding.check],
    }


def _impact(impact: Impact | None) -> dict[str, Any] | None:
    """How much a failure did, or null where it cannot be counted."""
    if impact is None:
        return None
    return {
        "requests": impact.requests,
        "clients": impact.clients,
        "paths": impact.paths,
        "first": _time(impact.first),
        "last": _time(impact.last),
        "share": round(impact.share, 6),
        "since": impact.since,
        "ongoing": impact.ongoing,
        "sql": impact.sql,
    }


def _standout(item: Standout) -> dict[str, Any]:
    """A stretch in which a status was more frequent than usual."""
    return {
        "window": _window(item.window),
        "hop": item.hop,
        "status": item.status,
        "failed": item.failed,
        "requests": item.requests,
        "expected": round(item.expected, 3),
        "score": round(item.score, 3),
        "onset": _time(item.onset),
        "last": _time(item.last),
        "ongoing": item.ongoing,
        "paths": list(item.paths),
    }


def _hop(hop: Hop) -> dict[str, Any]:
    """A component on the way."""
    return {
        "hop": hop.hop,
        "name": hop.name,
        "saw_it": hop.saw_it,
        "answered": hop.answered,
        "why": hop.why,
        "citations": _citations(hop.citations),
    }


def _coverage(item: Coverage) -> dict[str, Any]:
    """What one table covers."""
    return {
        "table": item.table,
        "files": item.files,
        "rows": item.rows,
        "start": _time(item.start),
        "end": _time(item.end),
        "covers_symptom": item.covers_symptom,
        "why": item.why,
    }


def _moment(moment: Moment) -> dict[str, Any]:
    """One line of the timeline."""
    return {
        "time": iso(moment.time),
        "hop": moment.hop,
        "says": moment.says,
        "kind": moment.kind,
        "citation": None if moment.citation is None else _citation(moment.citation),
    }
