"""The timeline tells what was changed shortly before; a change that somebody only read, was refused, or made long ago is not in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from kyumei.api import investigate

if TYPE_CHECKING:
    from pathlib import Path

MOMENT = datetime(2025, 2, 6, 5, 30, tzinfo=UTC)
ACCOUNT = "123456789012"


def call(name: str, minutes: float, **more: object) -> dict[str, Any]:
    """A CloudTrail record of a call so many minutes before the failing request."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "userName": "release-bot", "accountId": ACCOUNT},
        "eventTime": f"{MOMENT - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "elasticloadbalancing.amazonaws.com",
        "eventName": name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.9",
        "userAgent": "aws-cli/2.20",
        "requestParameters": {"targetGroupArn": "tg/web", "targets": [{"id": "i-0abc"}]},
        "responseElements": None,
        "requestID": f"{name}-{minutes}",
        "eventID": f"id-{name}-{minutes}",
        "readOnly": name.startswith("Describe"),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        **more,
    }


def told(folder: Path, calls: list[dict[str, Any]], events: list[dict[str, Any]] | None = None) -> list[tuple[str, str]]:
    """The changes in the timeline for one 502 at MOMENT: whose log, and what is said."""
    case = folder / "case"
    case.mkdir()
    (case / "trail.json").write_text(json.dumps({"Records": calls}), "utf-8")
    (case / "events.json").write_text("\n".join(json.dumps(event) for event in events or ()), "utf-8")
    times = ((n, MOMENT + timedelta(minutes=n)) for n in range(-90, 30))
    lines = [f'192.0.2.7 - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "GET /orders HTTP/1.1" {200 if n else 502} 157 "-" "-"' for n, time in times]
    (case / "access.log").write_text("\n".join(lines) + "\n", "utf-8")
    found = investigate(case, "502 on /orders at 2025-02-06 05:30 UTC", now=MOMENT + timedelta(days=1), cache=folder / "cache")
    assert all(moment.citation for moment in found.timeline)
    return [(moment.hop, moment.says) for moment in found.timeline if moment.kind == "change"]


def test_calls_before_it_are_told_with_what_they_named(tmp_path: Path) -> None:
    """In order of time."""
    calls = [call("DeregisterTargets", 4), call("ModifyListener", 50)]
    assert told(tmp_path, calls) == [
        ("CloudTrail", "ModifyListener by release-bot (targetGroupArn tg/web)"),
        ("CloudTrail", "DeregisterTargets by release-bot (targetGroupArn tg/web)"),
    ]


def test_what_changed_nothing_is_not_told(tmp_path: Path) -> None:
    """Read, refused, too long ago, routine, data, afterwards."""
    calls = [
        call("DescribeTargetHealth", 4),
        call("DeregisterTargets", 5, errorCode="AccessDenied", errorMessage="not authorized"),
        call("DeregisterTargets", 61),
        call("AssumeRole", 3),
        call("PutObject", 3, managementEvent=False, eventCategory="Data"),
        call("DeregisterTargets", -40),
    ]
    assert told(tmp_path, calls) == []


def test_deployments_and_stopped_tasks_are_told(tmp_path: Path) -> None:
    """But for a task that the deployment itself took away, and a service that is steady."""

    def event(kind: str, minutes: float, detail: dict[str, Any]) -> dict[str, Any]:
        moment = f"{MOMENT - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}"
        known = {"version": "0", "id": f"{kind}{minutes}", "detail-type": kind, "source": "aws.ecs", "account": ACCOUNT}
        service = f"arn:aws:ecs:us-east-1:{ACCOUNT}:service/web/shop"
        return {**known, "time": moment, "region": "us-east-1", "resources": [service], "detail": detail}

    task = {
        "taskArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:task/web/0123456789abcdef0123456789abcdef",
        "clusterArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/web",
        "group": "service:shop",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
    }
    events = [
        event(
            "ECS Deployment State Change",
            9,
            {"eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_IN_PROGRESS", "reason": "ECS deployment ecs-svc/123 in progress."},
        ),
        event(
            "ECS Task State Change",
            2,
            {**task, "stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"},
        ),
        event(
            "ECS Task State Change",
            3,
            {**task, "stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity initiated by deployment"},
        ),
        event("ECS Service Action", 1, {"eventType": "INFO", "eventName": "SERVICE_STEADY_STATE"}),
    ]
    assert told(tmp_path, [call("DescribeServices", 4)], events) == [
        ("Amazon ECS", "SERVICE_DEPLOYMENT_IN_PROGRESS of shop ECS deployment ecs-svc/123 in progress."),
        ("Amazon ECS", "a task of shop stopped: Essential container in task exited"),
    ]
