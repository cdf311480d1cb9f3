"""Opens a case: files to a database of typed rows with lineage, built once and kept in a cache outside the folder.

The cache may be deleted at any time. It is keyed by every file's name, size and time of change, by the window and the settings,
so a changed case is read anew.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from secrets import token_hex
from threading import Thread
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from kyumei import __version__, discover
from kyumei.layouts.casts import quoted
from kyumei.model.window import Window
from kyumei.store.asked import Asked
from kyumei.store.build import build
from kyumei.store.bulk_files import PACKED
from kyumei.store.filled import filled
from kyumei.store.keys import needed
from kyumei.store.memory import memory
from kyumei.store.narrow import REGISTER, tables_of
from kyumei.store.parse import create_tables, keep_derived
from kyumei.store.pick import look_at
from kyumei.store.settings import Settings, read_settings
from kyumei.store.side_by_side import meanwhile
from kyumei.store.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from kyumei.model.artifact import Artifact
    from kyumei.store.identify import Identity
    from kyumei.store.parse import Fresh
    from kyumei.store.part import Part
    from kyumei.store.pick import Looked

WHOLE = 64 * 1024 * 1024
"""Up to this many bytes of text a case is read whole; a larger one only around the window."""
KEPT_CACHES = 12
BUILDING = "building-"
"""How the folder is called in which a database is built; the database is moved out of it once it is whole."""
ABANDONED_SECONDS = 86_400
"""A folder in which nothing was built for so long was left by a run that was killed."""
SPILLED = "kyumei-spilled-"
"""How the folder is called in which a database in memory puts what does not fit; it is there only once that happens."""


class Keeping(NamedTuple):
    """The thread that writes a case to the cache, and the folder in which it does: whoever shuts the database must leave that open."""

    thread: Thread
    folder: Path


@dataclass(frozen=True)
class Case:
    """An opened case. ``whole`` says that every line was read, not only those around the window."""

    root: Path
    con: duckdb.DuckDBPyConnection
    settings: Settings
    whole: bool
    keeping: Keeping | None = None
    """Writes the case to the cache meanwhile; null when it is there already, or is not to be kept."""

    @cached_property
    def filled(self) -> list[str]:
        """The formats whose tables have rows, in alphabetical order; none is filled or emptied while the case is asked."""
        return filled(self.con)

    def close(self) -> None:
        """Close the case once it is in the cache."""
        if self.keeping is not None:
            self.keeping.thread.join()
        spilled = Path()
        with suppress(duckdb.Error):  # a database that gave up is closed all the same
            spilled = Path(str(self.value("SELECT current_setting('temp_directory')")))
        self.con.close()
        if spilled.name.startswith(SPILLED):
            shutil.rmtree(spilled, ignore_errors=True)

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[dict[str, Any]]:
        """The rows of a query as dicts."""
        cursor = self.con.execute(sql, parameters)
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:  # noqa: ANN401 - any value of a query
        """The first value of the first row, or null."""
        row = self.con.execute(sql, parameters).fetchone()
        return row[0] if row else None


def connect(path: Path | None, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """A database in UTC with bounded memory that reads no extension from anywhere."""
    con = duckdb.connect(str(path or ":memory:"), read_only=read_only)
    con.execute("SET TimeZone = 'UTC'")
    con.execute(f"SET memory_limit = '{memory() * 3 // 5}B'")
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET autoload_known_extensions = false")
    con.execute("SET enable_progress_bar = false")
    con.execute("SET preserve_insertion_order = false")
    if path is None:
        # A checkpoint makes nothing safe in memory; it packs what was just read, which takes as long again as reading it.
        con.execute("SET checkpoint_threshold = '1TB'")
        # Else what does not fit into memory would go to the working folder, which may be the case itself.
        con.execute(f"SET temp_directory = {quoted(str(Path(tempfile.gettempdir()) / f'{SPILLED}{os.getpid()}-{token_hex(8)}'))}")
    return con


def fresh(path: Path | None = None) -> Fresh:
    """A database with the empty tables of a case, in memory unless there is a path."""
    return create_tables(connect(path))


def _without_tables() -> duckdb.DuckDBPyConnection:
    """A database in memory that knows no format, and so none with several tables."""
    con = connect(None)
    con.execute(REGISTER)
    return con


def cache_folder(told: Path | None = None) -> Path | None:
    """Where caches lie: as told, ``KYUMEI_CACHE``, or the user's cache folder; null when none can be written."""
    home = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None)
    try:
        folder = told or Path(os.environ.get("KYUMEI_CACHE") or (Path(home) if home else Path.home() / ".cache") / "kyumei")
    except RuntimeError:  # neither HOME nor an entry of the user tells it, as in many a container
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def open_case(  # noqa: PLR0913 - each is a choice of the caller
    root: Path,
    window: Window | None,
    settle: Callable[[duckdb.DuckDBPyConnection, Settings], None],
    offsets: Callable[[Identity], tuple[timedelta, ...]],
    *,
    key: str = "",
    prepare: Callable[[duckdb.DuckDBPyConnection], None] = lambda _: None,
    cache: Path | None = None,
    looked: Looked | None = None,
    asked: Asked | None = None,
    made: Future[Fresh] | None = None,
) -> Case:
    """Open the case at ``root``. ``settle`` sets the clocks of logs that keep no zone and is called before the case is cached.

    ``prepare`` then adds what every question of the case needs, to be cached with it. ``looked`` is what a survey knows of the files,
    ``made`` a fresh database in memory that may still be in the making. Where only what is ``asked`` matters, and the whole was not read
    before, a large case may be searched for it.

    ``key`` names what else the rows depend on. Up to a quarter of the memory that may be used, the rows of that much text are built in
    memory, and written to the cache while they are asked. Raises PathError when there is nothing to read.
    """
    artifacts = walk(root)
    settings = read_settings(root)
    size = _text_size(artifacts)
    only: Window | Asked | None = None if window is None or size <= WHOLE else _rounded(window)
    folder = cache_folder(cache)
    kept = folder / f"{_fingerprint(root, artifacts, settings, only, key)}.duckdb" if folder else None
    if kept and (con := _reopened(kept)):
        return Case(root, con, settings, only is None)
    if window is None and asked is not None and size > WHOLE:
        made = made or meanwhile(fresh)  # the database makes its tables while Python looks at the files
        looked = looked or look_at(artifacts, settings)
        only = asked if asked.pays([part for _, parts in looked for part in parts]) else None
        kept = None if only else kept  # what one question asks for is seldom asked for again
    if isinstance(only, Window):
        artifacts = [artifact for artifact in artifacts if needed(artifact.name, only)]
    if kept is None or only is not None or size <= memory() // 4:
        made = made or meanwhile(fresh)
        parts = build(made, artifacts, settings, only, offsets, looked)
        con = made.result().con
        if not isinstance(only, Asked) or _waits_for_a_zone(con, only.table):
            settle(con, settings)
        if isinstance(only, Window):
            _drop_outside(con, parts, only)
        if not isinstance(only, Asked):  # the question is about one table as it is
            keep_derived(con)
            prepare(con)
        return Case(root, con, settings, only is None, _keeping(con, kept, small=size <= WHOLE or only is not None) if kept else None)
    with _in_place(kept) as name:
        made = meanwhile(partial(fresh, name))
        build(made, artifacts, settings, only, offsets, looked)
        con = made.result().con
        settle(con, settings)
        keep_derived(con)
        prepare(con)
        con.close()
    return Case(root, connect(kept, read_only=True), settings, only is None)


def _waits_for_a_zone(con: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether a row of the table has a time whose zone or year is still to be found."""
    return con.execute(f'SELECT 1 FROM "{table}" WHERE _naive > 0 LIMIT 1').fetchone() is not None


@contextmanager
def _in_place(kept: Path) -> Iterator[Path]:
    """Where to build a database that is moved to ``kept`` once it is whole."""
    building = Path(tempfile.mkdtemp(prefix=BUILDING, dir=kept.parent))
    try:
        yield building / kept.name
        (building / kept.name).replace(kept)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    _forget_oldest(kept.parent)


def _text_size(artifacts: Sequence[Artifact]) -> int:
    """How many bytes of text the files hold, roughly."""
    packed = (".gz", ".zst", ".bz2", ".xz", ".zip", ".tgz", ".parquet")
    return sum(artifact.size * (PACKED if artifact.name.endswith(packed) else 1) for artifact in artifacts)


def is_large(root: Path) -> bool:
    """Whether a case is too large to be read whole for one question. Raises PathError when there is nothing to read."""
    return _text_size(walk(root)) > WHOLE


def case_name(root: Path) -> str:
    """A name for the case that changes with any of its files, its settings, and our own code. Raises PathError when there is nothing."""
    return _fingerprint(root, walk(root), read_settings(root), None, f"{_code_age('edge', 'rules', 'diagnose')}")


def open_for_survey(root: Path) -> tuple[Case, Looked]:
    """A case of which nothing is read yet, and what its files are."""
    settings = read_settings(root)
    made = meanwhile(_without_tables)
    looked = look_at(walk(root), settings)
    return Case(root, made.result(), settings, whole=False), looked


def _reopened(kept: Path) -> duckdb.DuckDBPyConnection | None:
    """The database in the cache, or null when there is none that can be read."""
    if not kept.is_file():
        return None
    try:
        con = connect(kept, read_only=True)
        os.utime(kept)
    except (duckdb.Error, OSError):
        kept.unlink(missing_ok=True)
        return None
    return con


def _keeping(con: duckdb.DuckDBPyConnection, kept: Path, *, small: bool) -> Keeping | None:
    """Begin to write a database that was built in memory to the cache, while it is asked; what is asked changes nothing that is kept."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=BUILDING, dir=kept.parent))
    except OSError:
        return None
    if small:
        con.execute("SET force_compression = 'uncompressed'")  # what lies around a window is small, and somebody waits
    thread = Thread(target=_keep, args=(con.cursor(), kept, folder), name="kyumei-cache")
    thread.start()
    return Keeping(thread, folder)


def _keep(con: duckdb.DuckDBPyConnection, kept: Path, folder: Path) -> None:
    """Write a database that was built in memory to the cache. A cache that cannot be written is no fault: the next run builds it again."""
    try:
        con.execute(f"ATTACH {quoted(str(folder / kept.name))} AS kept")
        con.execute("COPY FROM DATABASE memory TO kept")
        con.execute("DETACH kept")
        (folder / kept.name).replace(kept)
        _forget_oldest(kept.parent)
    except (duckdb.Error, OSError):
        return
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rounded(window: Window) -> Window:
    """The window from one full five minutes to another, so that questions about nearly the same moment share a cache."""
    step = timedelta(minutes=5)
    start = window.start - (window.start - _EPOCH) % step
    return Window(start, window.end + (_EPOCH - window.end) % step)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ASIDE = timedelta(minutes=20)
"""How far outside the window rows are kept; what was picked for another zone than its clock turned out to keep lies further off."""


def _drop_outside(con: duckdb.DuckDBPyConnection, parts: Sequence[Part], window: Window) -> None:
    """Drop the rows far outside the window. Host logs stay: their lines belong to rows of other tables, too; and what was read whole."""
    start, end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (window.start - ASIDE, window.end + ASIDE))
    own = "_artifact IN (SELECT artifact FROM artifacts WHERE shape = 'lines' AND format <> 'syslog')"
    own += "".join(f" AND _artifact <> {part.artifact.number}" for part in parts if part.small)
    for name in filled(con):
        if "time" in discover.format_of(name).table:
            for table in tables_of(con, name):
                con.execute(f"DELETE FROM \"{table}\" WHERE {own} AND time NOT BETWEEN '{start}' AND '{end}'")


def _fingerprint(root: Path, artifacts: Sequence[Artifact], settings: Settings, window: Window | Asked | None, key: str) -> str:
    """A name for the database that changes with anything its rows depend on."""
    digest = hashlib.sha256(
        f"{__version__}|{_code_age()}|{duckdb.__version__}|{root.resolve()}|{window}|{settings}|{key}".encode("utf-8", "surrogateescape")
    )
    for artifact in artifacts:
        digest.update(f"|{artifact.name}|{artifact.size}|{artifact.modified_ns}|{artifact.trouble}".encode())
    return digest.hexdigest()[:32]


def _code_age(*more: str) -> int:
    """The newest change of our own reading code, and of ``more`` rooms, so that a changed reader never meets rows of its predecessor."""
    package = Path(__file__).parent.parent
    rooms = ("formats", "layouts", "store", "model", "correlate", *more)
    files = [*package.glob("*.py"), *(path for room in rooms for path in (package / room).rglob("*.py"))]
    return max((path.stat().st_mtime_ns for path in files), default=0)


def _forget_oldest(folder: Path) -> None:
    """Keep the KEPT_CACHES databases used last."""
    found = sorted(folder.glob("*.duckdb"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[KEPT_CACHES:]:
        path.unlink(missing_ok=True)
    for path in folder.glob(f"{BUILDING}*"):
        with suppress(OSError):
            if time() - path.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
