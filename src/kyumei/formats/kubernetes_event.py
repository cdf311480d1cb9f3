"""Kubernetes events, as ``kubectl get events -o json`` prints them: one row for each event object.

An event that comes again is the same object with a higher ``count``: ``time`` is when it was last seen, ``first_seen`` when first.
Kubernetes keeps events for an hour, and who notes them passes over some when there are many: what is not here may have been. Read are both
ways to write one, that of the core (``involvedObject``) and that of events.k8s.io (``regarding``).

Follows "Event v1 events.k8s.io" and "Event v1 core" in the Kubernetes API Reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import INTEGER
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import UTC_TIME, Dig, dug, dug_sql, every_pair, opened, shallow, tree
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "kubernetes_event",
    "What Kubernetes noted of pods, nodes and other objects.",
    (
        Column("time", Kind.TIME, "When it was last seen.", origin="lastTimestamp, series.lastObservedTime, eventTime"),
        Column("first_seen", Kind.TIME, "When it was first seen.", origin="firstTimestamp, eventTime"),
        Column("count", Kind.INTEGER, "How often it was seen.", origin="count, series.count"),
        Column("event_type", Kind.TEXT, "Normal or Warning.", origin="type"),
        Column("reason", Kind.TEXT, "What happened, in a word: BackOff, FailedScheduling, Unhealthy, OOMKilling.", origin="reason"),
        Column("message", Kind.TEXT, "The same in a sentence.", origin="message, note"),
        Column("action", Kind.TEXT, "What was being done.", origin="action"),
        Column("object_kind", Kind.TEXT, "Pod, Node, Deployment, ...", origin="involvedObject.kind"),
        Column("object_namespace", Kind.TEXT, "Its namespace; null for what has none.", origin="involvedObject.namespace"),
        Column("object_name", Kind.TEXT, "Its name.", Link.RESOURCE, "involvedObject.name"),
        Column("object_part", Kind.TEXT, "The part of it: spec.containers{app}.", origin="involvedObject.fieldPath"),
        Column("object_uid", Kind.TEXT, "Its unique id.", Link.RESOURCE, "involvedObject.uid"),
        Column("component", Kind.TEXT, "Who noted it: kubelet, default-scheduler.", origin="source.component, reportingController"),
        Column("node_name", Kind.TEXT, "The node on which it was noted.", Link.RESOURCE, "source.host"),
        Column("event_id", Kind.TEXT, "The event's unique id.", origin="metadata.uid"),
        Column("event_name", Kind.TEXT, "The event's own name.", origin="metadata.name"),
        Column("object_ref", Kind.JSON, "All that is known of the object.", origin="involvedObject, regarding"),
        Column("related", Kind.JSON, "A second object that it speaks of.", origin="related"),
        Column("event_series", Kind.JSON, "How it goes on.", origin="series"),
        Column("event_origin", Kind.JSON, "Who noted it, and where.", origin="source, deprecatedSource"),
        Column("metadata", Kind.JSON, "The event's own labels, times and names.", origin="metadata"),
        Column("event_version", Kind.TEXT, "v1 or events.k8s.io/v1.", origin="apiVersion"),
    ),
)
# Every key has a field of its own, so that nothing is lost where a record has both ways of writing.
FIELDS = (
    one("_last", "lastTimestamp", UTC_TIME),
    one("_first", "firstTimestamp", UTC_TIME),
    one("_when", "eventTime", UTC_TIME),
    one("_old_last", "deprecatedLastTimestamp", UTC_TIME),
    one("_old_first", "deprecatedFirstTimestamp", UTC_TIME),
    one("_count", "count", INTEGER),
    one("_old_count", "deprecatedCount", INTEGER),
    one("event_type", "type"),
    one("reason", "reason"),
    one("_message", "message"),
    one("_note", "note"),
    one("action", "action"),
    one("_component", "reportingComponent"),
    one("_controller", "reportingController"),
    one("_instance", "reportingInstance"),
    one("event_version", "apiVersion"),
    one("_kind", "kind"),
    tree("_involved", "involvedObject"),
    tree("_regarding", "regarding"),
    tree("related"),
    tree("event_series", "series"),
    tree("_source", "source"),
    tree("_old_source", "deprecatedSource"),
    tree("metadata"),
)
_TREES = {field.column: field.ways[0].path for field in FIELDS if field.ways[0].shape}
_OBJECT = (("kind", "kind"), ("namespace", "namespace"), ("name", "name"), ("part", "fieldPath"), ("uid", "uid"))
DIGS = (
    *(Dig(f"{tree_column}_{part}", tree_column, (key,)) for tree_column in ("_involved", "_regarding") for part, key in _OBJECT),
    Dig("_source_component", "_source", ("component",)),
    Dig("_source_host", "_source", ("host",)),
    Dig("_old_component", "_old_source", ("component",)),
    Dig("_old_host", "_old_source", ("host",)),
    Dig("_series_last", "event_series", ("lastObservedTime",), UTC_TIME),
    Dig("_series_count", "event_series", ("count",), INTEGER),
    Dig("_created", "metadata", ("creationTimestamp",), UTC_TIME),
    Dig("event_id", "metadata", ("uid",)),
    Dig("event_name", "metadata", ("name",)),
)
_DUG, _SURE = dug_sql(DIGS)
_FIRST_OF = {
    "time": ("_series_last", "_last", "_old_last", "_when", "_first", "_old_first", "_created"),
    "first_seen": ("_first", "_old_first", "_when", "_created"),
    "count": ("_series_count", "_count", "_old_count"),
    "message": ("_message", "_note"),
    "component": ("_source_component", "_component", "_controller", "_old_component"),
    "_host": ("_source_host", "_old_host"),
    **{f"object_{part}": (f"_involved_{part}", f"_regarding_{part}") for part, _ in _OBJECT},
    "object_ref": ("_involved", "_regarding"),
    "event_origin": ("_source", "_old_source"),
}
"""The columns that are the first of several that is not empty."""


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Columns that lie inside others, and those that are one of several."""
    found = {**values, **dug(DIGS, {column: document.get(path) for column, path in _TREES.items()})}
    first = {column: next((found[name] for name in names if found[name] not in {None, ""}), None) for column, names in _FIRST_OF.items()}
    return {**found, **first, "node_name": first["_host"] or _node(found)}, set()


def _node(found: Mapping[str, Any]) -> str | None:
    """The node that the reporting instance names: only the kubelet's is one."""
    instance = found["_instance"] if "kubelet" in {found["_component"], found["_controller"]} else None
    return instance or None


_CAST = frozenset({"time", "first_seen", "count"})
"""Those of them that are no texts."""


def _first(column: str) -> str:
    """The first of several in SQL."""
    return "coalesce(" + ", ".join(name if column in _CAST else f"nullif({name}, '')" for name in _FIRST_OF[column]) + ")"


_KUBELET = "CASE WHEN coalesce(_component = 'kubelet', false) OR coalesce(_controller = 'kubelet', false) THEN nullif(_instance, '') END"
LAYOUT = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=(ISO, ISO_SPACE),
    needs=frozenset({"reason"}),
    prepare=opened,
    derive=_derive,
    known=frozenset({"kind"}),
    steps=(
        *_DUG,
        {column: _first(column) for column in _FIRST_OF if column not in {"object_ref", "event_origin"}},
        {
            "node_name": f"coalesce(_host, {_KUBELET})",
            "object_ref": "coalesce(_involved, _regarding)",
            "event_origin": "coalesce(_source, _old_source)",
        },
    ),
    plain=("reason IS NOT NULL", "coalesce(_involved, _regarding) IS NOT NULL", *_SURE, *shallow([*_TREES])),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """A JSON object with the object that it is about, a reason, and what Kubernetes keeps of all its objects."""
    if '"involvedObject"' not in text and '"regarding"' not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict) or "reason" not in found or "auditID" in found:
        return False
    about = found.get("involvedObject", found.get("regarding"))
    return isinstance(about, dict) and ("metadata" in found or found.get("kind") == "Event")


FORMAT = Format(
    name="kubernetes_event",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Kubernetes API Reference, Event v1 events.k8s.io",
    hop="kubernetes",
    complete=False,
)
