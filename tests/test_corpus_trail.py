"""Public samples of CloudTrail, DNS, Network Firewall, GuardDuty and Kubernetes: each agrees with what its own project asserts of it.

They lie beside the repository, or at KYUMEI_CORPUS. Deviations are listed in docs/reference/corpus.md.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kyumei import discover
from kyumei.store.unwrap import Record, records

CORPUS = Path(os.environ.get("KYUMEI_CORPUS", Path(__file__).resolve().parents[2] / "shared" / "corpus"))
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS}")
FILES = sorted(
    path
    for folder in ("cloudtrail", "route53_resolver", "network_firewall", "guardduty", "eks_audit")
    for path in (CORPUS / folder).rglob("*.json*")
)
OTHERS = ("OCSF", "AKS", "GCP GKE", "Pod Creation (Not Exec)", "Get Pod (Not Exec")
"""Cases of Panther's that are records of other clouds and services, or so simplified that nothing tells what they are."""
TABLE_OF = {"eks_audit": "kubernetes_audit"}


def _texts(path: Path) -> list[str]:
    """The records of a file; of unit tests of detection rules the log of each case."""
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    if path.name.startswith("panther-"):
        return [json.dumps(case["log"]) for case in _cases(path)]
    if path.name.startswith("awscli-"):  # the answer of a command that lists findings
        return [json.dumps(finding) for finding in json.loads(text)["Findings"]]
    found = list(records(text, path.name))
    assert all(isinstance(one, Record) for one in found)
    return [one.text for one in found]


def _cases(path: Path) -> list[dict[str, Any]]:
    return [case for case in json.loads(path.read_text("utf-8"))["cases"] if not any(word in case["case"] for word in OTHERS)]


def _rows(name: str, table: str) -> list[dict[str, Any]]:
    found = [discover.formats()[table].layout.read(text) for text in _texts(CORPUS / name)]
    rows = [row for row in found if isinstance(row, dict)]
    assert len(rows) == len(found)
    return rows


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_record_is_claimed_by_one_format_and_read(path: Path) -> None:
    """Every record of every file, with a time, and nothing left over that AWS documents."""
    folder = path.relative_to(CORPUS).parts[0]
    table = TABLE_OF.get(folder, folder)
    for text in _texts(path):
        assert [name for name, leaf in discover.formats().items() if leaf.sniff(text, path.name)] == [table]
        row = discover.formats()[table].layout.read(text)
        assert isinstance(row, dict)
        assert (row["time"] is None) == (table == "kubernetes_audit" and "Timestamp" not in text)
        assert not (row["_extra"] or {}).keys() - {"debug"}, path.name


def test_cloudtrail_of_a_trail() -> None:
    """invictus: 1048 events of an attack in 27 files; none is lost, ids are those of the files, errors and identities are found."""
    files = sorted((CORPUS / "cloudtrail" / "invictus").glob("*.gz"))
    events = [event for path in files for event in json.loads(gzip.decompress(path.read_bytes()))["Records"]]
    rows = [row for path in files for row in _rows(f"cloudtrail/invictus/{path.name}", "cloudtrail")]
    assert [row["event_id"] for row in rows] == [event["eventID"] for event in events]
    assert [row["time"] for row in rows] == [datetime.strptime(event["eventTime"], "%Y-%m-%dT%H:%M:%SZ") for event in events]  # noqa: DTZ007 - readers answer naive times
    assert Counter(row["error_code"] for row in rows) == Counter(event.get("errorCode") for event in events)
    assert [row["user_agent"] for row in rows] == [event.get("userAgent") for event in events]
    assert [json.loads(row["request_parameters"] or "null") for row in rows] == [event["requestParameters"] for event in events]
    for row, event in zip(rows, events, strict=True):
        who = event["userIdentity"]
        issuer = who.get("sessionContext", {}).get("sessionIssuer", {})
        assert (row["user_type"], row["user_arn"], row["role_arn"]) == (who["type"], who.get("arn"), issuer.get("arn"))
        assert row["failed"] == ("errorCode" in event or "errorMessage" in event)
        assert row["session_name"] == (who["arn"].split("/", 2)[2] if who["type"] == "AssumedRole" else None)


def test_cloudtrail_of_promtail() -> None:
    """lambda-promtail: the events of a pretty-printed file, the first at 2023-05-19T07:44:30Z."""
    first, second = _rows("cloudtrail/promtail-records.json.gz", "cloudtrail")[:2]
    assert (first["time"], first["event_name"], first["user_type"], first["invoked_by"]) == (
        datetime(2023, 5, 19, 7, 44, 30),  # noqa: DTZ001 - readers answer naive times
        "AssumeRole",
        "AWSService",
        "ec2.amazonaws.com",
    )
    assert (second["source_ip"], second["invoked_by"], second["role_arn"]) == (
        "AWS Internal",
        "AWS Internal",
        "arn:aws:iam::123456789:role/rolename",
    )


def test_cloudtrail_looked_up() -> None:
    """plaso: entries of lookup-events one a line; the time is that of the event inside, not the local one outside."""
    rows = _rows("cloudtrail/plaso-lookup-events.jsonl", "cloudtrail")
    assert [(row["time"], row["event_name"], row["user_name"], row["is_mfa"]) for row in rows[:2]] == [
        (datetime(2022, 2, 7, 22, 23, 37), "DescribeInstances", "fakeusername", False),  # noqa: DTZ001 - readers answer naive times
        (datetime(2022, 2, 7, 22, 23, 18), "TerminateInstances", "fakeusername", False),  # noqa: DTZ001 - readers answer naive times
    ]


def test_cloudtrail_of_cloudwatch_and_eventbridge() -> None:
    """Datadog's envelope and Custodian's events hold the same body."""
    [row, *_] = _rows("cloudtrail/datadog-cloudwatch-envelope.json", "cloudtrail")
    assert (row["event_name"], row["session_name"], row["source_identity"]) == ("DescribeLogStreams", "DatadogAWSIntegration", None)
    [row] = _rows("cloudtrail/custodian-eventbridge/event-cloud-trail-create-bucket.json", "cloudtrail")
    assert (row["event_name"], row["user_type"], row["region"]) == ("CreateBucket", "Root", "us-west-2")
    assert row["account"] == row["user_account"] == row["user_arn"].split(":")[4]
    assert row["user_agent"] == "[S3Console/0.4]"


def test_resolver() -> None:
    """AWS's own record of a firewall, and Panther's rule: names that it takes for mining are those of the column."""
    [row] = _rows("route53_resolver/awsdocs-firewall-block.json", "route53_resolver")
    assert (row["firewall_action"], row["domain"], row["client_port"], row["answer_list"], row["instance_id"]) == (
        "BLOCK",
        "15.3.4.32.in-addr.arpa",
        56067,
        ["203.0.113.9"],
        "i-0d15cd0d3example",
    )
    cases = _cases(CORPUS / "route53_resolver" / "panther-dns-crypto.json")
    rows = _rows("route53_resolver/panther-dns-crypto.json", "route53_resolver")
    for case, row in zip(cases, rows, strict=True):
        assert row["domain"] == case["log"]["query_name"].rstrip(".").lower()
        assert row["time"].strftime("%Y-%m-%d %H:%M:%S") == case["log"]["query_timestamp"][:19]


def test_network_firewall() -> None:
    """OpenTelemetry's alert and flow, whose outer time is ISO and which have none inside."""
    [alert] = _rows("network_firewall/otel-alert.json", "network_firewall")
    [flow] = _rows("network_firewall/otel-netflow.json", "network_firewall")
    at = datetime(2025, 10, 20, 10, 30, 45, 123000)  # noqa: DTZ001 - readers answer naive times
    assert (alert["time"], alert["flow_id"], alert["signature_id"], alert["action"], alert["alert_severity"]) == (
        at,
        1234567890,
        2027758,
        "allowed",
        1,
    )
    assert (flow["packets"], flow["flow_bytes"], flow["flow_seconds"], flow["max_ttl"]) == (150, 45000, 5, 64)
    assert flow["flow_start"] == datetime(2025, 10, 20, 10, 30, 40)  # noqa: DTZ001 - readers answer naive times


def test_guardduty() -> None:
    """An answer of the API with capitals, EventBridge's envelope, and Panther's rule for low severity without samples."""
    [row] = _rows("guardduty/awscli-guardduty-get-findings-1.json", "guardduty")
    assert (row["finding_type"], row["severity_score"], row["count"], row["remote_country"], row["event_name"]) == (
        "Recon:IAMUser/UserPermissions",
        5.0,
        5,
        "United Kingdom",
        "ListPolicyVersions",
    )
    [row] = _rows("guardduty/custodian-ec2-duty-event.json", "guardduty")
    assert (row["instance_id"], row["domain"], row["is_sample"]) == ("i-99999999", "example.com", True)
    assert row["account"] == row["finding_arn"].split(":")[4]
    cases = _cases(CORPUS / "guardduty" / "panther-low-sev.json")
    fires = [row["severity_score"] < 4 and not row["is_sample"] for row in _rows("guardduty/panther-low-sev.json", "guardduty")]
    assert fires == [case["rule_fires"] for case in cases]


def test_kubernetes_audit() -> None:
    """Panther's rules: an anonymous user who was let in; a shell in a pod."""
    rows = _rows("eks_audit/panther-eks-anonymous.json", "kubernetes_audit")
    cases = _cases(CORPUS / "eks_audit" / "panther-eks-anonymous.json")
    for case, row in zip(cases, rows, strict=True):
        log = case["log"]
        assert (row["user"], row["status"], row["client_list"]) == (
            log["user"]["username"],
            log["responseStatus"]["code"],
            log["sourceIPs"],
        )
        assert row["decision"] == log["annotations"]["authorization.k8s.io/decision"]
    rows = _rows("eks_audit/panther-k8s-exec.json", "kubernetes_audit")
    assert all(row["object_subresource"] in {"exec", None} for row in rows)
