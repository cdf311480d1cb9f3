"""``python -m bench.standouts``: how often a healthy log is called unhealthy, and how often a failure in one is found and dated right.

    python -m bench.standouts [--seeds N] [--first SEED]

The logs are those of ``incidents.days``. Only what stands out is looked for (``kyumei.diagnose.standouts``), not its cause. A failure is
found where the first standout has its status, lies in its time, and names its path where it has one; it is dated right where the
standout begins within two minutes of the first failing request; the end is right where it is rightly called over or going on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from incidents.days import LASTING, STEADY, TROUBLES, day
from kyumei.correlate.survey import create_pulse
from kyumei.diagnose.standouts import standouts
from kyumei.store.case import Case, connect
from kyumei.store.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.days import Day, Hit, Trouble
    from kyumei.model.standout import Standout

FEWEST = 8
"""A failure of fewer requests is not asked for."""
NEAR = timedelta(minutes=2)
SIZES = ((6, 8.0), (3, 2.0), (76, 2.0))
"""Hours of a log and its requests a minute: a morning, a small site, three days."""


@dataclass(frozen=True)
class Outcome:
    """How one log was judged."""

    trouble: Trouble | None
    found: bool
    dated: bool
    ended: bool
    others: int


def surveyed(hits: Sequence[Hit], hop: str = "nginx") -> list[Standout]:
    """What stands out in some requests."""
    case = Case(Path(), connect(None), Settings(), whole=True)
    try:
        columns = (
            [hop] * len(hits),
            [hit.status for hit in hits],
            [hit.at.astimezone(UTC).replace(tzinfo=None) for hit in hits],
            [hit.path for hit in hits],
            [hit.client for hit in hits],
            [hit.agent for hit in hits],
        )
        names = ("hop", "status", "time", "path", "client", "user_agent")
        case.con.execute(f"CREATE TEMP TABLE hits AS SELECT {', '.join(f'unnest(?) AS {name}' for name in names)}", columns)
        create_pulse(case.con, ["SELECT * FROM hits"])
        return standouts(case)
    finally:
        case.close()


def judged(trouble: Trouble | None, told: Day, found: Sequence[Standout]) -> Outcome:
    """What was found, measured against what is true."""
    if trouble is None or not told.failing:
        return Outcome(None, found=False, dated=False, ended=False, others=len(found))
    first, last = told.failing[0].at, told.failing[-1].at
    right = [one for one in found if one.status == told.status and one.onset <= last and one.last >= first and _names(told, one)]
    best = right[0] if right and right[0] is found[0] else None
    return Outcome(
        trouble,
        found=best is not None,
        dated=best is not None and (trouble in STEADY or abs(best.onset - first) <= NEAR),
        ended=best is not None and best.ongoing == (trouble in LASTING or trouble in STEADY),
        others=len(found) - len(right),
    )


def _names(told: Day, one: Standout) -> bool:
    """Whether a standout is of the path of the trouble."""
    return told.path is None or (not one.paths) or told.path.replace("#", "*") in one.paths


def measure(seeds: Sequence[int], troubles: Sequence[Trouble | None] = (None, *TROUBLES)) -> list[Outcome]:
    """The outcomes of all troubles, sizes and seeds."""
    found = []
    for trouble in troubles:
        for hours, per_minute in SIZES:
            for seed in seeds:
                told = day(seed, trouble, hours=hours, per_minute=per_minute)
                if trouble is None or len(told.failing) >= FEWEST:
                    found.append(judged(trouble, told, surveyed(told.hits)))
    return found


def report(outcomes: Sequence[Outcome]) -> str:
    """The figures as text."""
    healthy = [one for one in outcomes if one.trouble is None]
    lines = [f"healthy logs called unhealthy: {sum(one.others > 0 for one in healthy)} of {len(healthy)}", ""]
    lines.append(f"{'failure':18}{'found':>9}{'dated':>9}{'end':>9}{'told besides':>15}")
    for trouble in TROUBLES:
        own = [one for one in outcomes if one.trouble == trouble]
        cells = [f"{sum(getattr(one, name) for one in own)}/{len(own)}" for name in ("found", "dated", "ended")]
        lines.append(f"{trouble:18}{''.join(f'{cell:>9}' for cell in cells)}{sum(one.others for one in own):>15}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.standouts", description="Measure how failures are found without a symptom.")
    parser.add_argument("--seeds", type=int, default=10, help="how many logs of each kind and size")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    told = parser.parse_args()
    print(report(measure(range(told.first, told.first + told.seeds))))  # noqa: T201 - the result of the command


if __name__ == "__main__":
    main()
