"""Amazon GuardDuty findings: one row for each time that a finding was written.

The same finding is written again, with the same ``finding_id`` and a higher ``count``, when it is seen again: the last row is the newest.
``time`` is that of the update; what it speaks of happened from ``first_seen`` to ``last_seen``. Severity is a number: 1 to 3.9 low, 4 to
6.9 medium, 7 to 8.9 high, 9 and more critical. ``is_sample`` findings are made up for a test.

Findings are read as GuardDuty exports them, in EventBridge's envelope, and with keys in capitals as its API answers them.

Follows "GuardDuty finding format" in the Amazon GuardDuty User Guide and "Finding" in its API Reference.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import DOMAIN, INTEGER, NUMBER
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, GIVEN, UTC_TIME, Dig, dug, dug_sql, every_pair, opened, shallow, tree
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "guardduty",
    "Findings of Amazon GuardDuty.",
    (
        Column("time", Kind.TIME, "When the finding was last updated; milliseconds.", origin="updatedAt"),
        Column("created", Kind.TIME, "When it was made.", origin="createdAt"),
        Column("first_seen", Kind.TIME, "When the activity was first seen.", origin="service.eventFirstSeen"),
        Column("last_seen", Kind.TIME, "When it was last seen.", origin="service.eventLastSeen"),
        Column("finding_id", Kind.TEXT, "The finding.", origin="id"),
        Column("finding_arn", Kind.TEXT, "Its ARN.", Link.RESOURCE, "arn"),
        Column("finding_type", Kind.TEXT, "Purpose:Resource/Name.Variant!Artifact.", origin="type"),
        Column("severity_score", Kind.FLOAT, "1 to 10.", origin="severity"),
        Column("count", Kind.INTEGER, "How often it was seen.", origin="service.count"),
        Column("title", Kind.TEXT, "A heading.", origin="title"),
        Column("description", Kind.TEXT, "What was seen.", origin="description"),
        Column("account", Kind.TEXT, "The account in which it was seen.", Link.ACCOUNT, "accountId"),
        Column("region", Kind.TEXT, "The Region.", origin="region"),
        Column("detector_id", Kind.TEXT, "The detector.", Link.RESOURCE, "service.detectorId"),
        Column("resource_role", Kind.TEXT, "TARGET or ACTOR: what the resource was in it.", origin="service.resourceRole"),
        Column(
            "resource_type", Kind.TEXT, "Instance, AccessKey, S3Bucket, EKSCluster, Container, Lambda, ...", origin="resource.resourceType"
        ),
        Column("instance_id", Kind.TEXT, "The instance.", Link.RESOURCE, "resource.instanceDetails.instanceId"),
        Column("access_key_id", Kind.TEXT, "The access key.", Link.PRINCIPAL, "resource.accessKeyDetails.accessKeyId"),
        Column("principal_id", Kind.TEXT, "Its owner's unique id.", Link.PRINCIPAL, "resource.accessKeyDetails.principalId"),
        Column("user_name", Kind.TEXT, "Its owner's name.", Link.PRINCIPAL, "resource.accessKeyDetails.userName"),
        Column("user_type", Kind.TEXT, "What its owner is: IAMUser, AssumedRole, Role, ...", origin="resource.accessKeyDetails.userType"),
        Column("cluster", Kind.TEXT, "The EKS cluster.", Link.RESOURCE, "resource.eksClusterDetails.name"),
        Column(
            "action_type", Kind.TEXT, "AWS_API_CALL, NETWORK_CONNECTION, DNS_REQUEST, PORT_PROBE, ...", origin="service.action.actionType"
        ),
        Column("remote_ip", Kind.TEXT, "The address at the other end.", Link.CLIENT, "remoteIpDetails.ipAddressV4"),
        Column("remote_country", Kind.TEXT, "Its country, by name.", origin="remoteIpDetails.country.countryName"),
        Column("domain", Kind.TEXT, "The name that was asked for.", Link.HOST, "service.action.dnsRequestAction.domain"),
        Column("event_name", Kind.TEXT, "The call.", origin="service.action.awsApiCallAction.api"),
        Column("event_source", Kind.TEXT, "The service that was called.", origin="service.action.awsApiCallAction.serviceName"),
        Column("is_archived", Kind.BOOLEAN, "Whether it was put aside.", origin="service.archived"),
        Column(
            "is_sample", Kind.BOOLEAN, "Whether it is made up; null when the finding does not say.", origin="service.additionalInfo.sample"
        ),
        Column("resource_details", Kind.JSON, "All of the resource.", origin="resource"),
        Column("finding_details", Kind.JSON, "All of the activity: action, evidence, more.", origin="service"),
        Column("attack_arn", Kind.TEXT, "The attack sequence that it is a part of.", Link.RESOURCE, "associatedAttackSequenceArn"),
        Column("confidence", Kind.FLOAT, "How sure GuardDuty is.", origin="confidence"),
        Column("partition", Kind.TEXT, "aws, aws-cn, aws-us-gov.", origin="partition"),
        Column("event_version", Kind.TEXT, "The version of the format: 2.0.", origin="schemaVersion"),
    ),
)
FIELDS = (
    one("time", "updatedAt", UTC_TIME),
    one("created", "createdAt", UTC_TIME),
    one("finding_id", "id"),
    one("finding_arn", "arn"),
    one("finding_type", "type"),
    one("severity_score", "severity", NUMBER),
    one("title", "title"),
    one("description", "description"),
    one("account", "accountId"),
    one("region", "region"),
    tree("resource_details", "resource"),
    tree("finding_details", "service"),
    one("attack_arn", "associatedAttackSequenceArn"),
    one("confidence", "confidence", NUMBER),
    one("partition", "partition"),
    one("event_version", "schemaVersion"),
)
_ACTIONS = ("awsApiCallAction", "networkConnectionAction", "kubernetesApiCallAction", "rdsLoginAttemptAction")
DIGS = (
    *(
        Dig(column, "finding_details", tuple(path.split(".")), cast)
        for column, path, cast in (
            ("first_seen", "eventFirstSeen", UTC_TIME),
            ("last_seen", "eventLastSeen", UTC_TIME),
            ("count", "count", INTEGER),
            ("detector_id", "detectorId", GIVEN),
            ("resource_role", "resourceRole", GIVEN),
            ("is_archived", "archived", BOOLEAN),
            ("is_sample", "additionalInfo.sample", BOOLEAN),
            ("action_type", "action.actionType", GIVEN),
            ("domain", "action.dnsRequestAction.domain", DOMAIN),
            ("event_name", "action.awsApiCallAction.api", GIVEN),
            ("event_source", "action.awsApiCallAction.serviceName", GIVEN),
            *((f"_ip_{number}", f"action.{action}.remoteIpDetails.ipAddressV4", GIVEN) for number, action in enumerate(_ACTIONS)),
            *(
                (f"_country_{number}", f"action.{action}.remoteIpDetails.country.countryName", GIVEN)
                for number, action in enumerate(_ACTIONS)
            ),
        )
    ),
    *(
        Dig(column, "resource_details", tuple(path.split(".")))
        for column, path in (
            ("resource_type", "resourceType"),
            ("instance_id", "instanceDetails.instanceId"),
            ("access_key_id", "accessKeyDetails.accessKeyId"),
            ("principal_id", "accessKeyDetails.principalId"),
            ("user_name", "accessKeyDetails.userName"),
            ("user_type", "accessKeyDetails.userType"),
            ("cluster", "eksClusterDetails.name"),
        )
    ),
)
_DUG, _SURE = dug_sql(DIGS)
_TYPE = re.compile(r"[A-Za-z]+:[A-Za-z0-9]+/[^\n]+", re.ASCII)


def _folded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The value with the first letter of each key made small, as in an answer of the API it is a capital."""
    if isinstance(value, dict):
        return every_pair([(_key(key), _folded(item)) for key, item in value.items()])
    return [_folded(item) for item in value] if isinstance(value, list) else value


def _key(key: str) -> str:
    # Tags and the kinds of resources are names of the user's or of CloudFormation: AWS::EC2::Instance.
    return key if "::" in key or key.isupper() else key[:1].lower() + key[1:]


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """The finding itself, out of EventBridge's envelope, with keys as GuardDuty exports them."""
    finding = opened(document)
    return dict(_folded(finding)) if "SchemaVersion" in finding else finding


def _derive(document: Mapping[str, Any], _values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Columns that lie inside the resource and the activity."""
    found = dug(DIGS, {"finding_details": document.get("service"), "resource_details": document.get("resource")})
    for column, start in (("remote_ip", "_ip_"), ("remote_country", "_country_")):
        found[column] = next((found[name] for name in found if name.startswith(start) and found[name] is not None), None)
    return found, set()


LAYOUT = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=(ISO, ISO_SPACE),
    needs=frozenset({"schemaVersion", "type"}),
    prepare=_prepare,
    derive=_derive,
    steps=(
        *_DUG,
        {
            column: f"coalesce({', '.join(f'{start}{number}' for number in range(len(_ACTIONS)))})"
            for column, start in (("remote_ip", "_ip_"), ("remote_country", "_country_"))
        },
    ),
    plain=(
        "event_version IS NOT NULL",
        "finding_type IS NOT NULL",
        *_SURE,
        *shallow(["resource_details", "finding_details"]),
    ),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """A finding by its version, its type and its service, in capitals or not, in an envelope or not."""
    if "schemaVersion" not in text and "SchemaVersion" not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    finding = {_key(key): value for key, value in opened(found).items()}
    return {"schemaVersion", "service"} <= finding.keys() and _TYPE.fullmatch(str(finding.get("type", ""))) is not None


FORMAT = Format(
    name="guardduty",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon GuardDuty User Guide, GuardDuty finding format",
    hop="aws",
    delay_seconds=21600,
    complete=False,
)
