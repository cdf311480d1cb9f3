"""The S3 bucket behind CloudFront refused or failed the request, and CloudFront handed that on (EDGE-086).

CloudFront's row says Error and not whose; the bucket's own server access log has the same object at the same moment with the same status.
With Origin Access Control the requester is ``svc:cloudfront.amazonaws.com``, with an Origin Access Identity a canonical id. A 403 for an
object that is not there is what S3 answers a caller without ``s3:ListBucket``. Follows "Amazon S3 server access log format", "Troubleshoot
access denied (403 Forbidden) errors in Amazon S3" and "Restrict access to an Amazon S3 origin".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from kyumei.contracts import Failure, Opinion, Rule, View
from kyumei.edge.cloudfront.bucket import BY_CLOUDFRONT, asked_key, is_key, key_of_path
from kyumei.edge.cloudfront.finding import LOGS, fetched_from, span
from kyumei.edge.cloudfront.setting import Place, place_of
from kyumei.edge.probe import again
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = dict[str, Any]
TABLE = "cloudfront_access"
NEAR = timedelta(seconds=2)
"""Both logs keep whole seconds."""
LOOKED_AT = 20
MOSTLY = 0.5
"""Share of the requests for which the bucket must have a record like them: what CloudFront keeps for seconds, it does not ask again."""
DENIED = "AccessDenied"
UNAVAILABLE = 503
BUSY = frozenset({"SlowDown", "ServiceUnavailable", "RequestLimitExceeded"})
"""What S3 calls it when it is asked for too much (S3-038)."""
BESIDE = timedelta(hours=1)
FEWEST = 3
"""So many objects that CloudFront fetched without one of them in the bucket's log say that it fetches elsewhere."""


def examine(view: View) -> Opinion:
    """One finding for each group of failing requests that a bucket answered."""
    findings: list[Finding] = []
    ruled_out: list[RuledOut] = []
    gaps: list[Gap] = []
    for failure in view.failures:
        if failure.table != TABLE or failure.hop not in {"unknown", "target"}:
            continue
        rows = failure.rows[:LOOKED_AT]
        each = [answers(view, row) for row in rows]
        place = place_of(view, rows[0]) if rows else Place()
        judged = {name: _whose(view, failure, name, place) for name in {str(one["bucket"]) for own in each for one in own}}
        each = [[one for one in own if judged[str(one["bucket"])] is not None] for own in each]
        found = [one for own in each for one in own]
        # Two sites with the same paths: nothing tells which one's bucket it was.
        if not found or sum(map(bool, each)) < MOSTLY * len(rows) or len({one["bucket"] for one in found}) > 1:
            continue
        findings.append(_finding(view, failure, found, judged[str(found[0]["bucket"])] or Certainty.LIKELY, place))
        ruled_out.append(RuledOut("EDGE-022", "the request got as far as the bucket: no web ACL in front stopped it", view.cite(found, 1)))
        if found[0]["error_code"] == DENIED:
            gaps.append(_denied_gap(found[0]))
    return Opinion(tuple(findings), tuple(ruled_out), tuple(gaps))


def answers(view: View, row: Mapping[str, Any]) -> list[Row]:
    """The bucket's records of one request: of its object, in its seconds, by CloudFront, with its status."""
    if not row.get("path") or row.get("status") is None:
        return []
    key = key_of_path(row["path"])
    found = view.rows(
        "SELECT * FROM s3_access WHERE status = ? AND coalesce(method = ?, true) AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
        f"AND {BY_CLOUDFRONT} ORDER BY time, _artifact, _line LIMIT 500",
        row["status"],
        row["method"],
        row["time"] - timedelta(seconds=min(float(row.get("request_seconds") or 0), 3600.0)) - NEAR,
        row["time"] + NEAR,
    )
    return [one for one in found if is_key(key, asked_key(one))]


def _whose(view: View, failure: Failure, bucket: str, place: Place) -> Certainty | None:
    """How sure it is that a bucket is the origin of these requests; null where another one is.

    The distribution's configuration says so; else what CloudFront fetched from beside the failing path must stand in the bucket's log.
    """
    row = failure.rows[0]
    origins = _tried(place, row)
    if origins:
        return Certainty.PROVEN if any(_is_bucket(origin, bucket) for origin in origins) else None
    folder = str(row["path"] or "/").rpartition("/")[0] + "/"
    fetched = view.rows(
        f"SELECT * FROM {TABLE} WHERE status BETWEEN 200 AND 299 AND starts_with(path, ?) AND edge_result_type = 'Miss' "
        "AND coalesce(distribution = ?, true) AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time LIMIT 20",
        *(folder, row.get("distribution"), row["time"] - BESIDE, row["time"] + BESIDE),
    )
    same = sum(any(one["bucket"] == bucket for one in answers(view, each)) for each in fetched)
    if same:
        return Certainty.PROVEN
    return None if len(fetched) >= FEWEST else Certainty.LIKELY


def _tried(place: Place, row: Mapping[str, Any]) -> tuple[str, ...]:
    """The domain names that may have given the answer: the one that a real-time log names, or else each of an origin group."""
    told = (place.host,) if row.get("origin_host") or not place.members else place.members
    return tuple(one for one in told if one)


def _is_bucket(origin: str, bucket: str) -> bool:
    """Whether a domain name is that of a bucket."""
    return origin.lower() == bucket or origin.lower().startswith((f"{bucket}.s3.", f"{bucket}.s3-"))


def _first_failed(place: Place, bucket: str) -> str:
    """The origin of the group that failed before the bucket was asked; empty where the bucket is the first, or the only one."""
    first = next(iter(place.members), "")
    return first if first and not _is_bucket(first, bucket) else ""


def _failed_before(view: View, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What logs of other origins say of the same requests: errors for which a group goes on to its next member."""
    for table in LOGS.values():
        if view.has(table) and fetched_from(view, table, rows[0]):
            found = [
                one
                for row in rows[:LOOKED_AT]
                for one in view.rows(
                    f'SELECT _artifact, _line, time, status FROM "{table}" WHERE path = ? AND status <> ? AND status IN '
                    "(400, 403, 404, 416, 429, 500, 502, 503, 504) AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP ORDER BY time LIMIT 1",
                    *(row["path"], row["status"], span(row)[0] - NEAR, row["time"] + NEAR),
                )
            ]
            if found:
                return found
    return []


def _finding(view: View, failure: Failure, found: Sequence[Row], sure: Certainty, place: Place) -> Finding:
    first, row, before = found[0], failure.rows[0], _first_failed(place, str(found[0]["bucket"]))
    code = f" ({first['error_code']})" if first["error_code"] else ""
    objects = len({one["path"] for one in failure.rows})
    asked = f"{row['method']} {row['path']}"
    if objects > 1:
        asked = f"requests for {'at least ' if failure.total > len(failure.rows) else ''}{objects} objects, such as {asked}"
    title = f"the S3 bucket {first['bucket']} behind CloudFront answered {first['status']}{code} to {asked}"
    title += f", which it was asked for only because the first origin of the group, {before}, had failed" if before else ""
    says = (
        f"CloudFront's own row for {row['method']} {row['path']}: status {row['status']}, result {row['edge_result_type']}, which does not "
        "tell whose answer it is"
    )
    chain = (
        Evidence(says, view.cite(failure.rows), total=failure.total),
        Evidence(
            f"The bucket's server access log has the same objects in the same seconds, asked by CloudFront "
            f"({first['requester'] or 'unsigned'}): {first['operation']} {first['object_key']}, status {first['status']}{code}",
            view.cite(found),
            total=len(found),
        ),
        *(_failover(view, failure, place) if before else ()),
    )
    return Finding(
        code="EDGE-086",
        rule=RULE.name,
        title=title,
        certainty=sure,
        chain=chain,
        subject={"bucket": str(first["bucket"]), "status": str(first["status"]), "method": str(row["method"]), "path": str(row["path"])}
        | ({"error": str(first["error_code"])} if first["error_code"] else {})
        | ({"objects": str(objects)} if objects > 1 else {}),
        remedy=(*((_mend_first(before),) if before else ()), *_remedies(view, failure, first)),
        check=(Check("The same request gets the object.", again(row)),),
        explains=failure.total,
        message=f"Your request for {row['path']} reached our storage, which did not hand out the file. We are mending that.",
        layer="target",
        failures=(failure.key,) if failure.key else (),
    )


def _failover(view: View, failure: Failure, place: Place) -> list[Evidence]:
    """That the behavior asks a group of origins, and what the first of them answered."""
    cited = (place.distribution.citation,) if place.distribution else ()
    found = [Evidence(f"The path's cache behavior asks an origin group: {' and, where that fails, '.join(place.members)}", cited)]
    if failed := _failed_before(view, failure.rows):
        says = f"The log of another origin has the same request just before, ended with {failed[0]['status']}"
        return [*found, Evidence(says, view.cite(failed), total=len(failed))]
    return found


def _mend_first(before: str) -> Remedy:
    return Remedy(
        f"Find in the log of {before} why it failed, and mend that: the bucket is only what CloudFront asks next. What it should answer "
        "then must be there under the same path, and the group's FailoverCriteria name the statuses for which it is asked."
    )


def _remedies(view: View, failure: Failure, record: Row) -> tuple[Remedy, ...]:
    bucket, key = str(record["bucket"]), unquote(unquote(str(record["object_key"] or "")))
    head = f"aws s3api head-object --bucket {bucket} --key {quote(key, safe='/-_.~')}"
    if record["error_code"] in BUSY or record["status"] == UNAVAILABLE:
        # The object may well be there.
        says = (
            "Ask S3 for less at once: let CloudFront keep the objects longer (TTL, Origin Shield), spread the keys over more prefixes, and "
            "let whoever else reads them retry with growing pauses. S3 gives a prefix more by itself within minutes."
        )
        return (Remedy(says, (f"aws s3api list-bucket-metrics-configurations --bucket {bucket}",)),)
    if record["status"] >= SERVER_ERROR:
        ids = f"{record.get('request_id') or '<REQUEST_ID>'} and {record.get('host_id') or '<HOST_ID>'}"
        return (Remedy(f"The error is of S3's own: ask again after a pause. If it stays, open a case with AWS Support and name {ids}."),)
    if record["error_code"] != DENIED:
        return (Remedy("Put the object where CloudFront asks for it, or mend the path of the origin.", (head,)),)
    row, several = failure.rows[0], len({one["path"] for one in failure.rows}) > 1
    # Of one object it matters whether others were ever handed out; of several, whether any was since they fail.
    served = view.rows(
        "SELECT * FROM s3_access WHERE bucket = ? AND status < 400 AND requester IS NOT DISTINCT FROM ? AND time >= ?::TIMESTAMP LIMIT 1",
        *(bucket, record["requester"], min(one["time"] for one in failure.rows) if several else datetime.min),  # noqa: DTZ901 - tables hold UTC without a zone
    )
    missing = Remedy(
        "See whether the object is there under this very key: to a caller without s3:ListBucket S3 answers 403 for one that is missing.",
        (head,),
        "CloudFront got other objects of this bucket, so the bucket's policy lets it in." if served else "",
    )
    policy = Remedy(
        f"If it is there: let the bucket's policy allow cloudfront.amazonaws.com s3:GetObject on it with aws:SourceArn of distribution "
        f"{row.get('distribution') or '<ID>'}, and its KMS key kms:Decrypt.",
        (f"aws s3api get-bucket-policy --bucket {bucket} --query Policy --output text",),
    )
    return (missing, policy) if served else (policy, missing)


def _denied_gap(record: Row) -> Gap:
    where = f"aws s3api head-object --bucket {record['bucket']} --key <KEY>; aws s3api get-bucket-policy --bucket {record['bucket']}"
    return Gap("the object's state and the bucket's policy", "whether the object is missing, or the policy or its key forbids it", where)


RULE = Rule(
    name="bucket_answered",
    codes=("EDGE-086",),
    needs=("cloudfront_access", "s3_access"),
    helps=("waf", "resource_snapshot", *LOGS.values()),
    rivals=("cloudfront_answered", "application_answered", "waf_rule_blocked"),
    examine=examine,
)
