"""The yardstick: the best DuckDB queries that we know for counting the lines of the generated logs by status, written for these very files.

    python -m bench.baseline FOLDER

They know what each file holds, need no line numbers and keep nothing; ``docs/`` tells no user to write such. Of several ways to
write each query the fastest stands here (bench/README.md has the others).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

from bench.generate import FILES

NGINX_FIELDS = 15


def queries(folder: Path) -> dict[str, str]:
    """One query for each kind of log: the status, or what stands for it, and how many lines have it."""
    return {
        # A left part of the line is copied and cut: 400 MB/s faster than 33 columns by delimiter.
        "alb": f"SELECT split_part(left(line, 160), ' ', 9) AS status, count(*) FROM {_lines(folder, 'alb')} GROUP BY 1",
        "nginx": f"SELECT status, count(*) FROM {_fields(folder, 'nginx', NGINX_FIELDS, 6)} GROUP BY 1",
        # One alternation-free pattern is faster than opening the JSON by line->>'$.action', and as right for what WAF writes.
        "waf": f'SELECT regexp_extract(line, \'"action":"([A-Z]+)"\', 1) AS status, count(*) FROM {_lines(folder, "waf")} GROUP BY 1',
        "app": f"SELECT line[25:29] AS status, count(*) FROM {_lines(folder, 'app')} WHERE line[5] = '-' GROUP BY 1",
    }


def _files(folder: Path, kind: str) -> str:
    found = [str(path) for name in FILES[kind] for path in (folder / name, folder / f"{name}.gz") if path.exists()]
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in found) + "]"


def _lines(folder: Path, kind: str) -> str:
    return (
        f"read_csv({_files(folder, kind)}, delim='\\x01', quote='', escape='', header=false, auto_detect=false, "
        "columns={'line': 'VARCHAR'}, strict_mode=false)"
    )


def _fields(folder: Path, kind: str, count: int, status: int) -> str:
    columns = ", ".join(f"'{'status' if number == status else f'c{number}'}': 'VARCHAR'" for number in range(count))
    return (
        f"read_csv({_files(folder, kind)}, delim=' ', quote='\"', escape='\"', header=false, auto_detect=false, "
        f"columns={{{columns}}}, strict_mode=false)"
    )


def count(folder: Path) -> dict[str, dict[str, int]]:
    """How many lines have which status, by kind of log."""
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    return {kind: dict(con.execute(query).fetchall()) for kind, query in queries(folder).items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(count(Path(sys.argv[1])), indent=1) + "\n")
