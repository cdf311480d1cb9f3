"""How every verb opens a case: what is read of it, which zones its clocks may keep, and what it is refused for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from kyumei.correlate import clocks, sightings
from kyumei.errors import PathError
from kyumei.store.case import open_case
from kyumei.store.settings import read_settings
from kyumei.store.side_by_side import meanwhile

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    import duckdb

    from kyumei.model.window import Window
    from kyumei.store.asked import Asked
    from kyumei.store.case import Case
    from kyumei.store.identify import Identity
    from kyumei.store.parse import Fresh
    from kyumei.store.pick import Looked
    from kyumei.store.settings import Settings

    Made = Future[Fresh]

MARGIN = timedelta(minutes=6)
"""Read before and after the stated window of a large case: neighbours that show coverage, and records that AWS dates by their end."""


def open_at(  # noqa: PLR0913 - what a case depends on
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
        """Set the clocks while something else is done."""
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


def refuse_empty(case: Case, root: Path, *, listed: bool = False) -> None:
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
