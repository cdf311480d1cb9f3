"""Which failing requests of CloudFront's an S3 bucket answered, and how: many objects that it refuses for one reason are one failure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.cloudfront.bucket import BY_CLOUDFRONT, asked_key, is_key, key_of_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.store.case import Case

TABLE, BUCKETS = "cloudfront_access", "s3_access"
NEAR = timedelta(seconds=2)
"""Both logs keep whole seconds."""
MOST = 20_000


class Answer(NamedTuple):
    """How a bucket answered: equal for requests that failed for one reason, as far as its log tells."""

    bucket: str
    status: int
    error: str


def bucket_answers(case: Case, rows: Sequence[Mapping[str, Any]]) -> dict[str, Answer]:
    """What a bucket answered to CloudFront for each path of these sightings; only where all that is found says one thing."""
    failed = [row for row in rows if row["table_name"] == TABLE and row["path"] and row["status"] is not None]
    if BUCKETS not in case.filled or len({row["path"] for row in failed}) < 2:  # noqa: PLR2004 - of one object there is but one failure
        return {}
    records = case.rows(
        f"SELECT bucket, status, error_code, operation, object_key, path, method, time FROM {BUCKETS} WHERE {BY_CLOUDFRONT} "
        "AND list_contains(?::INTEGER[], status) AND time BETWEEN ?::TIMESTAMP AND ?::TIMESTAMP "
        f"ORDER BY time, _artifact, _line LIMIT {MOST}",
        [
            sorted({row["status"] for row in failed}),
            min(row["started"] for row in failed) - NEAR,
            max(row["time"] for row in failed) + NEAR,
        ],
    )
    by_name: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for record in records:
        key = asked_key(record)
        by_name.setdefault(key.rpartition("/")[2], []).append((key, record))
    found: dict[str, set[Answer]] = {}
    for row in failed:
        path = key_of_path(row["path"])
        for key, record in by_name.get(path.rpartition("/")[2], []):
            if _is_of(row, path, key, record):
                found.setdefault(row["path"], set()).add(
                    Answer(str(record["bucket"]), int(record["status"]), str(record["error_code"] or ""))
                )
    return {path: next(iter(answers)) for path, answers in found.items() if len(answers) == 1}


def _is_of(row: Mapping[str, Any], path: str, key: str, record: Mapping[str, Any]) -> bool:
    """Whether a bucket's record is of a request of CloudFront's."""
    same = record["status"] == row["status"] and record["method"] in {row["method"], None}
    return same and row["started"] - NEAR <= record["time"] <= row["time"] + NEAR and is_key(path, key)
