"""Opens a case: files to a database of typed rows with lineage, built once and kept in a cache outside the folder.

The cache may be deleted at any time. It is keyed by every file's name, size and time of change, by the window and the settings, so a changed
case is read anew.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from kyumei import __version__
from kyumei.store.keys import needed
from kyumei.store.parse import create_tables, parse_all
from kyumei.store.pick import pick_all
from kyumei.store.settings import Settings, read_settings
from kyumei.store.walk import quoted_path, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from kyumei.model.artifact import Artifact
    from kyumei.model.window import Window
    from kyumei.store.identify import Identity
    from kyumei.store.pick import Part

WHOLE = 64 * 1024 * 1024
"""Up to this many bytes of text a case is read whole; a larger one only around the window."""
PACKED = 12
"""How many times its size a compressed log unpacks to, roughly."""
MEMORY = "800MB"
KEPT_CACHES = 20


@dataclass(frozen=True)
class Case:
    """An opened case. ``whole`` says that every line was read, not only those around the window."""

    root: Path
    con: duckdb.DuckDBPyConnection
    settings: Settings
    whole: bool

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
    con.execute(f"SET memory_limit = '{MEMORY}'")
    con.execute("SET autoinstall_known_extensions = false")
    con.execute("SET autoload_known_extensions = false")
    con.execute("SET enable_progress_bar = false")
    con.execute("SET preserve_insertion_order = false")
    return con


def cache_folder(told: Path | None = None) -> Path | None:
    """Where caches lie: as told, ``KYUMEI_CACHE``, or the user's cache folder; null when none can be written."""
    home = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None)
    folder = told or Path(os.environ.get("KYUMEI_CACHE") or (Path(home) if home else Path.home() / ".cache") / "kyumei")
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
    cache: Path | None = None,
) -> Case:
    """Open the case at ``root``. ``settle`` sets the clocks of logs that keep no zone and is called before the case is cached.

    ``key`` names what else the rows depend on. Raises PathError when there is nothing to read.
    """
    artifacts = walk(root)
    settings = read_settings(root)
    size = sum(
        artifact.size * (PACKED if artifact.name.endswith((".gz", ".zst", ".bz2", ".xz", ".zip", ".tgz")) else 1) for artifact in artifacts
    )
    loaded = None if window is None or size <= WHOLE else window
    folder = cache_folder(cache)
    kept = folder / f"{_fingerprint(root, artifacts, settings, loaded, key)}.duckdb" if folder else None
    if kept and kept.is_file():
        try:
            con = connect(kept, read_only=True)
            os.utime(kept)
            return Case(root, con, settings, loaded is None)
        except (duckdb.Error, OSError):
            kept.unlink(missing_ok=True)
    if loaded is not None:
        artifacts = [artifact for artifact in artifacts if needed(artifact.name, loaded)]
    if kept is None:
        con = connect(None)
        _build(con, artifacts, settings, loaded, offsets)
        settle(con, settings)
        return Case(root, con, settings, loaded is None)
    handle, name = tempfile.mkstemp(prefix="building-", suffix=".duckdb", dir=kept.parent)
    os.close(handle)
    Path(name).unlink()
    try:
        con = connect(Path(name))
        _build(con, artifacts, settings, loaded, offsets)
        settle(con, settings)
        con.close()
        Path(name).replace(kept)
    finally:
        Path(name).unlink(missing_ok=True)
        Path(name + ".wal").unlink(missing_ok=True)
    _forget_oldest(kept.parent)
    return Case(root, connect(kept, read_only=True), settings, loaded is None)


def _build(
    con: duckdb.DuckDBPyConnection,
    artifacts: Sequence[Artifact],
    settings: Settings,
    window: Window | None,
    offsets: Callable[[Identity], tuple[timedelta, ...]],
) -> None:
    create_tables(con)
    parts = pick_all(con, artifacts, settings, window, offsets)
    parse_all(con, parts)
    _keep_artifacts(con, parts)


def _keep_artifacts(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """The table ``artifacts``: what each file is, how much of it was read, and what was wrong with it."""
    con.execute(
        "CREATE TABLE artifacts (artifact INTEGER, name VARCHAR, path VARCHAR, member VARCHAR, size BIGINT, compression VARCHAR, shape VARCHAR, "
        "format VARCHAR, whole BOOLEAN, passed_over BOOLEAN, trouble VARCHAR, modified TIMESTAMP, offsets INTEGER[])"
    )
    for part in parts:
        artifact = part.artifact
        con.execute(
            "INSERT INTO artifacts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, make_timestamp(?), ?)",
            [artifact.number, artifact.name, quoted_path(artifact.path), artifact.member, artifact.size, artifact.compression, part.identity.shape]
            + [
                part.format,
                part.whole,
                part.passed_over,
                part.trouble,
                artifact.modified_ns // 1000,
                sorted(int(offset.total_seconds()) for offset in part.identity.offsets),
            ],
        )


def _fingerprint(root: Path, artifacts: Sequence[Artifact], settings: Settings, window: Window | None, key: str) -> str:
    """A name for the database that changes with anything its rows depend on."""
    digest = hashlib.sha256(f"{__version__}|{_code_age()}|{duckdb.__version__}|{root.resolve()}|{window}|{settings}|{key}".encode("utf-8", "surrogateescape"))
    for artifact in artifacts:
        digest.update(f"|{artifact.name}|{artifact.size}|{artifact.modified_ns}|{artifact.trouble}".encode())
    return digest.hexdigest()[:32]


def _code_age() -> int:
    """The newest change of our own reading code, so that a changed reader never meets rows of its predecessor."""
    package = Path(__file__).parent.parent
    rooms = ("formats", "layouts", "store", "model", "correlate")
    return max((path.stat().st_mtime_ns for room in rooms for path in (package / room).glob("*.py")), default=0)


def _forget_oldest(folder: Path) -> None:
    """Keep the KEPT_CACHES databases used last."""
    found = sorted(folder.glob("*.duckdb"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found[KEPT_CACHES:]:
        path.unlink(missing_ok=True)
