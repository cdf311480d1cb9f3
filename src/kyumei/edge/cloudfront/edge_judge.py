"""How sure it is why CloudFront answered without its origin: from its cache, by a function, a limit or a setting of the distribution."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.cloudfront.finding import LOGS, TABLE, Judged, config_gap, origin_gap, silence, span
from kyumei.edge.cloudfront.judge import arrived
from kyumei.edge.cloudfront.setting import error_seconds, functions, geography, methods, place_of, wants_signature
from kyumei.edge.cloudfront.signed import refused_for
from kyumei.edge.function.at_edge import edge_name, failed_runs
from kyumei.edge.metrics import reading
from kyumei.model.finding import Certainty, Evidence, Gap, RuledOut

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from kyumei.contracts import View
    from kyumei.edge.cloudfront.finding import Part
    from kyumei.edge.cloudfront.setting import Place

Row = dict[str, Any]
FRESH = "RefreshHit"
KEPT = timedelta(hours=24)
"""How far back the answer that filled the cache is looked for."""
WELL = timedelta(minutes=30)
SAID = 160
"""Characters of a log's line that a sentence holds."""


def cached(view: View, part: Part) -> Judged:
    """An error from the cache: nothing arrived at the origin, and an earlier request had fetched it."""
    place, quiet = place_of(view, part.row), silence(view, part)
    evidence = list(quiet)
    if first := fetched(view, part.row):
        says = f"The same error was fetched at {first['time']:%H:%M:%S} UTC (result {first['edge_result_type']}) and kept since"
        evidence.append(Evidence(says, view.cite([first])))
    if well := _well(view, part.row):
        says = f"The origin answers {part.row.get('path')} well: {well['status']} at {well['time']:%H:%M:%S} UTC"
        evidence.append(Evidence(says, view.cite([well])))
    status = part.row["status"]
    kept = error_seconds(place, status) if isinstance(status, int) else None
    if kept is not None and place.distribution is not None:
        says = f"The distribution keeps errors with status {status} for at least {kept:g} s"
        evidence.append(Evidence(says, (place.distribution.citation,)))
    # For a RefreshHit CloudFront asks the origin whether its copy still holds: silence there confirms less.
    plain = part.row.get("edge_result_type") != FRESH
    sure = Certainty.PROVEN if (quiet and plain) or (not plain and well and first) else Certainty.LIKELY
    gaps = () if quiet else (origin_gap(part, "whether the origin was asked, and answers well by now"),)
    return Judged(sure, tuple(evidence), gaps=gaps)


_SAME = (
    "path IS NOT DISTINCT FROM ? AND query IS NOT DISTINCT FROM ? AND host IS NOT DISTINCT FROM ? AND distribution IS NOT DISTINCT FROM ? "
    "AND edge_location IS NOT DISTINCT FROM ? AND method IN ('GET', 'HEAD')"
)
"""What a cache knows an object by, and where."""


def fetched(view: View, row: Mapping[str, object], since: datetime | None = None, until: datetime | None = None) -> Row | None:
    """The last earlier request for the same address whose error did not come from the cache, between two times in UTC."""
    ended = span(row)[1]
    found = view.rows(
        f"SELECT * FROM {TABLE} WHERE {_SAME} AND status = ? AND time < ?::TIMESTAMP AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
        "AND edge_result_type IN ('Miss', 'Error') ORDER BY time DESC LIMIT 1",
        *(*_address(row), row.get("status"), ended, since or ended - KEPT, until or ended),
    )
    return found[0] if found else None


def answered_well(view: View, row: Mapping[str, object], since: datetime) -> bool:
    """Whether a request for the same address went well between a time and this one."""
    where = f"{_SAME} AND status BETWEEN 200 AND 399 AND time > ?::TIMESTAMP AND time < ?::TIMESTAMP"
    return bool(view.rows(f"SELECT 1 AS one FROM {TABLE} WHERE {where} LIMIT 1", *_address(row), since, span(row)[1]))


def _address(row: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(row.get(name) for name in ("path", "query", "host", "distribution", "edge_location"))


def _well(view: View, row: Mapping[str, object]) -> Row | None:
    """A request for the same path that the origin answered well around then, by its own log."""
    for table in LOGS.values():
        if view.has(table):
            found = view.rows(
                f'SELECT _artifact, _line, time, status FROM "{table}" WHERE path IS NOT DISTINCT FROM ? AND status BETWEEN 200 AND 399 '
                "AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY abs(epoch(time - ?::TIMESTAMP)), _artifact, _line LIMIT 1",
                row.get("path"),
                span(row)[0] - WELL,
                span(row)[1] + WELL,
                row["time"],
            )
            if found:
                return found[0]
    return None


def function(view: View, part: Part) -> Judged:
    """A function at the edge failed: its metrics, its own log, or the behavior's configuration, say that there is one."""
    place, of_lambda = place_of(view, part.row), "Function" not in part.outcome.sign.metrics[0]
    names = functions(place, of_lambda=of_lambda)
    evidence: list[Evidence] = []
    more = {"function": names[0]} if names else {}
    if names and place.distribution is not None:
        evidence.append(Evidence(f"The path's cache behavior runs {' and '.join(names)}", (place.distribution.citation,)))
    # What goes wrong in CloudFront's own functions is counted by function, in Lambda's by distribution.
    times, about = (
        [row["time"] for row in part.rows],
        [*([place.identity] if place.identity else []), *(f"function:{one}" for one in names)],
    )
    told = [found for metric in part.outcome.sign.metrics if (found := reading(view, metric, times, about))]  # type: ignore[arg-type] # rows of this table have a time
    moved = next((one for one in told if one.peak > 0), None)
    if moved is not None:
        evidence.append(Evidence(f"CloudWatch agrees: {moved.words}", moved.citations, total=len(moved.points)))
    runs = failed_runs(view, part.rows, names) if of_lambda else []
    if runs:
        says = f"The log of the function at the edge says in the same seconds: {str(runs[0]['message']).splitlines()[0][:SAID]}"
        evidence.append(Evidence(says, view.cite(runs), total=len(runs)))
        more["function"] = edge_name(str(runs[0]["function"] or more.get("function") or "")) or "<FUNCTION>"
    elif moved is None and place.distribution is not None and place.behavior and not names:
        says = "Against it: the path's cache behavior runs no function, as the configuration in the case has it"
        evidence.append(Evidence(says, (place.distribution.citation,)))
        return Judged(Certainty.POSSIBLE, tuple(evidence), gaps=(_changes(place), _log(of_lambda=of_lambda)))
    gaps = [_log(of_lambda=of_lambda, name=more.get("function", ""))] if not moved and not runs else []
    gaps += [] if place.distribution or runs else [config_gap(place, "which function runs for the path")]
    return Judged(Certainty.PROVEN if moved or names or runs else Certainty.LIKELY, tuple(evidence), gaps=tuple(gaps), more=more)


def limit(view: View, part: Part) -> Judged:
    """A limit was met: how many requests there were in that minute, and that none arrived."""
    quiet = silence(view, part)
    row = part.row
    counted = view.rows(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE edge_result_type = ?) AS refused FROM {TABLE} WHERE distribution IS NOT DISTINCT "
        "FROM ? AND time BETWEEN ?::TIMESTAMP - INTERVAL 30 SECOND AND ?::TIMESTAMP + INTERVAL 30 SECOND",
        row.get("edge_result_type"),
        row.get("distribution"),
        row["time"],
        row["time"],
    )[0]
    evidence = [Evidence(f"Of {counted['n']} requests in that minute {counted['refused']} met the same limit", total=counted["refused"])]
    gaps = () if quiet else (origin_gap(part, "that the requests never arrived at the origin"),)
    return Judged(Certainty.PROVEN if quiet else Certainty.LIKELY, (*evidence, *quiet), gaps=gaps)


def setting(view: View, part: Part) -> Judged:
    """A setting of the distribution refused the request: the configuration says the same, or the opposite."""
    place, quiet = place_of(view, part.row), silence(view, part)
    if seen := arrived(part):
        why = "the request arrived at the origin: the distribution let it pass"
        return Judged(None, ruled_out=(RuledOut(part.outcome.sign.code, why, view.cite(seen, 1)),))
    agrees, says, what = _configured(place, part.row)
    evidence = list(quiet)
    if says and place.distribution is not None:
        evidence.append(Evidence(says if agrees else f"Against it: {says}", (place.distribution.citation,)))
    if agrees is False:
        return Judged(Certainty.POSSIBLE, tuple(evidence), gaps=(_changes(place),))
    gaps = () if quiet or agrees else (config_gap(place, "whether the distribution is set so"),)
    return Judged(Certainty.PROVEN if quiet or agrees else Certainty.LIKELY, tuple(evidence), gaps=gaps, more={"what": what})


def _configured(place: Place, row: Mapping[str, object]) -> tuple[bool | None, str, str]:
    """Whether the configuration refuses the request (null where it does not tell), in words, and what it adds to the cause."""
    detail, method, country = row.get("edge_detailed_result_type"), row.get("method"), row.get("country")
    if detail == "InvalidRequestMethod" and (taken := methods(place)):
        listed = ", ".join(sorted(taken))
        return method not in taken, f"The path's cache behavior takes {listed}", f": it takes {listed} only"
    if detail == "InvalidRequestBlocked" and wants_signature(place) and (why := refused_for(row)):
        return True, "The path's cache behavior serves signed URLs and cookies only", f": the signed URL {why}"
    if detail == "ClientGeoBlocked" and place.distribution is not None:
        kind, countries = geography(place)
        if kind == "none":
            return False, "the distribution has no geographic restriction, as the configuration in the case has it", ""
        if kind in {"whitelist", "blacklist"}:
            words = f"The distribution has a {kind} of countries: {', '.join(sorted(countries)) or 'none'}"
            if country is None:
                return None, words, ""
            return (country in countries) is (kind == "blacklist"), f"{words}; the viewer's is {country}", f" ({country})"
    return None, "", ""


def _changes(place: Place) -> Gap:
    identity = place.identity or "<DISTRIBUTION_ID>"
    return Gap(
        "CloudTrail events about the CloudFront distribution",
        "whether the distribution was set otherwise at that moment than in the configuration here",
        f"aws cloudtrail lookup-events --region us-east-1 --lookup-attributes AttributeKey=ResourceName,AttributeValue={identity}",
    )


def _log(*, of_lambda: bool, name: str = "") -> Gap:
    where = "the Region nearest to the viewer" if of_lambda else "us-east-1"
    region, group = ("<REGION>", "/aws/lambda/us-east-1.") if of_lambda else ("us-east-1", "/aws/cloudfront/function/")
    return Gap(
        f"log of the function at the edge (CloudWatch Logs of {where})",
        "what the function did wrong",
        f"aws logs filter-log-events --region {region} --log-group-name {group}{name or '<FUNCTION>'} --start-time <MS> --end-time <MS>",
    )
