"""That CloudWatch counted server errors at the moment, of which the logs of the case have none.

A metric counts every request of what it is of, whichever log is in the folder; whether it is of the same thing, a graph does not tell.
Follows "Amazon API Gateway dimensions and metrics", "Viewing CloudFront and edge function metrics" and "CloudWatch metrics for your
Application Load Balancer".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.diagnose.doubts import Doubt
from kyumei.model.finding import Gap
from kyumei.model.status import SERVER_ERROR
from kyumei.store.filled import has_rows

if TYPE_CHECKING:
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

METRICS = ("5XXError", "5xx", "5xxErrorRate", "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count", "HTTPCode_Backend_5XX")


def errors_in_metrics(case: Case, symptom: Symptom, window: Window) -> Doubt | None:
    """The first such count in the window, where a server error was told and no log has one then."""
    told = symptom.status >= SERVER_ERROR if symptom.status is not None else symptom.status_class == SERVER_ERROR // 100
    if not told or not has_rows(case.con, "metric"):
        return None
    rows = case.rows(
        f"SELECT metric, label, time, greatest(value, sum) AS value FROM metric WHERE metric IN {METRICS} AND greatest(value, sum) > 0 "
        "AND coalesce(stat, 'Sum') <> 'SampleCount' AND time >= $1::TIMESTAMP AND time < $2::TIMESTAMP "
        "AND NOT EXISTS (SELECT 1 FROM sightings s WHERE "
        f"s.status >= {SERVER_ERROR} AND s.time >= $1::TIMESTAMP AND s.started < $2::TIMESTAMP) "
        "ORDER BY time LIMIT 1",
        [moment.replace(tzinfo=None) for moment in (window.start, window.end)],
    )
    if not rows:
        return None
    found = rows[0]
    gap = Gap(
        f"log of what the metric {found['label'] or found['metric']} is of",
        "whether the errors that CloudWatch counted at the moment are of these requests: no log here has them",
        "see of which API, distribution or load balancer the metric is, and copy its access log of that minute into the folder",
    )
    return Doubt(f"but {found['metric']} is {found['value']:g} at {found['time']:%H:%M} UTC, by CloudWatch's own count", gap)
