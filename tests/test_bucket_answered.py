"""The rule ``bucket_answered``: a bucket behind CloudFront that refused its request, and records of the bucket that are somebody else's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from kyumei.contracts import Failure
from kyumei.edge.cloudfront.bucket import is_key
from kyumei.model.finding import Certainty
from kyumei.rules.bucket_answered import RULE
from tests.rules.memory import TablesView

NOON = datetime(2026, 3, 10, 10, 15, 2)  # noqa: DTZ001 - tables hold UTC without a zone
EDGE = {"time": NOON, "method": "GET", "path": "/assets/logo.png", "status": 403, "request_seconds": 0.1, "edge_result_type": "Error"}
S3 = {
    "time": NOON,
    "bucket": "site-assets-example",
    "requester": "svc:cloudfront.amazonaws.com",
    "operation": "REST.GET.OBJECT",
    "object_key": "assets/logo.png",
    "method": "GET",
    "path": "/assets/logo.png",
    "status": 403,
    "error_code": "AccessDenied",
}


@dataclass
class EdgeView(TablesView):
    """A view over CloudFront's log and the bucket's."""

    tables: ClassVar[tuple[str, ...]] = ("cloudfront_access", "s3_access", "alb_access", "resource_snapshot")


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({}, [Certainty.LIKELY]),
        ({"requester": None, "user_agent": "Amazon CloudFront"}, [Certainty.LIKELY]),
        ({"object_key": "site/assets/logo.png"}, [Certainty.LIKELY]),  # with the origin's path in front
        ({"requester": "arn:aws:iam::123456789012:user/example", "user_agent": "aws-cli/2.15.0"}, []),
        ({"object_key": "old-assets/logo.png"}, []),
        # A website endpoint names the index document of a folder; elsewhere the key is what was asked for.
        ({"operation": "WEBSITE.GET.OBJECT", "object_key": "assets/logo.png/index.html"}, [Certainty.LIKELY]),
        ({"operation": "WEBSITE.GET.OBJECT", "path": "/old-assets/logo.png", "object_key": "assets/logo.png"}, []),
        ({"object_key": "assets/logo.png/index.html"}, []),
        ({"status": 200, "error_code": None}, []),
        ({"time": NOON - timedelta(seconds=30)}, []),
    ],
)
def test_the_bucket_is_named_only_for_its_own_answer_to_cloudfront(record: dict[str, Any], found: list[Certainty]) -> None:
    """EDGE-086: the same object, status and second, asked by CloudFront itself."""
    view = EdgeView()
    row = view.store("cloudfront_access", EDGE)
    view.store("s3_access", S3 | record)
    view.failures = (Failure(hop="unknown", table="cloudfront_access", total=1, rows=(row,), sightings={"cloudfront": (row,)}, key="f1"),)
    opinion = RULE.examine(view)
    assert [one.certainty for one in opinion.findings] == found
    assert all(one.rule == "bucket_answered" and "site-assets-example" in one.title for one in opinion.findings)


OTHERS = [f"/assets/{number}.png" for number in range(3)]


@pytest.mark.parametrize(
    ("fetched", "buckets", "found"),
    [
        (OTHERS, {"site-assets-example": OTHERS}, [Certainty.PROVEN]),
        (OTHERS, {}, []),
        (OTHERS, {"another-site-example": OTHERS}, []),
        (["/api/1", "/api/2", "/api/3"], {}, [Certainty.LIKELY]),  # another behavior, with another origin
    ],
)
def test_whose_bucket_it_is_shows_in_what_else_cloudfront_fetched(
    fetched: list[str], buckets: dict[str, list[str]], found: list[Certainty]
) -> None:
    """Two sites may be asked for the same path in the same second; only one of their buckets has the other objects, too."""
    view = EdgeView()
    row = view.store("cloudfront_access", EDGE)
    view.store("s3_access", S3)
    well = {"status": 200, "error_code": None}
    for number, path in enumerate(fetched):
        time = NOON - timedelta(minutes=number + 1)
        view.store("cloudfront_access", EDGE | {"time": time, "path": path, "status": 200, "edge_result_type": "Miss"})
        for bucket, objects in buckets.items():
            if path in objects:
                view.store("s3_access", S3 | well | {"time": time, "bucket": bucket, "path": path, "object_key": path[1:]})
    view.failures = (Failure(hop="unknown", table="cloudfront_access", total=1, rows=(row,), sightings={"cloudfront": (row,)}, key="f1"),)
    assert [one.certainty for one in RULE.examine(view).findings] == found


def test_two_buckets_with_the_object_in_that_second_are_none() -> None:
    """Nothing tells which site's it was."""
    view = EdgeView()
    row = view.store("cloudfront_access", EDGE)
    view.store("s3_access", S3)
    view.store("s3_access", S3 | {"bucket": "another-site-example"})
    view.failures = (Failure(hop="unknown", table="cloudfront_access", total=1, rows=(row,), sightings={"cloudfront": (row,)}, key="f1"),)
    assert RULE.examine(view).findings == ()


@pytest.mark.parametrize(
    ("path", "key", "same"),
    [
        ("img/a.png", "img/a.png", True),
        ("img/a.png", "v2/img/a.png", True),
        ("a.png", "ba.png", False),
        ("", "index.html", True),
        ("", "docs/index.html", False),
    ],
)
def test_a_key_is_the_path_with_what_the_origin_puts_before_it(path: str, key: str, same: bool) -> None:  # noqa: FBT001 - a table of cases
    """The root has a default object of no known name."""
    assert is_key(path, key) is same


@pytest.mark.parametrize(
    ("status", "error", "wanted", "unwanted"),
    [
        (503, "SlowDown", "less at once", "where CloudFront asks for it"),
        (500, "InternalError", "S3's own", "where CloudFront asks for it"),
        (404, "NoSuchKey", "where CloudFront asks for it", "less at once"),
    ],
)
def test_what_mends_it_is_by_what_the_bucket_said(status: int, error: str, wanted: str, unwanted: str) -> None:
    """S3-038: an object that S3 was too busy to give is where it should be."""
    view = EdgeView()
    row = view.store("cloudfront_access", EDGE | {"status": status})
    view.store("s3_access", S3 | {"status": status, "error_code": error})
    view.failures = (Failure(hop="unknown", table="cloudfront_access", total=1, rows=(row,), sightings={"cloudfront": (row,)}, key="f1"),)
    says = " ".join(one.says for one in RULE.examine(view).findings[0].remedy)
    assert wanted in says
    assert unwanted not in says
