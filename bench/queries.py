"""``python -m bench.queries FOLDER``: a question about few of many lines, by kyumei and by SQL written by hand; and beside lnav, if there.

Whole processes, one right after the other; kyumei without a cache. The folder is one that ``python -m bench --folder DIR`` made. By hand
means the best query that we know: the lines that hold the text asked for, and only those cut into what the answer needs. It knows what
the files are, trusts that every such line is a record, and answers no line numbers.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.generate import FILES
from bench.measure import Row, ratio, run, table
from kyumei.store.case import open_case

ROUNDS = 3
LEAST = 0.7
"""The speed of kyumei that is aimed at, as a share of that of the query by hand."""
LINES = (
    "read_csv([{files}], delim='\\x01', quote='', escape='', header=false, auto_detect=false, columns={{'line': 'VARCHAR'}}, "
    "strict_mode=false)"
)
QUESTIONS = {
    "one trace id": (
        "SELECT time, status, path FROM alb_access WHERE trace_id = '{trace}'",
        "SELECT split_part(line, ' ', 2), split_part(line, ' ', 9), split_part(line, '\"', 2) FROM {lines} WHERE contains(line, '{trace}')",
    ),
    "502 by minute": (
        "SELECT date_trunc('minute', time) AS minute, count(*) AS n FROM alb_access WHERE status = 502 GROUP BY 1 ORDER BY 1",
        "SELECT left(split_part(line, ' ', 2), 16), count(*) FROM {lines} WHERE split_part(left(line, 160), ' ', 9) = '502' GROUP BY 1",
    ),
}
"""Questions about the load balancer's log: in kyumei's tables, and by hand."""


def by_hand(sql: str) -> str:
    """A program that prints the rows of a query."""
    return f"import duckdb\nfor row in duckdb.connect().execute({sql!r}).fetchall(): print(row)"


def rows_of_lnav(file: Path) -> tuple[float, int]:
    """Seconds that lnav takes to count one file's records by status, and how many it found."""
    sql = ";SELECT elb_status_code, count(*) AS n FROM alb_log GROUP BY 1"
    with tempfile.TemporaryDirectory() as home:
        command = ["lnav", "-n", "-c", sql, "-c", ":write-json-to -", str(file)]
        start = perf_counter()
        ran = subprocess.run(command, env={**os.environ, "HOME": home}, capture_output=True, check=True, encoding="utf-8")  # noqa: S603 - a peer
        seconds = perf_counter() - start
    return seconds, sum(row["n"] for row in json.loads(ran.stdout))


def measured(folder: Path) -> list[Row]:
    """What is measured, as rows of the result."""
    files = [folder / name for name in FILES["alb"]]
    with files[0].open() as log:
        trace = log.readlines(1_000_000)[1000].split("Root=")[1].split('"')[0]
    lines = LINES.format(files=", ".join(f"'{file}'" for file in files))
    found: list[Row] = []
    for name, (asked, sql) in QUESTIONS.items():
        ours, theirs = [], []
        for _ in range(ROUNDS):
            theirs.append(run(["-c", by_hand(sql.format(lines=lines, trace=trace))]).seconds)
            with tempfile.TemporaryDirectory() as cache:
                question = asked.format(trace=trace)
                ours.append(run(["-m", "kyumei", "query", "--sql", question, "--cache", cache, str(folder)]).seconds)
        speed = ratio(theirs, ours)
        found.append(Row(f"{name}: by hand / kyumei ({min(ours):.2f} s for all files)", f"{speed:.2f}", f">= {LEAST}", met=speed >= LEAST))
    if shutil.which("lnav"):
        found += [_reading_beside_lnav(files[0]), _beside_lnav(files[0])]
    return found


def _reading_beside_lnav(file: Path) -> Row:
    """One file's records brought into rows, without the start of either: lnav's is what it takes for a single record."""
    with tempfile.TemporaryDirectory() as scratch, file.open(encoding="utf-8") as log:
        one, case = Path(scratch) / "one.log", Path(scratch) / "case"
        one.write_text(log.readline(), encoding="utf-8")
        case.mkdir()
        shutil.copy(file, case)
        theirs = min(rows_of_lnav(file)[0] - rows_of_lnav(one)[0] for _ in range(ROUNDS))
        ours = min(_seconds_of_reading(case) for _ in range(ROUNDS))
    return Row(
        f"{file.stat().st_size / 1e6:.0f} MB of ALB into rows, without the start: lnav / kyumei ({ours:.2f} s)",
        f"{theirs / ours:.2f}",
        "> 1",
        met=theirs > ours,
    )


def _seconds_of_reading(folder: Path) -> float:
    """Seconds until the rows of a folder can be asked."""
    with tempfile.TemporaryDirectory() as cache:
        start = perf_counter()
        case = open_case(folder, None, lambda *_: None, lambda _: (), cache=Path(cache))
        seconds = perf_counter() - start
        case.close()
    return seconds


def _beside_lnav(file: Path) -> Row:
    """One file's records by status, by lnav and by kyumei."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "case").mkdir()
        shutil.copy(file, Path(scratch) / "case")
        question = "SELECT status, count(*) AS n FROM alb_access GROUP BY 1"
        theirs, rows = rows_of_lnav(file)
        ours = run(["-m", "kyumei", "query", "--sql", question, "--json", "--cache", f"{scratch}/cache", f"{scratch}/case"])
    own = sum(row["n"] for row in json.loads(ours.output))
    return Row(
        f"{file.stat().st_size / 1e6:.0f} MB of ALB by status: lnav ({rows} records) / kyumei ({own} records, {ours.seconds:.2f} s)",
        f"{theirs / ours.seconds:.2f}",
        "> 1",
        met=theirs > ours.seconds,
    )


if __name__ == "__main__":
    sys.stdout.write(table(measured(Path(sys.argv[1]))) + "\n")
