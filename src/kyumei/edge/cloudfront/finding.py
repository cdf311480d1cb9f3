"""What every finding about CloudFront's own answers is made of: the row in words, the origin's silence, filled-in commands."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, NamedTuple

from kyumei.edge.blanks import filled
from kyumei.edge.cloudfront.changes import changed_distribution
from kyumei.edge.cloudfront.results import Family, outcome_of
from kyumei.edge.cloudfront.setting import Place, place_of
from kyumei.edge.literals import among, literal, same
from kyumei.edge.probe import again
from kyumei.edge.request_words import request_words
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from kyumei.contracts import Failure, View
    from kyumei.edge.cloudfront.results import Outcome

TABLE = "cloudfront_access"
FRONTS = {
    "alb": "the load balancer",
    "clb": "the Classic Load Balancer",
    "apigateway": "API Gateway",
    "nginx": "nginx",
    "apache": "Apache httpd",
}
"""What may stand at the origin and writes a line for every request that arrives."""
LOGS = {
    "alb": "alb_access",
    "clb": "clb_access",
    "apigateway": "api_gateway_access",
    "nginx": "nginx_access",
    "apache": "apache_access",
}
NEAR = timedelta(seconds=5)
RELATED_SECONDS = 10
AROUND = timedelta(minutes=30)
LOOKED_AT = 5
_UNKNOWN = re.compile(r" <[A-Z_]+>")
_BUCKET = re.compile(r"\.s3(?:-website)?[.-](?:[a-z0-9.-]+\.)?amazonaws\.com$", re.ASCII)


class Part(NamedTuple):
    """Failing requests of one failure that CloudFront ended in one way. ``total`` counts all of them, also those not in ``rows``."""

    failure: Failure
    outcome: Outcome
    rows: tuple[Mapping[str, object], ...]
    total: int

    @property
    def row(self) -> Mapping[str, object]:
        """The record nearest to the symptom."""
        return self.rows[0]


@dataclass(frozen=True)
class Judged:
    """What became of a part: how sure, with which evidence, what is excluded and what is missing. Null ``certainty``: no finding."""

    certainty: Certainty | None
    evidence: tuple[Evidence, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    gaps: tuple[Gap, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    """Words for the blanks of the sign's texts."""
    layer: str = ""
    """Where the cause lies, if the evidence tells it better than the sign does."""
    proof: str = ""


def parts(view: View, families: Iterable[Family]) -> list[Part]:
    """The failing requests that ended so, in the order of the failures; those that the origin answered are none of them."""
    wanted = frozenset(families)
    found: list[Part] = []
    for failure in view.failures:
        if failure.table != TABLE or failure.hop not in {"cloudfront", "unknown"}:
            continue
        groups: dict[tuple[str, object], list[Mapping[str, object]]] = {}
        outcomes: dict[str, Outcome] = {}
        for row in failure.rows:
            outcome = outcome_of(row)
            # Where the correlation leaves open who answered, only the viewer's leaving is told by the row alone.
            if outcome and outcome.family in wanted and (failure.hop == "cloudfront" or outcome.family in TOLD):
                key = (outcome.sign.cause, row.get("status"))
                groups.setdefault(key, []).append(row)
                outcomes[outcome.sign.cause] = outcome
        for (cause, _), rows in groups.items():
            total = failure.total if len(rows) == len(failure.rows) else len(rows)
            found.append(Part(failure, outcomes[cause], tuple(rows), total))
    return found


TOLD = frozenset({Family.LEFT, Family.FUNCTION})
"""Families that a row tells of even where it is not known who answered."""


def record(view: View, part: Part) -> Evidence:
    """CloudFront's own rows, in words."""
    row = part.row
    status = f"{row['status']:03d}" if row.get("status") else "000"
    says = (
        f"CloudFront's own row for {request_words(row)} at {row['time']:%Y-%m-%d %H:%M:%S} UTC, edge location "
        f"{row.get('edge_location') or '?'}: status {status}, result {row.get('edge_result_type') or '-'}, detailed result "
        f"{row.get('edge_detailed_result_type') or '-'}"
    )
    if row.get("request_seconds") is not None:
        says += f", {row['request_seconds']:.3f} s"
    if part.total > 1:
        says += f"; {part.total - 1} more failing request{'s' if part.total > 2 else ''} like it"  # noqa: PLR2004 - one is the row itself
    return Evidence(says, view.cite(part.rows), f"SELECT * FROM {TABLE} WHERE {those(part)} ORDER BY time", part.total)


def those(part: Part) -> str:
    """A condition on the table for the requests of a part: by their ids where all are here, else by what they share."""
    ids = [row.get("request_id") for row in part.rows]
    times = [row["time"] for row in part.rows]
    span = f"time BETWEEN {literal(min(times))} AND {literal(max(times))}"  # type: ignore[type-var] # times compare
    if len(ids) == part.total and all(ids):
        return f"{among('request_id', ids)} AND {span}"
    shared = ("distribution", "status", "edge_result_type", "edge_detailed_result_type")
    return f"{' AND '.join(same(name, part.row.get(name)) for name in shared)} AND {span}"


def silence(view: View, part: Part) -> list[Evidence]:
    """The fronts of the origin whose logs cover the moment, hold what CloudFront fetched, and do not have these requests."""
    return [
        Evidence(f"{FRONTS[hop][0].upper()}{FRONTS[hop][1:]} at the origin never saw it: its log covers the moment and does not have it")
        for hop in silent_fronts(view, part.failure, part.rows)
    ]


def silent_fronts(view: View, failure: Failure, rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Components at the origin that demonstrably did not get these requests.

    The log must be of this distribution's origin: it has other requests of the hour that CloudFront says it handed on.
    """
    if failure.hop == "cloudfront":
        found = [hop for hop in failure.silent if hop in FRONTS]
    else:
        found = [hop for hop, table in LOGS.items() if view.has(table) and view.covers(table)]
    quiet = [hop for hop in found if hop not in failure.sightings and not _seen(view, LOGS[hop], rows)]
    return [hop for hop in quiet if fetched_from(view, LOGS[hop], rows[0])]


def _seen(view: View, table: str, rows: Sequence[Mapping[str, object]]) -> bool:
    """Whether a log has more requests for the path, in the seconds of one of these, than CloudFront handed on for others."""
    for row in rows[:LOOKED_AT]:
        began, ended = span(row)
        about = (row.get("path"), began - NEAR, ended + NEAR)
        where = "path = ? AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP"
        arrived = view.rows(f'SELECT count(*) AS n FROM "{table}" WHERE {where}', *about)[0]["n"]
        handed = view.rows(
            f"SELECT count(*) AS n FROM {TABLE} WHERE {where} AND (edge_result_type IN ('Miss', 'RefreshHit') OR (edge_result_type = "
            "'Error' AND coalesce(edge_detailed_result_type, 'Error') = 'Error')) AND NOT (_artifact = ? AND _line = ?)",
            *about,
            row["_artifact"],
            row["_line"],
        )[0]["n"]
        if arrived > handed:
            return True
    return False


def fetched_from(view: View, table: str, row: Mapping[str, object]) -> bool:
    """Whether requests that the distribution handed on stand in this log: only then is it the log of its origin."""
    ended = span(row)[1]
    second = f"epoch(time)::BIGINT // {RELATED_SECONDS}"
    found = view.rows(
        f"SELECT 1 AS one FROM (SELECT path, {second} AS t FROM {TABLE} WHERE edge_result_type = 'Miss' AND distribution IS NOT DISTINCT "
        f'FROM ? AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP) JOIN (SELECT path, {second} AS t FROM "{table}" WHERE time BETWEEN '
        "?::TIMESTAMP AND ?::TIMESTAMP) USING (path, t) LIMIT 1",
        row.get("distribution"),
        ended - AROUND,
        ended + AROUND,
        ended - AROUND,
        ended + AROUND,
    )
    return bool(found)


def span(row: Mapping[str, object]) -> tuple[datetime, datetime]:
    """When CloudFront had the request, and when it was done with it; the log keeps whole seconds."""
    ended: datetime = row["time"]  # type: ignore[assignment] # rows of this table have a time
    seconds = row.get("request_seconds")
    lasted = float(seconds) if isinstance(seconds, int | float) else 0.0
    return ended - timedelta(seconds=min(max(lasted, 0.0), 86400.0)), ended


def origin_gap(part: Part, decides: str, place: Place | None = None) -> Gap:
    """The origin's log, which would confirm or exclude; of a bucket, where the configuration names one."""
    buckets = [one for one in ((place.members or (place.host,)) if place else ()) if _BUCKET.search(one)]
    if buckets:
        name = _BUCKET.split(buckets[0])[0]
        return Gap(
            f"server access log of the S3 bucket {name} behind CloudFront",
            decides,
            f"`aws s3api get-bucket-logging --bucket {shlex.quote(name)}` names where it lies; copy the files of that hour and the next "
            "into the folder",
        )
    return Gap(
        "the access log of the origin behind CloudFront (load balancer, web server)",
        decides,
        f"copy the origin's log of {part.row['time']:%Y-%m-%d %H:%M} UTC into the folder; a load balancer's lies in the bucket that "
        "`aws elbv2 describe-load-balancer-attributes` names",
    )


def config_gap(place: Place, decides: str) -> Gap:
    """The distribution's configuration."""
    identity = place.identity or "<DISTRIBUTION_ID>"
    how = (
        f"aws cloudfront get-distribution-config --id {shlex.quote(identity) if place.identity else identity} > "
        f"aws/cloudfront/get-distribution-config.{shlex.quote(identity) if place.identity else identity}.json"
    )
    return Gap("configuration of the CloudFront distribution", decides, how)


def finding(view: View, rule: str, part: Part, judged: Judged) -> Finding:
    """The finding for what a rule made of a part; ``judged.certainty`` must be there."""
    assert judged.certainty is not None  # noqa: S101 - tells the checker what the caller has asked
    sign, row, place = part.outcome.sign, part.row, place_of(view, part.row)
    names = _names(row, place) | dict(judged.more)
    cause = _UNKNOWN.sub("", filled(sign.cause, names))
    status = f"{row['status']:03d}" if row.get("status") else "000"
    made = "noted" if part.outcome.family is Family.LEFT else "answered"
    remedies = [Remedy(filled(fix.says, names), tuple(filled(one, names, quote=True) for one in fix.commands)) for fix in sign.fixes]
    if judged.proof:
        remedies[0] = Remedy(remedies[0].says, remedies[0].commands, judged.proof)
    return Finding(
        code=sign.code,
        rule=rule,
        title=f"CloudFront {made} {status} {'for' if made == 'noted' else 'to'} {request_words(row)}: {cause}",
        certainty=judged.certainty,
        chain=(record(view, part), *judged.evidence, *changed_distribution(view, row, place, sign.code)),
        subject=_subject(row, place, status),
        remedy=tuple(remedies),
        check=_checks(part, names),
        onset=_onset(view, row),
        explains=part.total,
        message=_message(part, judged),
        layer=judged.layer or sign.layer,
        failures=(part.failure.key,) if part.failure.key else (),
    )


def _names(row: Mapping[str, object], place: Place) -> dict[str, str]:
    seconds = row.get("request_seconds")
    host = str(row.get("host") or "<HOST>")
    return {
        "distribution": place.identity or (place.distribution.identity if place.distribution else "") or "<DISTRIBUTION_ID>",
        "origin": place.host or "<ORIGIN_DOMAIN>",
        "server_name": place.host or "<ORIGIN_DOMAIN>",
        "host": host,
        "url": f"https://{host}{row.get('path') or '/'}",
        "path": str(row.get("path") or "<PATH>"),
        "method": str(row.get("method") or "the method"),
        "status": str(row.get("status") or "000"),
        "edge": str(row.get("edge_location") or "THE_VIEWER"),
        "seconds": f"{seconds:.1f}" if isinstance(seconds, int | float) else "a few",
        "function": "<FUNCTION>",
        "how": "",
        "what": "",
    }


def _subject(row: Mapping[str, object], place: Place, status: str) -> dict[str, str]:
    told = {
        "distribution": place.identity or row.get("distribution"),
        "status": status,
        "method": row.get("method"),
        "path": row.get("path"),
        "host": row.get("host"),
        "edge_location": row.get("edge_location"),
        "result": row.get("edge_detailed_result_type") or row.get("edge_result_type"),
        "origin": place.host or None,
    }
    return {name: str(value) for name, value in told.items() if value is not None}


def _checks(part: Part, names: Mapping[str, str]) -> tuple[Check, ...]:
    row, sign = part.row, part.outcome.sign
    found = [Check(filled(sign.check, names), again(row))]
    if sign.metrics:
        metric, statistic = sign.metrics[0], "Average" if sign.metrics[0].endswith("ErrorRate") else "Sum"
        dimensions = filled("Name=DistributionId,Value={distribution}", names)
        command = (
            f"aws cloudwatch get-metric-statistics --region us-east-1 --namespace {sign.namespace} --metric-name {metric} --dimensions "
            f"{shlex.quote(dimensions)} Name=Region,Value=Global --statistics {statistic} --period 60 --start-time <START> --end-time <END>"
        )
        found.append(Check(f"{metric} is back at its usual level for three periods with normal traffic.", command))
    return tuple(found)


def _onset(view: View, row: Mapping[str, object]) -> datetime | None:
    """When such answers for this path began, in UTC, as far as the log goes back."""
    rows = view.rows(
        f"SELECT min(time) AS onset FROM {TABLE} WHERE path IS NOT DISTINCT FROM ? AND status IS NOT DISTINCT FROM ? "
        "AND distribution IS NOT DISTINCT FROM ? AND edge_detailed_result_type IS NOT DISTINCT FROM ?",
        row.get("path"),
        row.get("status"),
        row.get("distribution"),
        row.get("edge_detailed_result_type"),
    )
    found = rows[0]["onset"] if rows else None
    return found.replace(tzinfo=UTC) if found else None


def _message(part: Part, judged: Judged) -> str:
    path = part.row.get("path") or "the site"
    layer = judged.layer or part.outcome.sign.layer
    if layer == "client":
        return f"The request for {path} ended on the side of whoever sent it, before our response was there. We have the record of it."
    if part.outcome.family is Family.CACHED:
        return f"Your request for {path} was answered with an error that our content network had kept; we are taking it out of its cache."
    if part.outcome.family in {Family.SETTING, Family.LIMIT}:
        return (
            f"Your request for {path} was refused by our content network, before it reached our servers. We are checking whether it should."
        )
    return f"Your request for {path} reached our content network, which could not get a usable answer for it. We are mending that."
