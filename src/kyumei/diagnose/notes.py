"""Notes to an answer: what its reader should know besides, of the reading of the symptom, of clocks, of files."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from kyumei.correlate.stated import is_path
from kyumei.diagnose.clock_notes import CLOCKS, clock_notes
from kyumei.diagnose.impact import apart
from kyumei.diagnose.left_over import left_over

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.contracts import Failure
    from kyumei.model.finding import Finding
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

MOST_TROUBLED = 20
"""Files with a trouble that are noted one by one; the rest is counted."""
NAMED = 3
"""Files that a note names."""


def all_notes(
    case: Case, symptom: Symptom, window: Window, failures: tuple[Sequence[Failure], int], findings: Sequence[Finding]
) -> list[str]:
    """What the reader should know: what the symptom's reading assumed, inferred zones, damaged and passed-over files.

    ``failures`` are the groups of failing requests, and how many of them rules were asked about.
    """
    notes = [*symptom.notes, *apart(findings[:1])]
    for row in case.rows(
        f"SELECT zone, source, arg_min(c.why, c.name) AS why, list(DISTINCT c.name ORDER BY c.name) AS names FROM {CLOCKS} c "
        "WHERE source <> 'told' GROUP BY 1, 2 ORDER BY 1, 2"
    ):
        names = ", ".join(row["names"][:NAMED]) + (f" and {len(row['names']) - NAMED} more" if len(row["names"]) > NAMED else "")
        notes.append(f"clock of {names}: {row['zone']}, {'assumed' if row['source'] == 'assumed' else 'inferred'}: {row['why']}")
    troubled = case.rows("SELECT name, trouble FROM artifacts WHERE trouble <> '' ORDER BY name")
    notes += [f"{row['name']}: {row['trouble']}" for row in troubled[:MOST_TROUBLED]]
    if len(troubled) > MOST_TROUBLED:
        notes.append(
            f"{len(troubled) - MOST_TROUBLED} more files have something that could not be read; `kyumei tables --unread` lists lines"
        )
    notes += [
        f"{row['name']} {'only repeats' if row['whole'] else 'partly repeats'} what stands in {row['original']}, and is counted once"
        for row in case.rows(
            "SELECT a.name, o.name AS original, c.first_line = 0 AS whole FROM _copies c JOIN artifacts a ON a.artifact = c.artifact "
            "JOIN artifacts o ON o.artifact = c.original ORDER BY 1, 2 LIMIT 10"
        )
    ]
    notes += [
        f"clock of {row['name']}: corrected by {abs(row['seconds'])} s, it runs {'fast' if row['seconds'] > 0 else 'slow'}: {row['why']}"
        for row in case.rows("SELECT DISTINCT a.name, k.seconds, k.why FROM _skews k JOIN artifacts a USING (artifact) ORDER BY 1 LIMIT 10")
    ]
    notes += clock_notes(case, window, failures[0][:1], findings)
    meant = {row["path"] for failure in failures[0] for rows in failure.sightings.values() for row in rows if row["path"]}
    if symptom.path and meant and not any(is_path(symptom.path, {"path": path}) for path in meant):
        notes.append(f"no failing request has the path {symptom.path} letter by letter; {', '.join(sorted(meant)[:3])} was taken for it")
    passed = case.value("SELECT count(*) FROM artifacts WHERE passed_over OR NOT whole")
    if passed:
        notes.append(
            f"{passed} large file{'s were' if passed > 1 else ' was'} read only around the moment; lines outside it were passed over"
        )
    notes += left_over(failures[0], findings, failures[1])
    data = case.con.execute("SELECT min(time), max(time) FROM sightings").fetchone()
    if (
        symptom.window
        and data
        and data[0] is not None
        and not symptom.window.overlaps(data[0].replace(tzinfo=UTC), data[1].replace(tzinfo=UTC))
    ):
        notes.append(
            f"the logs run from {data[0]:%Y-%m-%d %H:%M} to {data[1]:%Y-%m-%d %H:%M} UTC and do not hold the stated moment: is "
            "the date, the year or the zone right?"
        )
    return notes
