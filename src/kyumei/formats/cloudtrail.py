"""AWS CloudTrail: one row for each event, which is mostly a call of an AWS API.

The event has one body in four wrappings, all of which are read here: the objects of a trail's files and CloudWatch messages as they are,
EventBridge's envelope with the event as its ``detail``, entries of ``lookup-events`` and of Lake queries with the event as a text
(``CloudTrailEvent``, ``eventjson``), and rows of Lake and Athena with a column for each key, in small letters or not.

A call failed where ``failed`` is true: it has an error, or is a sign-in that the console refused. ``source_ip`` is not always an address.
Data events (objects of S3, invocations of functions) are there only where a trail asks for them. The same event may be delivered twice,
then it is two rows with one ``event_id``; an addendum names the event that it mends; ``shared_event_id`` is the same in both accounts of a
call across accounts. Parameters beyond 100 KB are left out by AWS. A digest file holds hashes of log files and no event.

Follows "CloudTrail record contents", "CloudTrail userIdentity element" and "CloudTrail Insights event" in the AWS CloudTrail User Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format, Refused
from kyumei.layouts.json_names import FILLED
from kyumei.layouts.json_record import JsonRecord, as_text, first_of_each, one, parse_object
from kyumei.layouts.json_tree import BOOLEAN, UTC_TIME, Dig, dug, dug_sql, every_pair, opened, shallow, strings, strings_sql, text, tree
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "cloudtrail",
    "Events of AWS CloudTrail: calls of AWS APIs, console sign-ins, events of services, insights.",
    (
        Column("time", Kind.TIME, "When the call was made; seconds.", origin="eventTime"),
        Column("event_id", Kind.TEXT, "The id of the event; two rows with one id are one event delivered twice.", origin="eventID"),
        Column("event_source", Kind.TEXT, "The service that was called: ec2.amazonaws.com.", origin="eventSource"),
        Column("event_name", Kind.TEXT, "The call: RunInstances, ConsoleLogin.", origin="eventName"),
        Column("account", Kind.TEXT, "The account whose trail has the event, else the caller's.", Link.ACCOUNT, "recipientAccountId"),
        Column("region", Kind.TEXT, "The Region that was called; us-east-1 for global services.", origin="awsRegion"),
        Column("recipient_account", Kind.TEXT, "The account that got the event.", Link.ACCOUNT, "recipientAccountId"),
        Column("user_account", Kind.TEXT, "The account of the caller.", Link.ACCOUNT, "userIdentity.accountId"),
        Column("user_type", Kind.TEXT, "Root, IAMUser, AssumedRole, AWSService, AWSAccount, ...", origin="userIdentity.type"),
        Column("user_name", Kind.TEXT, "The IAM user's name; of a role's session the role's.", Link.PRINCIPAL, "userIdentity.userName"),
        Column("user_arn", Kind.TEXT, "Who called; for a role the session.", Link.PRINCIPAL, "userIdentity.arn"),
        Column("principal_id", Kind.TEXT, "The caller's unique id.", Link.PRINCIPAL, "userIdentity.principalId"),
        Column("role_arn", Kind.TEXT, "The role of the session.", Link.PRINCIPAL, "userIdentity.sessionContext.sessionIssuer.arn"),
        Column("session_name", Kind.TEXT, "The name of a role's session: of an instance its id.", origin="userIdentity.arn"),
        Column("source_identity", Kind.TEXT, "The first identity of a chain of roles.", Link.PRINCIPAL, "userIdentity.sessionContext"),
        Column("access_key_id", Kind.TEXT, "The key that signed the call.", Link.PRINCIPAL, "userIdentity.accessKeyId"),
        Column("invoked_by", Kind.TEXT, "The service that called for somebody.", origin="userIdentity.invokedBy"),
        Column("is_mfa", Kind.BOOLEAN, "Whether the session was opened with MFA.", origin="userIdentity.sessionContext.attributes"),
        Column("source_ip", Kind.TEXT, "An address, the name of a service, or AWS Internal.", Link.CLIENT, "sourceIPAddress"),
        Column("user_agent", Kind.TEXT, "The program that called; at most 1 KB.", origin="userAgent"),
        Column("failed", Kind.BOOLEAN, "Whether the call failed: an error, or a refused sign-in.", origin="errorCode, errorMessage"),
        Column("error_code", Kind.TEXT, "Why the call failed: AccessDenied, Client.InvalidParameterValue.", origin="errorCode"),
        Column("error_message", Kind.TEXT, "The same in a sentence.", origin="errorMessage"),
        Column("read_only", Kind.BOOLEAN, "Whether the call changes nothing.", origin="readOnly"),
        Column("request_parameters", Kind.JSON, "What was asked for.", origin="requestParameters"),
        Column("response_elements", Kind.JSON, "What a changing call was answered; null for one that reads.", origin="responseElements"),
        Column("resource_arns", Kind.LIST, "ARNs of the resources; null when none is named.", Link.RESOURCE, "resources[].ARN"),
        Column("resources", Kind.JSON, "The resources that were spoken of.", origin="resources"),
        Column("request_id", Kind.TEXT, "The id that the service gave the call.", Link.REQUEST, "requestID"),
        Column("shared_event_id", Kind.TEXT, "The same in all accounts that got an event of this call.", origin="sharedEventID"),
        Column("vpc_endpoint", Kind.TEXT, "The VPC endpoint that the call came through.", Link.RESOURCE, "vpcEndpointId"),
        Column("vpc_endpoint_account", Kind.TEXT, "Its account.", Link.ACCOUNT, "vpcEndpointAccountId"),
        Column("event_type", Kind.TEXT, "AwsApiCall, AwsServiceEvent, AwsConsoleSignIn, AwsCloudTrailInsight, ...", origin="eventType"),
        Column("event_category", Kind.TEXT, "Management, Data, NetworkActivity or Insight.", origin="eventCategory"),
        Column("is_management", Kind.BOOLEAN, "Whether it is a management event.", origin="managementEvent"),
        Column("from_console", Kind.BOOLEAN, "Whether a console session called.", origin="sessionCredentialFromConsole"),
        Column("api_version", Kind.TEXT, "The version of the API.", origin="apiVersion"),
        Column("event_version", Kind.TEXT, "The version of the record: 1.11.", origin="eventVersion"),
        Column("ssl_protocol", Kind.TEXT, "TLSv1.2, TLSv1.3, ...", origin="tlsDetails.tlsVersion"),
        Column("user_identity", Kind.JSON, "All that is known of the caller.", origin="userIdentity"),
        Column("additional_data", Kind.JSON, "What is in no other field.", origin="additionalEventData"),
        Column("service_details", Kind.JSON, "What started an event of a service.", origin="serviceEventDetails"),
        Column("insight", Kind.JSON, "The unusual rate that an insight event speaks of.", origin="insightDetails"),
        Column("addendum", Kind.JSON, "Why an event came late, and which event it mends.", origin="addendum"),
        Column("event_context", Kind.JSON, "Tags and condition keys; in Lake only.", origin="eventContext"),
        Column("tls", Kind.JSON, "TLS of the call: version, cipher suite, host asked for.", origin="tlsDetails"),
    ),
)


FIELDS = (
    one("time", "eventTime", UTC_TIME),
    one("event_id", "eventID"),
    one("event_source", "eventSource"),
    one("event_name", "eventName"),
    one("region", "awsRegion"),
    one("recipient_account", "recipientAccountId"),
    one("source_ip", "sourceIPAddress"),
    text("_user_agent", "userAgent"),
    one("error_code", "errorCode", FILLED, total=True),
    text("_error_message", "errorMessage"),
    one("read_only", "readOnly", BOOLEAN),
    one("request_id", "requestID"),
    one("shared_event_id", "sharedEventID"),
    one("vpc_endpoint", "vpcEndpointId"),
    one("vpc_endpoint_account", "vpcEndpointAccountId"),
    one("event_type", "eventType"),
    one("event_category", "eventCategory"),
    one("is_management", "managementEvent", BOOLEAN),
    one("from_console", "sessionCredentialFromConsole", BOOLEAN),
    one("api_version", "apiVersion"),
    one("event_version", "eventVersion"),
    tree("user_identity", "userIdentity"),
    tree("request_parameters", "requestParameters"),
    tree("response_elements", "responseElements"),
    tree("resources"),
    tree("additional_data", "additionalEventData"),
    tree("service_details", "serviceEventDetails"),
    tree("insight", "insightDetails"),
    tree("addendum"),
    tree("event_context", "eventContext"),
    tree("tls", "tlsDetails"),
)
_TREES = {field.column: field.ways[0].path for field in FIELDS if field.ways[0].shape and not field.column.startswith("_")}
DIGS = (
    Dig("user_account", "user_identity", ("accountId",)),
    Dig("user_type", "user_identity", ("type",)),
    Dig("_user_name", "user_identity", ("userName",)),
    Dig("user_arn", "user_identity", ("arn",)),
    Dig("principal_id", "user_identity", ("principalId",)),
    Dig("role_arn", "user_identity", ("sessionContext", "sessionIssuer", "arn")),
    Dig("_role_name", "user_identity", ("sessionContext", "sessionIssuer", "userName")),
    Dig("source_identity", "user_identity", ("sessionContext", "sourceIdentity")),
    Dig("is_mfa", "user_identity", ("sessionContext", "attributes", "mfaAuthenticated"), BOOLEAN),
    Dig("access_key_id", "user_identity", ("accessKeyId",)),
    Dig("invoked_by", "user_identity", ("invokedBy",)),
    Dig("ssl_protocol", "tls", ("tlsVersion",)),
    Dig("_sign_in", "response_elements", ("ConsoleLogin",)),
    Dig("_insight_name", "insight", ("eventName",)),
    Dig("_insight_source", "insight", ("eventSource",)),
)
_OF_INSIGHT = {"event_name": "_insight_name", "event_source": "_insight_source"}
_SESSION = re.compile(r":assumed-role/[^/]+/((?s:.+))$")
_SESSION_OF_ID = re.compile(r"^[^:]+:((?s:.+))$")
_LOOKED_UP = frozenset({"EventId", "EventName", "ReadOnly", "AccessKeyId", "EventTime", "EventSource", "Username", "Resources"})
_AS_TEXT = ("CloudTrailEvent", "eventjson", "eventJson", "eventJSON")
_NAMES = {field.ways[0].path.lower(): field.ways[0].path for field in FIELDS}
_DIGEST = ("digestStartTime", "digestEndTime", "logFiles")


def _prepare(document: dict[str, Any]) -> dict[str, Any]:
    """The event itself, whatever it is wrapped in; what a wrapping has besides its usual keys is kept."""
    if "detail-type" in document:
        return opened(document)
    document = first_of_each([*document.items()])
    for key in _AS_TEXT:
        if isinstance(document.get(key), str) and isinstance(event := parse_object(document[key], every_pair), dict):
            more = {name: value for name, value in document.items() if name != key and name not in _LOOKED_UP and name not in event}
            return {**more, **first_of_each([*event.items()])}
    return document if _is_whole(document) else _in_columns(document)


def _is_whole(document: Mapping[str, Any]) -> bool:
    """Whether an event is written as CloudTrail writes it, not as a row of a query."""
    return str(document.get("eventTime", ""))[10:11] == "T"


def _in_columns(row: dict[str, Any]) -> dict[str, Any]:
    """A row of Lake or Athena as an event: keys as CloudTrail writes them, objects that a column holds as text opened."""
    named = first_of_each([(_NAMES.get(key.lower(), key), value) for key, value in row.items()])
    for path in _TREES.values():
        value = named.get(path)
        if isinstance(value, str) and value[:1] in {"{", "["}:
            found = parse_object(f'{{"":{value}}}', every_pair)
            named[path] = found[""] if isinstance(found, dict) and len(found) == 1 else value
    return named


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Columns that lie inside others."""
    found = dug(DIGS, {column: document.get(path) for column, path in _TREES.items()})
    errors = as_text(document.get("errorMessage")) or None  # an empty cell of a row of Lake is no error
    session = _SESSION.search(found["user_arn"] or "") or _SESSION_OF_ID.search(found["principal_id"] or "")
    return {
        **found,
        "account": values["recipient_account"] or found["user_account"],
        "user_name": found["_user_name"] or found["_role_name"],
        "session_name": session[1] if session and found["user_type"] == "AssumedRole" else None,
        "user_agent": as_text(document.get("userAgent")),
        "error_message": errors,
        "failed": values["error_code"] is not None or errors is not None or found["_sign_in"] == "Failure",
        "resource_arns": strings(document.get("resources"), "ARN"),
        **{name: found[other] for name, other in _OF_INSIGHT.items() if values[name] is None},
    }, {"errorCode"} if as_text(document.get("errorCode")) in {"", "-"} else set()


_DUG, _SURE = dug_sql(DIGS)
_ARNS, _ARNS_SURE = strings_sql("resources", "ARN")
STEPS = (
    *_DUG,
    {
        "account": "coalesce(nullif(recipient_account, ''), user_account)",
        "user_name": "coalesce(nullif(_user_name, ''), _role_name)",
        "session_name": "CASE WHEN user_type = 'AssumedRole' THEN coalesce("
        r"nullif(regexp_extract(user_arn, ':assumed-role/[^/]+/((?s:.+))$', 1), ''), "
        r"nullif(regexp_extract(principal_id, '^[^:]+:((?s:.+))$', 1), '')) END",
        "user_agent": "_user_agent->>'$'",
        "error_message": "nullif(_error_message->>'$', '')",
        "failed": "error_code IS NOT NULL OR nullif(_error_message->>'$', '') IS NOT NULL OR coalesce(_sign_in = 'Failure', false)",
        "resource_arns": _ARNS,
    },
)


class _Trail(JsonRecord):
    """JSON records, and the answer to a digest."""

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        if '"digestStartTime"' in text and _is_digest(parse_object(text)):
            return Refused("a CloudTrail digest: hashes of log files, no event")
        return super().read(text)


def _is_digest(document: dict[str, Any] | Refused) -> bool:
    return isinstance(document, dict) and all(key in document for key in _DIGEST)


LAYOUT = _Trail(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=(ISO, ISO_SPACE),
    needs=frozenset({"eventTime"}),
    prepare=_prepare,
    derive=_derive,
    steps=STEPS,
    plain=(
        "time IS NOT NULL",
        "event_name IS NOT NULL",
        "event_source IS NOT NULL",
        _ARNS_SURE,
        *_SURE,
        *shallow([*_TREES]),
    ),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """An event by its version and time, in any of its wrappings; a row of Lake by its names; a digest.

    A source such as ``aws:s3`` is that of a notification, not of a call: CloudTrail writes the service's name in the DNS.
    """
    if not any(word in text for word in ("eventVersion", "eventversion", "eventName", "eventname", "digestStartTime")):
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    if _is_digest(found):
        return True
    if "detail-type" in found and isinstance(found.get("detail"), dict):
        return "eventVersion" in found["detail"] and "eventTime" in found["detail"]
    event = _prepare(found)
    if "eventTime" not in event or event.keys() & {"webaclId", "detail-type"} or str(event.get("eventSource")).startswith("aws:"):
        return False
    return ("eventVersion" in event and bool(event.keys() & {"eventSource", "eventName", "eventType"})) or (
        "eventSource" in event and "eventName" in event and bool(event.keys() & {"eventID", "userIdentity", "awsRegion"})
    )


FORMAT = Format(
    name="cloudtrail",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS CloudTrail User Guide, CloudTrail record contents",
    hop="aws",
    delay_seconds=900,
    complete=False,
)
