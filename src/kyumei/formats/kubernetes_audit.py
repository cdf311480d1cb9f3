"""Kubernetes audit log, as EKS writes it for its control plane: rows for each request to the API server, one for each stage of it.

A request has several rows with one ``audit_id``: RequestReceived, for a watch ResponseStarted, then ResponseComplete, or Panic. To count
requests take ResponseComplete; a watch is complete when it ends, which may be an hour later. ``user`` is who was let in, system:anonymous
nobody; on EKS ``user_arn`` is the IAM principal behind it. ``decision`` forbid is a 403, with the reason beside it. Which requests are
logged, and whether with their objects, the audit policy decides: EKS leaves out most reads of its own components.

Follows "Auditing" and "Event" of audit.k8s.io/v1 in the Kubernetes documentation, and "Send control plane logs to CloudWatch Logs" in the
Amazon EKS User Guide.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.json_names import STATUS
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import FIRST, UTC_TIME, Dig, dug, dug_sql, every_pair, opened, shallow, strings, strings_in, strings_sql, tree
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "kubernetes_audit",
    "Requests to the Kubernetes API server, one row for each stage.",
    (
        Column("time", Kind.TIME, "When the request came in; microseconds.", origin="requestReceivedTimestamp"),
        Column("stage_time", Kind.TIME, "When it came to this stage.", origin="stageTimestamp"),
        Column("request_seconds", Kind.FLOAT, "From when it came in to this stage.", origin="stageTimestamp"),
        Column("audit_id", Kind.TEXT, "The request: the same in all its stages.", Link.REQUEST, "auditID"),
        Column("audit_stage", Kind.TEXT, "RequestReceived, ResponseStarted, ResponseComplete or Panic.", origin="stage"),
        Column("audit_level", Kind.TEXT, "How much is logged: Metadata, Request or RequestResponse.", origin="level"),
        Column("verb", Kind.TEXT, "get, list, watch, create, update, patch, delete, ...", origin="verb"),
        Column("path", Kind.TEXT, "The path of the request, without the query string.", Link.PATH, "requestURI"),
        Column("query", Kind.TEXT, "The query string without its question mark; null if there is none.", origin="requestURI"),
        Column("status", Kind.INTEGER, "The status that was answered.", Link.STATUS, "responseStatus.code"),
        Column("error_reason", Kind.TEXT, "Why it failed, in a word: Forbidden, NotFound, Conflict.", origin="responseStatus.reason"),
        Column("message", Kind.TEXT, "The same in a sentence.", origin="responseStatus.message"),
        Column("user", Kind.TEXT, "Who asked, as Kubernetes calls it.", Link.PRINCIPAL, "user.username"),
        Column("user_groups", Kind.LIST, "The user's groups; null when there are none.", origin="user.groups"),
        Column("user_arn", Kind.TEXT, "The IAM principal of the user, on EKS.", Link.PRINCIPAL, "user.extra.arn"),
        Column("session_name", Kind.TEXT, "The name of its role's session.", origin="user.extra.sessionName"),
        Column("access_key_id", Kind.TEXT, "The key that signed its token.", Link.PRINCIPAL, "user.extra.accessKeyId"),
        Column("impersonated_user", Kind.TEXT, "Whom the user acted as.", Link.PRINCIPAL, "impersonatedUser.username"),
        Column("client_ip", Kind.TEXT, "The first of the addresses: the client's, as far as proxies tell.", Link.CLIENT, "sourceIPs"),
        Column("client_list", Kind.LIST, "All addresses, the client's first.", origin="sourceIPs"),
        Column("user_agent", Kind.TEXT, "The User-Agent header.", origin="userAgent"),
        Column("object_resource", Kind.TEXT, "What was asked for: pods, secrets, nodes.", origin="objectRef.resource"),
        Column("object_subresource", Kind.TEXT, "A part of it: exec, log, status, binding.", origin="objectRef.subresource"),
        Column("object_namespace", Kind.TEXT, "Its namespace; null for what has none.", origin="objectRef.namespace"),
        Column("object_name", Kind.TEXT, "Its name; null for a list.", Link.RESOURCE, "objectRef.name"),
        Column("object_group", Kind.TEXT, "Its API group; null for the core.", origin="objectRef.apiGroup"),
        Column("object_version", Kind.TEXT, "Its API version.", origin="objectRef.apiVersion"),
        Column("decision", Kind.TEXT, "allow or forbid.", origin="annotations.authorization.k8s.io/decision"),
        Column("decision_reason", Kind.TEXT, "By which binding or why not.", origin="annotations.authorization.k8s.io/reason"),
        Column("annotations", Kind.JSON, "What the API server's plug-ins noted.", origin="annotations"),
        Column("user_identity", Kind.JSON, "All that is known of the user.", origin="user"),
        Column("impersonated", Kind.JSON, "All that is known of whom the user acted as.", origin="impersonatedUser"),
        Column("object_ref", Kind.JSON, "All that is known of what was asked for.", origin="objectRef"),
        Column("response_details", Kind.JSON, "All of the answered status.", origin="responseStatus"),
        Column("request_object", Kind.JSON, "The body of the request.", origin="requestObject"),
        Column("response_object", Kind.JSON, "The body of the answer.", origin="responseObject"),
        Column("event_version", Kind.TEXT, "The version of the record: audit.k8s.io/v1.", origin="apiVersion"),
    ),
)
FIELDS = (
    one("time", "requestReceivedTimestamp", UTC_TIME),
    one("stage_time", "stageTimestamp", UTC_TIME),
    one("audit_id", "auditID"),
    one("audit_stage", "stage"),
    one("audit_level", "level"),
    one("verb", "verb"),
    one("_uri", "requestURI"),
    one("user_agent", "userAgent"),
    one("event_version", "apiVersion"),
    one("_kind", "kind"),
    tree("_addresses", "sourceIPs"),
    tree("annotations"),
    tree("user_identity", "user"),
    tree("impersonated", "impersonatedUser"),
    tree("object_ref", "objectRef"),
    tree("response_details", "responseStatus"),
    tree("request_object", "requestObject"),
    tree("response_object", "responseObject"),
)
_TREES = {field.column: field.ways[0].path for field in FIELDS if field.ways[0].shape}
DIGS = (
    Dig("status", "response_details", ("code",), STATUS),
    Dig("error_reason", "response_details", ("reason",)),
    Dig("message", "response_details", ("message",)),
    Dig("user", "user_identity", ("username",)),
    Dig("user_arn", "user_identity", ("extra", "arn"), FIRST),
    Dig("session_name", "user_identity", ("extra", "sessionName"), FIRST),
    Dig("access_key_id", "user_identity", ("extra", "accessKeyId"), FIRST),
    Dig("impersonated_user", "impersonated", ("username",)),
    Dig("object_resource", "object_ref", ("resource",)),
    Dig("object_subresource", "object_ref", ("subresource",)),
    Dig("object_namespace", "object_ref", ("namespace",)),
    Dig("object_name", "object_ref", ("name",)),
    Dig("object_group", "object_ref", ("apiGroup",)),
    Dig("object_version", "object_ref", ("apiVersion",)),
    Dig("decision", "annotations", ("authorization.k8s.io/decision",)),
    Dig("decision_reason", "annotations", ("authorization.k8s.io/reason",)),
    Dig("_groups", "user_identity", ("groups",)),
)
_DUG, _SURE = dug_sql(DIGS)
_ADDRESSES, _ADDRESSES_SURE = strings_sql("_addresses")
_GROUPS, _GROUPS_SURE = strings_sql("_groups")


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Columns that lie inside others."""
    found = dug(DIGS, {column: document.get(path) for column, path in _TREES.items()})
    addresses = strings(document.get("sourceIPs"))
    path, mark, query = (values["_uri"] or "").partition("?")
    passed = values["stage_time"] - values["time"] if values["stage_time"] and values["time"] else None
    return {
        **found,
        "request_seconds": None if passed is None else (passed // timedelta(microseconds=1)) / 1e6,
        "path": path or None,
        "query": query or None if mark else None,
        "user_groups": strings_in(found["_groups"]),
        "client_list": addresses,
        "client_ip": addresses[0] if addresses else None,
    }, set()


LAYOUT = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=(ISO, ISO_SPACE),
    needs=frozenset({"kind", "apiVersion"}),
    prepare=opened,
    derive=_derive,
    known=frozenset({"kind"}),
    steps=(
        *_DUG,
        {
            "request_seconds": "(epoch_us(stage_time) - epoch_us(time)) / 1e6::DOUBLE",
            "path": "nullif(split_part(_uri, '?', 1), '')",
            "query": "CASE WHEN contains(_uri, '?') THEN nullif(substr(_uri, strpos(_uri, '?') + 1), '') END",
            "user_groups": _GROUPS,
            "client_list": _ADDRESSES,
        },
        {"client_ip": "client_list[1]"},
    ),
    plain=("_kind IS NOT NULL", "event_version IS NOT NULL", _ADDRESSES_SURE, _GROUPS_SURE, *_SURE, *shallow([*_TREES])),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """A JSON object that names the audit API as its kind."""
    if "audit.k8s.io/" not in text:
        return False
    found = parse_object(text)
    return isinstance(found, dict) and found.get("kind") == "Event" and str(found.get("apiVersion", "")).startswith("audit.k8s.io/")


FORMAT = Format(
    name="kubernetes_audit",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Kubernetes documentation, Event of audit.k8s.io/v1",
    hop="kubernetes",
    delay_seconds=300,
    complete=False,
)
