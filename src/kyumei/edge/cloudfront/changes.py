"""What was changed on a distribution, or on the DNS name of its origin, before CloudFront's answers for a path began to fail.

The distribution is known by its id, from the log's file or the configuration. Which of its settings a change touched the event does not
say: it holds the whole new configuration; so a change is shown, and proves nothing by itself.

Follows "Logging Amazon CloudFront API calls using AWS CloudTrail" in the CloudFront Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.edge.changes import AFTER, SLACK, Resource, changes, shown, turn
from kyumei.edge.literals import same

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View
    from kyumei.edge.cloudfront.setting import Place
    from kyumei.model.finding import Evidence

CALLS = frozenset({"UpdateDistribution", "UpdateDistributionWithStagingConfig", "AssociateAlias"})
NAMES = frozenset({"ChangeResourceRecordSets"})
UNRESOLVED = "EDGE-087"


def changed_distribution(view: View, row: Mapping[str, Any], place: Place, code: str) -> tuple[Evidence, ...]:
    """The changes between the last good answer for a row's path and the first that failed like it."""
    if not view.has("cloudtrail"):
        return ()
    here = " AND ".join(same(name, row.get(name)) for name in ("distribution", "path"))
    failing = (
        f"{here} AND {same('status', row.get('status'))} AND {same('edge_detailed_result_type', row.get('edge_detailed_result_type'))}"
    )
    when = turn(view, "cloudfront_access", f"{here} AND status BETWEEN 100 AND 399", failing, row["time"])
    if when is None:
        return ()
    found = changes(view, CALLS, Resource((place.identity,)), when.well - SLACK, when.failed + AFTER) if place.identity else []
    if code == UNRESOLVED and place.host:
        found += changes(view, NAMES, Resource((place.host, f"{place.host}.")), when.well - SLACK, when.failed + AFTER)
    told = shown(view, sorted(found, key=lambda one: one.time, reverse=True), when)
    return (told,) if told else ()
