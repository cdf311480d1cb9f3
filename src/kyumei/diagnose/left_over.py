"""Which of the failing requests that fit the symptom the answer does not explain, as notes to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.hops import TITLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Failure
    from kyumei.model.finding import Finding

NAMED = 3
"""Groups of failing requests that are named one by one."""


def left_over(failures: Sequence[Failure], findings: Sequence[Finding], examined: int) -> list[str]:
    """A note for each group of failing requests that nothing explains beside what is explained, and on those that were not ``examined``."""
    notes: list[str] = []
    first = next(iter(findings), None)
    if first is not None:
        explained = {key for finding in findings for key in finding.failures}
        own = next((failure for failure in failures if failure.key in first.failures), None)
        if own is not None and 0 < first.explains < own.total:
            notes.append(f"{own.total - first.explains} of the {own.total} failing requests are not explained by the cause")
        others = [failure for failure in failures[:examined] if failure.human and failure.key not in explained]
        notes += [f"not explained by it: {_what(failure)}" for failure in others[:NAMED]]
    if len(failures) > examined:
        notes.append(
            f"{len(failures) - examined} further groups of failing requests fit the symptom and were not examined; "
            "state the path or the client"
        )
    return notes


def _what(failure: Failure) -> str:
    """One group of failing requests in words."""
    row = failure.rows[0] if failure.rows else {}
    answered = "" if failure.hop in {"unknown", "target"} else f", which {TITLES.get(failure.hop, failure.hop)} answered"
    status = f" {row['status']}" if row.get("status") is not None else ""
    return (
        f"{failure.total} failing request{'s' if failure.total > 1 else ''}{status} such as {row.get('method') or '?'} "
        f"{row.get('path') or '?'}{answered}; ask about them by their path"
    )
