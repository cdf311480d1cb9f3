"""RDS events: what RDS did with instances, clusters, snapshots and proxies, and what befell them.

The same events come as the answer of ``describe-events`` (two weeks back at most), by EventBridge, and by SNS to who subscribed. Only the
last two have an ``event_code``, which stays the same when the message changes: RDS-EVENT-0049 is a failover that ended, RDS-EVENT-0089
storage that runs out, RDS-EVENT-0006 a restart. All times are UTC.

Follows "Amazon RDS event categories and event messages" in the RDS User Guide and "DescribeEvents" in the API Reference.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.json_names import WHEN
from kyumei.layouts.json_record import Field, JsonRecord, Way, one, parse_object
from kyumei.layouts.json_tree import PIECE, TREE, Dig, dug, dug_sql, every_pair, shallow, strings, strings_sql, tree
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "rds_event",
    "What Amazon RDS did with databases, and what befell them.",
    (
        Column("time", Kind.TIME, "When it happened.", origin="Date, Event Time"),
        Column("event_code", Kind.TEXT, "RDS-EVENT-nnnn; null in an answer of describe-events.", origin="EventID, Event ID"),
        Column("categories", Kind.LIST, "availability, failover, maintenance, low storage and so on.", origin="EventCategories"),
        Column("source_type", Kind.TEXT, "db-instance, db-cluster, db-snapshot and so on.", origin="SourceType, Event Source"),
        Column("resource", Kind.TEXT, "The name of the instance, cluster or other source.", Link.RESOURCE, "SourceIdentifier, Source ID"),
        Column("resource_arn", Kind.TEXT, "Its ARN.", Link.RESOURCE, "SourceArn, Source ARN"),
        Column("message", Kind.TEXT, "What happened.", origin="Message, Event Message"),
        Column(
            "detail_type", Kind.TEXT, "RDS DB Instance Event and so on; null when it did not come by EventBridge.", origin="detail-type"
        ),
        Column("uuid", Kind.TEXT, "The id that EventBridge gave the event.", origin="id"),
        Column("account", Kind.TEXT, "The account, of the event or in the ARN.", Link.ACCOUNT, "account"),
        Column("region", Kind.TEXT, "The region, of the event or in the ARN.", origin="region"),
        Column("tags", Kind.JSON, "The tags of the source, where SNS sent the event.", origin="Tags"),
        Column("detail", Kind.JSON, "The event inside that of EventBridge, as it was.", origin="detail"),
    ),
)

_ID = re.compile("RDS-EVENT-[0-9]{1,6}")
_ARN = re.compile("arn:[^:]*:rds:([^:]*):([^:]*):")
_DIGS = (
    Dig("_date", "detail", ("Date",), WHEN),
    Dig("_inner_id", "detail", ("EventID",)),
    Dig("_inner_type", "detail", ("SourceType",)),
    Dig("_inner_source", "detail", ("SourceIdentifier",)),
    Dig("_inner_arn", "detail", ("SourceArn",)),
    Dig("_inner_message", "detail", ("Message",)),
    Dig("_inner_categories", "detail", ("EventCategories",)),
)
_SPELLINGS = {
    "_own_id": ("Event ID", "EventID"),
    "_own_type": ("SourceType", "Event Source"),
    "_own_source": ("SourceIdentifier", "Source ID"),
    "_own_arn": ("SourceArn", "Source ARN"),
    "_own_message": ("Message", "Event Message"),
}
"""What ``describe-events`` and SNS call the same thing."""
_CHOICES = {
    "time": ("_own_date", "_date", "_sent"),
    "_id": ("_own_id", "_inner_id"),
    "_type": ("_own_type", "_inner_type"),
    "resource": ("_own_source", "_inner_source"),
    "resource_arn": ("_own_arn", "_inner_arn"),
    "message": ("_own_message", "_inner_message"),
    "_categories": ("_own_categories", "_inner_categories"),
}
_PAIRS = (("Date", "Event Time"), ("EventCategories", "Event Categories"), *_SPELLINGS.values())
_TREES = ("_own_categories", "tags", "detail", "_resources")


def _derive(document: Mapping[str, Any], values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The event's fields from where it has them; its number without an address, account and region, the type as an API spells it."""
    known = values | dug(_DIGS, {"detail": document.get("detail")})
    found: dict[str, Any] = {
        column: next((known[way] for way in ways if known[way] is not None), None) for column, ways in _CHOICES.items()
    }
    number, arn = _ID.search(found["_id"] or ""), _ARN.match(found["resource_arn"] or "")
    found["event_code"] = number[0] if number else found["_id"] or None
    listed = found["_categories"] or ""
    found["categories"] = strings(json.loads(listed)) if listed.startswith("[") else None
    found["source_type"] = found["_type"] and found["_type"].lower().replace("_", "-")
    found["account"] = values["_account"] or (arn[2] if arn else None) or None
    found["region"] = values["_region"] or (arn[1] if arn else None) or None
    return found, set()


_STEPS, _SURE = dug_sql(_DIGS)
_LIST, _LISTED = strings_sql("_categories")

LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        Field("_own_date", (Way("Date", WHEN), Way("Event Time", WHEN))),
        one("_sent", "time", WHEN),
        *(Field(column, tuple(map(Way, ways))) for column, ways in _SPELLINGS.items()),
        Field("_own_categories", tuple(Way(path, PIECE, TREE) for path in ("EventCategories", "Event Categories"))),
        one("detail_type", "detail-type"),
        one("uuid", "id"),
        one("_account", "account"),
        one("_region", "region"),
        tree("tags", "Tags"),
        tree("detail"),
        tree("_resources", "resources"),
        one("_link", "Identifier Link"),
        one("_version", "version"),
        one("_bus", "source"),
    ),
    stamp_ways=(ISO, ISO_SPACE),
    derive=_derive,
    steps=(
        *_STEPS,
        {column: f"coalesce({', '.join(ways)})" for column, ways in _CHOICES.items()},
        {
            "event_code": "coalesce(nullif(regexp_extract(_id, 'RDS-EVENT-[0-9]{1,6}'), ''), nullif(_id, ''))",
            "categories": _LIST,
            "source_type": "replace(lower(_type), '_', '-')",
            "account": "nullif(coalesce(nullif(_account, ''), regexp_extract(resource_arn, '^arn:[^:]*:rds:[^:]*:([^:]*):', 1)), '')",
            "region": "nullif(coalesce(nullif(_region, ''), regexp_extract(resource_arn, '^arn:[^:]*:rds:([^:]*):[^:]*:', 1)), '')",
        },
    ),
    plain=(
        "time IS NOT NULL",
        *(f'("raw {one}" IS NULL OR "raw {other}" IS NULL)' for one, other in _PAIRS),
        "regexp_full_match(coalesce(_type, ''), '[ -~]*')",
        _LISTED,
        *_SURE,
        *shallow(_TREES),
    ),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """An event of EventBridge from aws.rds, one that SNS sent, or one of describe-events whose source is of RDS."""
    if "rds" not in text and "RDS" not in text and "db-" not in text:
        return False
    found = parse_object(text)
    if not isinstance(found, dict):
        return False
    if "detail-type" in found:
        return found.get("source") == "aws.rds" and "via CloudTrail" not in str(found["detail-type"])
    sent = {"Event Source", "Event Message"} <= found.keys()
    answered = {"SourceType", "SourceIdentifier", "Message", "Date"} <= found.keys()
    arn = str(found.get("SourceArn", found.get("Source ARN", "")))
    return (sent or answered) and (":rds:" in arn or "RDS-EVENT" in text or '"db-' in text)


FORMAT = Format(
    name="rds_event",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.Messages.html",
    hop="database",
    delay_seconds=300,
    complete=True,
)
