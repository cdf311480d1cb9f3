"""What a case holds: its tables, and the lines that could not be read."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kyumei import discover
from kyumei.api.opening import open_at, refuse_empty
from kyumei.correlate.offsets import zone_name
from kyumei.model.window import iso

if TYPE_CHECKING:
    from kyumei.store.case import Case


def tables(path: str | Path, *, cache: Path | None = None) -> list[dict[str, Any]]:
    """What a case holds.

    One entry a table with files, rows, unread lines, lines, first and last time, and its zone; files nobody claims under null. Raises
    PathError when there is no file.
    """
    root = Path(path)
    case = open_at(root, None, None, None, cache)
    try:
        refuse_empty(case, root, listed=True)
        found = [_table(case, name) for name in discover.formats()]
        unclaimed = _unclaimed(case)
        return [one for one in found if one] + ([unclaimed] if unclaimed else [])
    finally:
        case.close()


def unread(path: str | Path, *, cache: Path | None = None) -> list[dict[str, Any]]:
    """Every line that could not be read: file, line, text and why. Raises PathError when there is no file."""
    root = Path(path)
    case = open_at(root, None, None, None, cache)
    try:
        refuse_empty(case, root, listed=True)
        return case.rows(
            "SELECT a.name AS file, u._line AS line, u.text, u.why FROM unread u JOIN artifacts a ON a.artifact = u._artifact ORDER BY 1, 2"
        )
    finally:
        case.close()


def _table(case: Case, name: str) -> dict[str, Any] | None:
    files, rows, start, end, inner = case.con.execute(
        "SELECT count(DISTINCT _artifact) FILTER (WHERE _via IS NULL), count(*) FILTER (WHERE _via IS NULL), min(time), "
        f'max(time), count(*) FILTER (WHERE _via IS NOT NULL) FROM "{name}"'
    ).fetchone() or (0, 0, None, None, 0)
    own = "SELECT artifact FROM artifacts WHERE format = ?"
    lost = case.value(f"SELECT count(*) FROM unread WHERE _artifact IN ({own})", [name])
    taken = case.value(_LINES_TAKEN.format(name))
    if not rows and not lost and not inner:
        return None
    clock = case.rows("SELECT zone, source FROM _clocks WHERE table_name = ? ORDER BY source <> 'assumed', zone LIMIT 1", [name])
    zones = {row["zone"] for row in case.rows("SELECT DISTINCT zone FROM _clocks WHERE table_name = ?", [name])}
    entry: dict[str, Any] = {"table": name, "files": files, "rows": rows, "unread": lost, "lines": int(taken) + lost}
    entry["start"] = iso(start.replace(tzinfo=UTC)) if start else None
    entry["end"] = iso(end.replace(tzinfo=UTC)) if end else None
    entry["zone"] = ", ".join(sorted(zones)) or _written_zone(case, name)
    entry["zone_inferred"] = bool(clock) and clock[0]["source"] != "told"
    if inner:
        entry["inner_rows"] = inner
    return entry


# Several records may start on one line of a document, and one may lie inside another: a line counts once.
_LINES_TAKEN = """
    SELECT coalesce(sum(greatest(0, last - greatest(coalesce(before, 0), _line - 1))), 0) FROM (
        SELECT _line, last, max(last) OVER (
            PARTITION BY _artifact ORDER BY _line ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM (SELECT _artifact, _line, max(_line + _span - 1) AS last FROM "{}" WHERE _via IS NULL GROUP BY ALL))"""


def _written_zone(case: Case, name: str) -> str:
    """The zone that the files of a table write out themselves; UTC where they write none, as AWS's do."""
    # In a document the wrapping may write a zone where the records write UTC.
    offsets = case.rows(
        "SELECT DISTINCT unnest(offsets) AS seconds FROM artifacts WHERE format = ? AND shape <> 'document' ORDER BY 1", [name]
    )
    return ", ".join(zone_name(row["seconds"]) for row in offsets) or "UTC"


def _unclaimed(case: Case) -> dict[str, Any] | None:
    files, lines = case.con.execute(
        "SELECT count(DISTINCT a.artifact), count(u._line) FROM artifacts a LEFT JOIN unread u ON u._artifact = a.artifact "
        "WHERE a.format IS NULL AND a.shape <> 'empty'"
    ).fetchone() or (0, 0)
    if not files:
        return None
    return {
        "table": None,
        "files": files,
        "rows": 0,
        "unread": lines,
        "lines": lines,
        "start": None,
        "end": None,
        "zone": None,
        "zone_inferred": False,
    }
