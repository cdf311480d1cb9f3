"""How fast whole files become typed rows with lineage, in megabytes of text a second.

    python -m bench.ingest FOLDER

For each format: its bulk reader over DuckDB's line reader into a table with the file's number and the line's, of one file; and all that the
store does with all files of the format: telling what they are, every check, the rows with the file and the line of each, on disk.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.generate import FILES
from kyumei import discover
from kyumei.layouts.casts import quoted
from kyumei.store.case import connect, open_case

RUNS, PATIENCE = 5, 10.0
"""How often a speed is measured at most, and seconds after which it is not begun again."""
FORMATS = {"alb_access": "alb", "nginx_access": "nginx", "waf": "waf", "app_log": "app"}


def bulk(folder: Path, name: str) -> tuple[float, int]:
    """Seconds that the bulk reader of a format takes for one file, and the rows that it read."""
    path = folder / FILES[FORMATS[name]][0]
    lines = (
        f"(SELECT 1 AS _artifact, row_number() OVER () AS _line, line AS text FROM read_csv({quoted(str(path))}, delim='\\x01', quote='', "
        "escape='', header=false, auto_detect=false, columns={'line': 'VARCHAR'}, strict_mode=false))"
    )
    with tempfile.TemporaryDirectory() as scratch:
        con = connect(Path(scratch) / "ingest.duckdb")
        start = perf_counter()
        con.execute(f"CREATE TABLE rows AS {discover.formats()[name].layout.bulk(lines)}")
        taken = perf_counter() - start
        read = con.execute("SELECT count(*) FILTER (WHERE _ok) FROM rows").fetchone()
        con.close()
    return taken, read[0] if read else 0


def store(folder: Path, name: str) -> tuple[float, int]:
    """Megabytes of text a second that the store takes in, and the rows that it read."""
    files = [folder / file for file in FILES[FORMATS[name]]]
    with tempfile.TemporaryDirectory() as scratch:
        start = perf_counter()
        case = open_case(files[0].parent, None, lambda *_: None, lambda _: (), cache=Path(scratch))
        taken = perf_counter() - start
        rows = case.value(f'SELECT count(*) FROM "{name}"')
        case.close()
    return sum(file.stat().st_size for file in files) / 1e6 / taken, rows


def best(folder: Path, name: str) -> tuple[float, int]:
    """The best of some runs of ``store``: what else the machine does meanwhile only ever takes away from a speed."""
    found: list[tuple[float, int]] = []
    start = perf_counter()
    while len(found) < RUNS and (not found or perf_counter() - start < PATIENCE):
        found.append(store(folder, name))
    return max(found)


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Megabytes of text a second and rows, by format and way."""
    found: dict[str, dict[str, float]] = {}
    for name, kind in FORMATS.items():
        megabytes = (folder / FILES[kind][0]).stat().st_size / 1e6
        bulk_seconds, bulk_rows = bulk(folder, name)
        store_speed, store_rows = best(folder, name)
        found[name] = {
            "bulk_mb_per_second": megabytes / bulk_seconds,
            "bulk_rows": bulk_rows,
            "store_mb_per_second": store_speed,
            "store_rows": store_rows,
        }
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]))) + "\n")
