"""Rows of CloudFront that say Error and nothing else: the origin's error, one from the cache, AWS WAF, signed URLs, or a function.

For a 403 the tests go in the order of the failure knowledge base: WAF's log, the origin's log, then what the distribution asks for. None of
them is proven, for the row itself does not name it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from kyumei.edge.cloudfront.edge_judge import answered_well, fetched
from kyumei.edge.cloudfront.finding import FRONTS, LOGS, TABLE, Judged, Part, config_gap, origin_gap, silent_fronts, span
from kyumei.edge.cloudfront.function_url import failed
from kyumei.edge.cloudfront.results import GENERATED, OUTCOMES, UNSIGNED, Family, outcome_of
from kyumei.edge.cloudfront.setting import CACHED_SECONDS, error_seconds, place_of, wants_signature
from kyumei.edge.cloudfront.signed import is_signed, refused_for
from kyumei.edge.documents import as_map
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import View
    from kyumei.edge.cloudfront.edge_judge import Row
    from kyumei.edge.cloudfront.setting import Place

FORBIDDEN = 403
QUICK = 0.1
"""Seconds within which an edge answers from its cache."""
_KEPT = next(one for one in OUTCOMES if one.family is Family.CACHED)
_SIGNED = next(one for one in OUTCOMES if "InvalidRequestBlocked" in one.results)
_NEAR = timedelta(seconds=5)


def parts(view: View) -> list[Part]:
    """Failures of which CloudFront's row says Error, and nothing says who answered."""
    found = []
    for failure in view.failures:
        rows = tuple(row for row in failure.rows if _untold(row))
        if failure.hop == "unknown" and failure.table == TABLE and rows:
            found.append(Part(failure, _KEPT, rows, failure.total if len(rows) == len(failure.rows) else len(rows)))
    return found


def _untold(row: Mapping[str, object]) -> bool:
    return row.get("edge_result_type") == "Error" and row.get("edge_detailed_result_type") in {"Error", None} and outcome_of(row) is None


def generated(view: View) -> list[Gap]:
    """What would decide where a function at the edge made the response by itself, as it was written to."""
    rows = [row for failure in view.failures if failure.table == TABLE for row in failure.rows]
    told = [row for row in rows if {row.get("edge_detailed_result_type"), row.get("edge_result_type")} & GENERATED]
    if not told:
        return []
    how = "aws lambda get-function --region us-east-1 --function-name <FUNCTION>, or aws cloudfront get-function --name <FUNCTION>"
    return [Gap("code of the function at the edge", f"why the function answered {told[0]['status']} itself", how)]


def judge(view: View, part: Part) -> tuple[Part, Judged]:
    """What the case tells of such requests; the part with the outcome that it comes to."""
    quiet = silent_fronts(view, part.failure, part.rows)
    place = place_of(view, part.row)
    if kept := _from_cache(view, part, place, quiet):
        return part, kept
    if part.row.get("status") == FORBIDDEN:
        if expired := _expired(view, part, place, quiet):
            return Part(part.failure, UNSIGNED, part.rows, part.total), expired
        return Part(part.failure, _SIGNED, part.rows, part.total), _forbidden(view, part, place, quiet)
    if run := failed(view, part, place.host):
        return run
    gap = origin_gap(part, "whether the origin answered so, or CloudFront did", place)
    return part, Judged(None, gaps=() if quiet else (gap,))


def _from_cache(view: View, part: Part, place: Place, quiet: list[str]) -> Judged | None:
    """An error that was kept: the origin did not get this request, but got an earlier one, as the distribution keeps such errors."""
    row, status = part.row, part.row.get("status")
    seconds = row.get("request_seconds")
    if not quiet or not isinstance(seconds, int | float) or seconds > QUICK or row.get("method") not in {"GET", "HEAD"}:
        return None
    kept = error_seconds(place, status) if isinstance(status, int) else None
    first = _fetched(view, row, quiet, CACHED_SECONDS if kept is None else kept)
    if first is None:
        return None
    apart = (span(row)[0] - first["time"]).total_seconds()
    says = (
        f"The origin gave the same error to an earlier request at {first['time']:%H:%M:%S} UTC, {apart:.0f} s before, and not to this one"
    )
    return Judged(Certainty.LIKELY, (Evidence(says, view.cite([first])), *_silence(quiet)))


def _fetched(view: View, row: Mapping[str, object], hops: list[str], kept: float) -> Row | None:
    """The last request for the same address that got the error from the origin, no longer ago than the error is kept.

    Between it and this one may lie others that were answered from the cache, none of them well: that would have filled it anew.
    """
    began = span(row)[0]
    for hop in hops:
        errors = view.rows(
            f'SELECT time FROM "{LOGS[hop]}" WHERE path = ? AND status = ? AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP '
            "ORDER BY time DESC LIMIT 20",
            *(row.get("path"), row.get("status"), began - timedelta(seconds=kept + 1) - _NEAR, began),
        )
        for error in errors:
            first = fetched(view, row, error["time"] - _NEAR, error["time"] + _NEAR)
            if first and (began - first["time"]).total_seconds() <= kept + 1 and not answered_well(view, row, first["time"]):
                return first
    return None


def _silence(hops: list[str]) -> list[Evidence]:
    return [Evidence(f"{FRONTS[hop]} at the origin does not have the request, though its log covers the moment") for hop in hops]


def _expired(view: View, part: Part, place: Place, quiet: list[str]) -> Judged | None:
    """A signed URL that CloudFront had to refuse, by the times and addresses in it; null where most of the requests had a good one."""
    told = [said for row in part.rows if (said := refused_for(row))]
    if not told or not (first := refused_for(part.row)) or len(told) * 2 < len(part.rows):
        return None
    carried = f"By what it carries in its query string or cookies, the request's signed URL {first}"
    evidence = [Evidence(carried, view.cite([part.row])), *_silence(quiet)]
    if place.distribution is None:
        gap = config_gap(place, "whether the path is for signed URLs only")
        return Judged(Certainty.POSSIBLE, tuple(evidence), gaps=(gap,), more={"what": first})
    if not wants_signature(place):
        return None
    evidence.insert(0, Evidence("The path's cache behavior serves signed URLs and cookies only", (place.distribution.citation,)))
    return Judged(Certainty.LIKELY, tuple(evidence), more={"what": first})


def _forbidden(view: View, part: Part, place: Place, quiet: list[str]) -> Judged:
    """A 403 of which only Error is told, tested in order."""
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    asked = _asked_firewall(view, place)
    if asked is None:
        acl = str(place.distribution.config.get("WebACLId")) if place.distribution else "<WEB_ACL_ARN>"
        how = f"aws wafv2 get-logging-configuration --region us-east-1 --resource-arn {acl}, then copy the files of that hour"
        gaps.append(Gap("AWS WAF log of the CloudFront distribution", "whether AWS WAF blocked the request at CloudFront", how))
    else:
        ruled_out.append(RuledOut("EDGE-022", asked))
    if not quiet:
        gaps.append(origin_gap(part, "whether the origin answered 403, or CloudFront did", place))
    if place.distribution is None:
        gaps.append(
            config_gap(place, "whether the distribution asks for signed URLs, refuses countries, or lacks the name that was asked for")
        )
    if place.distribution is None or not wants_signature(place) or is_signed(part.row):
        return Judged(None, ruled_out=tuple(ruled_out), gaps=tuple(gaps))
    says = "The path's cache behavior serves signed URLs and cookies only, and the request has no signature in its query string"
    evidence = (Evidence(says, (place.distribution.citation,)), *_silence(quiet))
    unsure = bool(gaps) or part.row.get("cookie") is None
    if part.row.get("cookie") is None:
        gaps.append(config_gap(place, "whether the request had signed cookies: turn on cookie logging, or look at the browser"))
    more = {"what": ": the path asks for a signed URL or signed cookies, and the request has none"}
    sure = Certainty.POSSIBLE if unsure and (not quiet or asked is None) else Certainty.LIKELY
    return Judged(sure, evidence, tuple(ruled_out), tuple(gaps), more)


def _asked_firewall(view: View, place: Place) -> str | None:
    """Why AWS WAF at CloudFront is excluded; null where it is not."""
    if place.distribution is not None and as_map(place.distribution.config).get("WebACLId") == "":
        return "the distribution has no web ACL"
    edge = view.rows("SELECT count(*) AS n FROM waf WHERE source_name = 'CF'")[0]["n"] if view.has("waf") else 0
    if edge and view.covers("waf"):
        return "the log of AWS WAF at CloudFront covers the moment and has no block of the request"
    return None
