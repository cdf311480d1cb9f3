"""The verbs of kyumei as functions; the command line and every other face call these and nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from kyumei import discover
from kyumei.correlate import clocks, sightings
from kyumei.correlate.survey import survey
from kyumei.diagnose.investigate import investigate as _investigate
from kyumei.diagnose.standouts import pulses, standouts
from kyumei.diagnose.unprompted import as_symptom, nothing, says_nothing, told
from kyumei.errors import PathError
from kyumei.model.symptom import Symptom
from kyumei.model.window import Window, iso
from kyumei.store.answers import remembered
from kyumei.store.ask import PATIENCE_SECONDS, ask
from kyumei.store.asked import asked_of
from kyumei.store.case import Case, fresh, is_large, open_case, open_for_survey
from kyumei.store.settings import read_settings
from kyumei.store.side_by_side import meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    import duckdb

    from kyumei.model.finding import Investigation
    from kyumei.store.ask import Answer
    from kyumei.store.asked import Asked
    from kyumei.store.identify import Identity
    from kyumei.store.parse import Fresh
    from kyumei.store.pick import Looked
    from kyumei.store.settings import Settings

    Made = Future[Fresh]

MARGIN = timedelta(minutes=6)
"""Read before and after the stated window of a large case: neighbours that show coverage, and records that AWS dates by their end."""
DEMO = "waf-403"
SHOWN = 3


def investigate(  # noqa: PLR0913 - each is a choice of the caller
    path: str | Path,
    symptom: Symptom | str | None,
    *,
    now: datetime,
    zone: str | None = None,
    options: Mapping[str, str] | None = None,
    cache: Path | None = None,
    top: int = 1,
) -> Investigation:
    """Find the cause of a symptom in the case at ``path``; without a symptom that of the ``top`` gravest failures that stand out.

    ``symptom`` is a sentence, or what was understood of one; null takes the sentence of case.toml, if any. ``now`` (aware) is
    what "yesterday" and a missing year are measured against, ``zone`` the person's own zone where the sentence names none. Raises
    PathError, SymptomError or ConfigError.
    """
    root = Path(path)
    if not isinstance(symptom, Symptom):
        told = symptom if symptom is not None else read_settings(root).symptom
        symptom = _understood(told or "", now, zone, options)
    asked = symptom
    return remembered(root, asked, top, cache, lambda: _answer(root, asked, top, cache))


def _understood(text: str, now: datetime, zone: str | None, options: Mapping[str, str] | None) -> Symptom:
    """What a sentence and options say; the readers of sentences are loaded where there is something to be read."""
    if not text.strip() and not options:
        return Symptom(text)
    from kyumei.diagnose.understand import understand  # noqa: PLC0415 - two hundred patterns, a tenth of the start

    return understand(text, now=now, default_zone=zone, options=options)


def _answer(root: Path, symptom: Symptom, top: int, cache: Path | None) -> Investigation:
    """The answer to a symptom."""
    if says_nothing(symptom) and is_large(root):
        return _surveyed(root, symptom, top, cache)
    return _opened(root, symptom, top, cache)


def _opened(  # noqa: PLR0913 - what a survey did already comes last
    root: Path, symptom: Symptom, top: int, cache: Path | None, looked: Looked | None = None, made: Made | None = None
) -> Investigation:
    """The answer from what lies around the symptom's window, or from all of a small case."""
    # The modules of the rules are loaded while the database works.
    case = _open(root, symptom.window, symptom.moment, symptom.zone, cache, looked, made=made, aside=discover.rules)
    try:
        _refuse_empty(case, root)
        return _investigate(case, symptom, top)
    finally:
        case.close()


def _surveyed(root: Path, symptom: Symptom, top: int, cache: Path | None) -> Investigation:
    """The answer for a large case of which nobody said what is wrong: all requests are counted, and read only around what stands out."""
    case, looked = open_for_survey(root)
    made = meanwhile(fresh)
    try:
        left = survey(case.con, [part for _, own in looked for part in own])
        found = standouts(case)
        if not found and not pulses(case):  # no requests: what error lines say is told from all of the case, however long it takes
            return _opened(root, symptom, top, cache, looked, made)
        if not found:
            answer = nothing(case, symptom)
        else:
            opened = [_opened(root, as_symptom(symptom, one), 1, cache, looked, None if n else made) for n, one in enumerate(found[:top])]
            answer = told(opened, found, pulses(case, found))
    finally:
        case.close()
    named = ", ".join(left[:SHOWN]) + (f" and {len(left) - SHOWN} more" if len(left) > SHOWN else "")
    return replace(answer, notes=(*answer.notes, f"not counted to find what stands out: {named}")) if left else answer


def tables(path: str | Path, *, cache: Path | None = None) -> list[dict[str, Any]]:
    """What a case holds.

    One entry a table with files, rows, unread lines, lines, first and last time, and its zone; files nobody claims under null. Raises
    PathError when there is no file.
    """
    root = Path(path)
    case = _open(root, None, None, None, cache)
    try:
        _refuse_empty(case, root, listed=True)
        found = [_table(case, name) for name in discover.formats()]
        unclaimed = _unclaimed(case)
        return [one for one in found if one] + ([unclaimed] if unclaimed else [])
    finally:
        case.close()


def unread(path: str | Path, *, cache: Path | None = None) -> list[dict[str, Any]]:
    """Every line that could not be read: file, line, text and why. Raises PathError when there is no file."""
    root = Path(path)
    case = _open(root, None, None, None, cache)
    try:
        _refuse_empty(case, root, listed=True)
        return case.rows(
            "SELECT a.name AS file, u._line AS line, u.text, u.why FROM unread u JOIN artifacts a ON a.artifact = u._artifact ORDER BY 1, 2"
        )
    finally:
        case.close()


@contextmanager
def query(  # noqa: PLR0913 - what a question depends on
    path: str | Path,
    sql: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    seconds: float | None = PATIENCE_SECONDS,
    cache: Path | None = None,
) -> Iterator[Answer]:
    """The answer of one SELECT over the tables of the case at ``path``; its rows come as they are taken.

    ``start`` and ``end`` (aware, both or none) say of which time large logs are needed: only what lies around it is read then.
    ``seconds`` is how long the database may work on the question, null for as long as it takes. Raises PathError, QueryError, or
    UnreachableError when that time is over.
    """
    root = Path(path)
    case = _open(root, Window(start, end) if start and end else None, None, None, cache, asked=asked_of(sql))
    try:
        _refuse_empty(case, root)
        yield ask(case, sql, seconds)
    finally:
        case.close()


def demo_case(name: str = DEMO) -> Path:
    """The folder of an example that is shipped with kyumei. Raises PathError when the installation lacks it."""
    packaged = Path(str(resources.files("kyumei"))) / "examples" / name
    here = Path(__file__).resolve().parents[2] / "examples" / name / "case"
    for folder in (packaged, here):
        if folder.is_dir():
            return folder
    message = f"the example {name} is not installed"
    raise PathError(message, "install kyumei from its wheel, or run from a checkout")


def _open(  # noqa: PLR0913 - what a case depends on
    root: Path,
    window: Window | None,
    moment: datetime | None,
    zone: str | None,
    cache: Path | None,
    looked: Looked | None = None,
    asked: Asked | None = None,
    made: Made | None = None,
    aside: Callable[[], object] = lambda: None,
) -> Case:
    """Open a case; of a large one only what lies around the window is read, or what is asked for. ``aside`` is done on the way."""
    reference = moment or (window.middle if window else None)

    def offsets(identity: Identity) -> tuple[timedelta, ...]:
        """The zones that a clock without one may keep, as far as anything hints at them."""
        spoken = ZoneInfo(zone).utcoffset(reference) if zone and reference and "/" in zone else None
        told = [ZoneInfo(name).utcoffset(reference) for name in read_settings(root).zones.values()] if reference else []
        hints = {timedelta(0), *identity.offsets, *(offset for offset in (spoken, *told) if offset is not None)}
        return tuple(sorted(hints))

    def settle(con: duckdb.DuckDBPyConnection, settings: Settings) -> None:
        beside = meanwhile(aside)
        clocks.settle(con, settings, reference)
        beside.result()

    year = reference.astimezone(UTC).year if reference else None
    wanted = window.widened(MARGIN) if window else None
    return open_case(
        root,
        wanted,
        settle,
        offsets,
        key=f"{year}|{zone}",
        prepare=partial(sightings.create, keep=True),
        cache=cache,
        looked=looked,
        asked=asked,
        made=made,
    )


def _refuse_empty(case: Case, root: Path, *, listed: bool = False) -> None:
    """Refuse a folder in which there is no file, or none that can be read, unless its files are only ``listed``."""
    count, troubled, first = case.con.execute(
        "SELECT count(*), count(*) FILTER (WHERE trouble <> ''), any_value(trouble) FILTER (WHERE trouble <> '') FROM artifacts"
    ).fetchone() or (0, 0, "")
    if count == 0:
        message = f"the folder holds no files: {root}"
        raise PathError(message, "put log files there, or give the folder that holds them")
    if not listed and count == troubled and not case.value("SELECT count(*) FROM (SELECT 1 FROM _records LIMIT 1)"):
        message = f"none of the {count} files in {root} can be read: {first}"
        raise PathError(message, "check the permissions and that the files are logs")


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
    return ", ".join(clocks.zone_name(row["seconds"]) for row in offsets) or "UTC"


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
