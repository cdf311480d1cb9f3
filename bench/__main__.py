"""``python -m bench``: makes logs, measures, prints a table.

    python -m bench [--megabytes N] [--rounds N] [--large] [--folder FOLDER]

``--large`` measures ten times as much text as well, once as ten days of the same site and once as one day of a site ten times as busy;
``--folder`` keeps the logs there for the next run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench.generate import OTHER_SENTENCE, SENTENCE, generate
from bench.measure import ROOT, Row, Run, ratio, run, table

NOW = "2025-02-07T00:00:00Z"
EXAMPLE = "403 Forbidden in the browser on 2025-02-06 around 14:32 JST"
STARTS = 5
MOST_RATIO, LEAST_GAIN, MOST_MEMORY, MOST_GROWTH = 2.5, 5.0, 1.5e9, 1.1
MOST_UNPROMPTED = 4.0
INGEST = {"alb_access": 150, "nginx_access": 150, "waf": 100, "app_log": None}
MOST_HELP, MOST_EXAMPLE = 0.3, 3.0


def main() -> int:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the speed and the memory of kyumei.")
    parser.add_argument("--megabytes", type=int, default=1000, help="text to generate")
    parser.add_argument("--rounds", type=int, default=5, help="how often each ratio is taken")
    parser.add_argument("--large", action="store_true", help="also measure ten times as much")
    parser.add_argument("--folder", type=Path, help="where the logs are kept for the next run")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = told.folder or Path(scratch)
        sys.stderr.write(f"{os.cpu_count()} processors, DuckDB {version('duckdb')}, Python {sys.version.split()[0]}\n")
        rows, peak = investigations(logs(folder, told.megabytes), f"{told.megabytes} MB of text", told.rounds)
        rows += investigations(logs(folder, told.megabytes, packed=True), f"{told.megabytes} MB of text, gzip", told.rounds)[0]
        rows += ingest(logs(folder, told.megabytes))
        if told.large:
            rows += large(folder, told.megabytes, peak)
        rows += starts()
    sys.stdout.write(table(rows) + "\n")
    return 0 if all(row.met is not False for row in rows) else 1


def logs(folder: Path, megabytes: int, *, packed: bool = False, days: int = 1) -> Path:
    """The generated logs of this size, made unless they are there."""
    made = folder / f"logs-{megabytes}-of-{days}{'-gzip' if packed else ''}"
    if not made.exists():
        sys.stderr.write(f"writing {made.name}\n")
        being_made = folder / f"{made.name}.part"
        generate(being_made, megabytes, packed=packed, days=days)
        being_made.rename(made)
    return made


def large(folder: Path, megabytes: int, peak: float) -> list[Row]:
    """Ten times as much text against ``peak``, the memory in bytes that the smaller folder took."""
    calm, busy = (first(logs(folder, megabytes * 10, days=days)) for days in (10, 1))
    what = f"{megabytes * 10} MB of text"
    return [
        Row(f"{what} of ten days: first investigation", f"{calm.seconds:.1f} s"),
        Row(f"{what} of ten days: peak memory", f"{calm.peak_bytes / 1e6:.0f} MB"),
        _at_most(f"{what} of ten days: peak memory / that of {megabytes} MB", calm.peak_bytes / peak, MOST_GROWTH),
        Row(f"{what} of one day: first investigation", f"{busy.seconds:.1f} s"),
        Row(f"{what} of one day: peak memory", f"{busy.peak_bytes / 1e6:.0f} MB"),
    ]


def investigate(folder: Path, cache: str, symptom: str | None = SENTENCE) -> Run:
    """One investigation as a process of its own; without a symptom of what stands out."""
    told = ["--symptom", symptom] if symptom else []
    return run(["-m", "kyumei", "investigate", str(folder), *told, "--now", NOW, "--json", "--cache", cache], codes=(0, 1))


def first(folder: Path) -> Run:
    """An investigation without a cache."""
    with tempfile.TemporaryDirectory() as cache:
        return investigate(folder, cache)


def investigations(folder: Path, what: str, rounds: int) -> tuple[list[Row], float]:
    """First and second investigations against the hand-written queries; also the peak memory in bytes."""
    firsts: list[Run] = []
    seconds: list[Run] = []
    others: list[Run] = []
    unprompted: list[Run] = []
    yardsticks: list[Run] = []
    run(["-m", "bench.baseline", str(folder)])
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as cache:
            yardsticks.append(run(["-m", "bench.baseline", str(folder)]))
            firsts.append(investigate(folder, cache))
            seconds.append(investigate(folder, cache))
            others.append(investigate(folder, cache, OTHER_SENTENCE))
        with tempfile.TemporaryDirectory() as cache:
            unprompted.append(investigate(folder, cache, None))
    time = [one.seconds for one in firsts]
    queries = [one.seconds for one in yardsticks]
    peak = max(one.peak_bytes for one in firsts)
    return [
        Row(f"{what}: hand-written queries", f"{median(one.seconds for one in yardsticks):.2f} s"),
        Row(f"{what}: first investigation", f"{median(time):.2f} s"),
        _at_most(f"{what}: first investigation / hand-written queries", ratio(time, queries), MOST_RATIO),
        _at_least(f"{what}: first / second investigation, the same question", ratio(time, [one.seconds for one in seconds]), LEAST_GAIN),
        _at_least(f"{what}: first / another symptom in the same window", ratio(time, [one.seconds for one in others]), LEAST_GAIN),
        _at_most(f"{what}: no symptom given / hand-written queries", ratio([one.seconds for one in unprompted], queries), MOST_UNPROMPTED),
        Row(f"{what}: peak memory", f"{peak / 1e6:.0f} MB", f"< {MOST_MEMORY / 1e6:.0f} MB", peak < MOST_MEMORY),
    ], peak


def ingest(folder: Path) -> list[Row]:
    """Whole files to typed rows with lineage."""
    found = json.loads(run(["-m", "bench.ingest", str(folder)]).output)
    rows = []
    for name, least in INGEST.items():
        speed = found[name]["store_mb_per_second"]
        met = speed >= least if least else None
        rows.append(Row(f"whole files of {name} to rows with lineage", f"{speed:.0f} MB/s", f">= {least} MB/s" if least else "", met))
        rows.append(Row(f"its bulk reader alone, on one core: {name}", f"{found[name]['bulk_mb_per_second']:.0f} MB/s"))
    return rows


def starts() -> list[Row]:
    """How long the small things take."""
    case = ROOT / "examples" / "waf-403" / "case"
    example = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as cache:
            example.append(investigate(case, cache, EXAMPLE).seconds)
    run(["-m", "kyumei", "--help"])
    shown = [run(["-m", "kyumei", "--help"]).seconds for _ in range(STARTS)]
    return [
        Row("kyumei --help", f"{median(shown):.2f} s", f"< {MOST_HELP} s", median(shown) < MOST_HELP),
        Row("the example's investigation", f"{median(example):.2f} s", f"< {MOST_EXAMPLE:.0f} s", median(example) < MOST_EXAMPLE),
    ]


def _at_most(what: str, figure: float, target: float) -> Row:
    return Row(what, f"{figure:.2f}", f"<= {target}", figure <= target)


def _at_least(what: str, figure: float, target: float) -> Row:
    return Row(what, f"{figure:.1f}", f">= {target:.0f}", figure >= target)


if __name__ == "__main__":
    sys.exit(main())
