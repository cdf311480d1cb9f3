"""Resources as AWS described them: one row for each resource in an answer of ``describe-*``, ``get-*`` or ``list-*``.

An answer lies in the case exactly as the AWS CLI printed it, as ``aws/[<account>/][<region>/]<service>/<operation>[.<qualifier>].json``.
The list that holds the resources is found by its place, not by its name: the one list of objects in the answer, or the answer itself when
it has none. Reservations of ``describe-instances`` are opened, since the instances are the resources. An answer says what was so when it
was taken, which it does not tell: ``time`` is null. Few answers are known by their first key alone, wherever they lie: sampled requests.

Follows the AWS CLI Command Reference, "Output" of each command.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kyumei.contracts import Format, Refused
from kyumei.layouts.casts import TEXT, to_json
from kyumei.layouts.json_places import items, members, skip_blanks, value_at
from kyumei.layouts.json_record import JsonRecord, as_text, one, parse_object
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TABLE = Table(
    "resource_snapshot",
    "Resources and settings as AWS described them, one row for each.",
    (
        Column("time", Kind.TIME, "Always null: an answer does not say when it was taken."),
        Column("service", Kind.TEXT, "The service as the AWS CLI names it: ec2, elbv2, wafv2."),
        Column("operation", Kind.TEXT, "The operation as the AWS CLI names it: describe-security-groups."),
        Column("account", Kind.TEXT, "The account, from the file's path or the resource's ARN.", Link.ACCOUNT),
        Column("region", Kind.TEXT, "The Region, from the file's path or the resource's ARN."),
        Column("qualifier", Kind.TEXT, "What tells several answers of one operation apart, from the file's name."),
        Column("key", Kind.TEXT, "The key of the answer under which the resource stood; null when it is the whole answer."),
        Column("resource", Kind.TEXT, "The resource's ARN, or its id, or its name.", Link.RESOURCE),
        Column("name", Kind.TEXT, "The resource's name, or its Name tag."),
        Column("document", Kind.JSON, "The resource as AWS described it."),
    ),
)

COLUMNS = tuple(column.name for column in TABLE.columns)
_PATH = re.compile(r"(?:^|[/!])aws/((?:[^/]+/){1,3})([a-z][a-z0-9-]*)(?:\.([^/]*?))?\.json(?:\.(?:gz|zst|bz2|xz))?\Z", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}|global", re.ASCII)
_ARN = re.compile(r"arn:[a-z0-9-]+:[a-z0-9-]*:([a-z0-9-]*):([0-9]*):", re.ASCII)
_TOKEN = re.compile(r"(?:.*(?:token|marker)|istruncated|populationsize|resultcount|applicationintegrationurl)\Z", re.IGNORECASE)
_ASIDE = frozenset({"ResponseMetadata", "$metadata"})
_INSIDE = {"Reservations": "Instances"}
"""Lists of groups, and the list inside each group that holds the resources."""
LOG_OPERATIONS = frozenset(
    {
        "logs/filter-log-events",
        "logs/get-log-events",
        "logs/get-query-results",
        "cloudtrail/lookup-events",
        "cloudtrail/get-query-results",
        "cloudformation/describe-stack-events",
        "stepfunctions/get-execution-history",
        "rds/describe-events",
        "xray/batch-get-traces",
        "xray/get-trace-summaries",
        "cloudwatch/describe-alarm-history",
        "sqs/receive-message",
    }
)
"""Operations whose answers are events and no resources: they are read as the logs that they are."""
STATE_AND_ROWS = frozenset(
    {
        "cloudwatch/get-metric-data",
        "cloudwatch/get-metric-statistics",
        "cloudwatch/describe-alarms",
        "ce/get-cost-and-usage",
        "ce/get-cost-and-usage-with-resources",
        "autoscaling/describe-scaling-activities",
        "application-autoscaling/describe-scaling-activities",
        "ecs/describe-tasks",
        "ecs/run-task",
        "ecs/stop-task",
        "ecs/update-service",
        "ecs/describe-services",
        "ecs/describe-container-instances",
        "xray/get-service-graph",
        "xray/get-trace-graph",
        "guardduty/get-findings",
        "pi/get-resource-metrics",
        "pi/describe-dimension-keys",
        "deploy/get-deployment",
        "deploy/get-deployment-instance",
        "deploy/get-deployment-target",
        "deploy/batch-get-deployments",
        "deploy/batch-get-deployment-instances",
        "deploy/batch-get-deployment-targets",
    }
)
"""Operations whose answers are resources for who asks for the state, and rows of another table besides."""


_BY_CONTENT = (
    (
        re.compile(
            r'\s*\{\s*(?:"PopulationSize"\s*:\s*[0-9]+\s*,\s*|"TimeWindow"\s*:\s*\{[^{}]{0,200}\}\s*,\s*){0,2}"SampledRequests"\s*:\s*\[',
            re.ASCII,
        ),
        {"service": "wafv2", "operation": "get-sampled-requests", "account": None, "region": None, "qualifier": None},
    ),
)
"""How answers begin that no other operation could have given, so that one saved under any name is still known."""


def place_in(text: str) -> dict[str, str | None] | None:
    """Service and operation of an answer that its first characters tell; null for any other text."""
    return next((dict(place) for begin, place in _BY_CONTENT if begin.match(text)), None)


def operation_of(name: str) -> str:
    """Service and operation that the path of an answer tells, ``ec2/describe-vpcs``; empty for any other path."""
    place = place_of(name)
    return f"{place['service']}/{place['operation']}" if place else ""


def place_of(name: str) -> dict[str, str | None] | None:
    """Service, operation, account, Region and qualifier that the path of an answer tells; null for any other path."""
    found = _PATH.search(name)
    if not found:
        return None
    *above, service = found[1].strip("/").split("/")
    account = next((step for step in above if _ACCOUNT.fullmatch(step)), None)
    region = next((step for step in above if _REGION.fullmatch(step)), None)
    if any(step not in {account, region} for step in above):
        return None
    qualifier = unquote(found[3]) if found[3] else None
    return {"service": service, "operation": found[2], "account": account, "region": region, "qualifier": qualifier}


def snapshot_rows(name: str, text: str) -> list[tuple[int, dict[str, Any]]] | Refused:
    """The resources in the answer stored as ``name``: the line on which each starts, and its row. Several answers may follow each other."""
    place = place_of(name) or place_in(text.removeprefix("\ufeff"))
    if place is None:
        return Refused("not the path of an AWS answer: aws/<service>/<operation>.json is expected")
    rows: list[tuple[int, dict[str, Any]]] = []
    line, counted, at = 1, 0, skip_blanks(text, 1 if text.startswith("\ufeff") else 0)
    try:
        while at < len(text):
            end = value_at(text, at)[1]
            for key, start, stop in sorted(_resources(text, at), key=lambda found: found[1]):
                value = parse_object('{"":' + text[start:stop] + "}")
                if isinstance(value, Refused):
                    return value
                line, counted = line + text.count("\n", counted, start), start
                rows.append((line, _row(place, key, value[""])))
            at = skip_blanks(text, end)
    except ValueError as error:
        return Refused(f"not valid JSON: {error.msg}" if isinstance(error, json.JSONDecodeError) else "not valid JSON")
    except RecursionError:
        return Refused("the JSON is nested too deeply")
    return rows


def _resources(text: str, at: int) -> Iterator[tuple[str | None, int, int]]:
    """Where the resources of the answer at an offset lie, each with the key that it stands under.

    They are the items of the answer's lists, or its one object; an answer with words or numbers of its own is a resource itself.
    """
    if text[at] == "[":
        yield from ((None, start, end) for start, end in items(text, at))
        return
    if text[at] != "{":
        yield None, at, value_at(text, at)[1]
        return
    known = [member for member in members(text, at) if member[0] not in _ASIDE]
    lists = [member for member in known if text[member[1]] == "["]
    objects = [member for member in known if text[member[1]] == "{"]
    words = [key for key, start, _ in known if text[start] not in "[{" and not _TOKEN.match(key)]
    if words or (not lists and len(objects) != 1):
        if known:
            yield None, at, value_at(text, at)[1]
        return
    for key, start, _ in lists:
        for begin, end in items(text, start):
            yield from _inside(text, key, begin, end)
    if not lists:
        yield objects[0]


def _inside(text: str, key: str, start: int, end: int) -> Iterator[tuple[str | None, int, int]]:
    """The item of a list, or the items of the list inside it where the item only groups them."""
    found = [member for member in members(text, start) if member[0] == _INSIDE[key]] if key in _INSIDE and text[start] == "{" else []
    if found and text[found[0][1]] == "[":
        yield from ((found[0][0], begin, stop) for begin, stop in items(text, found[0][1]))
    else:
        yield key, start, end


def _row(place: Mapping[str, str | None], key: str | None, item: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """The row of one resource."""
    known = item if isinstance(item, dict) else {}
    nouns = _nouns(key, place["operation"] or "")
    name = _named(known, nouns)
    resource = as_text(item) if not isinstance(item, dict | list) else _identity(known, nouns) or name
    where = _ARN.match(resource or "")
    return {
        "time": None,
        **place,
        "account": place["account"] or (where[2] if where else None) or _text(known.get("OwnerId")),
        "region": place["region"] or (where[1] if where else None) or None,
        "key": key,
        "resource": resource,
        "name": name,
        "document": to_json(item),
        "_naive": 0,
        "_extra": None,
    }


def _identity(item: Mapping[str, Any], nouns: frozenset[str]) -> str | None:
    """What tells the resource from others of its sort: the id named after its sort, its ARN, any id that comes first."""
    words = {key.lower(): value for key, value in item.items() if isinstance(value, str) and value}
    own = [
        [key for key in words if key.endswith(ending) and _is_own(key.removesuffix(ending), nouns)]
        for ending in ("id", "arn", "identifier")
    ]
    arns = [key for key in words if key.endswith("arn") and words[key].startswith("arn:")]
    first = [key for key in [*words][:1] if key.endswith(("id", "identifier"))]
    ranked = [*own[0], *[key for key in words if key == "arn"], *own[1], *[key for key in words if key == "id"], *own[2], *first, *arns]
    return words[ranked[0]] if ranked else None


def _is_own(noun: str, nouns: frozenset[str]) -> bool:
    return noun != "" and any(known == noun or known.endswith(noun) for known in nouns)


def _nouns(key: str | None, operation: str) -> frozenset[str]:
    """The sort of resource in the singular, in small letters, as the answer's key and the operation name it."""
    named = [word for word in ((key or "").lower(), "".join(operation.split("-")[1:])) if word]
    return frozenset(
        form
        for word in named
        for form in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y", word.removesuffix("info"))
    )


def _named(item: Mapping[str, Any], nouns: frozenset[str]) -> str | None:
    """The name of a resource: its Name tag, else its own name; the name of something else only where it has none."""
    names = {key.lower(): value for key, value in item.items() if key.lower().endswith("name") and isinstance(value, str) and value}
    ranked = [key for key in names if key == "name"] + [key for key in names if _is_own(key.removesuffix("name"), nouns)]
    ranked += [key for key in names if not key.startswith(("dns", "domain", "canonical"))]
    own = names[ranked[0]] if ranked else None
    tags = item.get("Tags") or item.get("tags") or item.get("TagSet")
    tagged = [tag for tag in tags if isinstance(tag, dict)] if isinstance(tags, list) else []
    label = next((_text(tag.get("Value", tag.get("value"))) for tag in tagged if tag.get("Key", tag.get("key")) == "Name"), None)
    return label or own


def _text(value: Any) -> str | None:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) and value else None


def sniff(text: str, name: str) -> bool:
    """JSON at the path of an AWS answer that holds no log events, or one resource as this table's own row."""
    place = place_of(name)
    if place is None:
        found = parse_object(text) if '"operation"' in text and '"document"' in text else None
        return isinstance(found, dict) and {"service", "operation", "document"} <= found.keys() <= set(COLUMNS)
    return f"{place['service']}/{place['operation']}" not in LOG_OPERATIONS and text.lstrip(" \t\r\n")[:1] in {"{", "["}


_PLAIN = r"\{(?:\"[A-Za-z]+\":(?:\"(?:[^\"\\]|\\[^u])*\"|true|false|[1-9][0-9]{0,17}),?){1}\}"
LAYOUT = JsonRecord(
    table=TABLE,
    fields=(
        *(one(column, column, TEXT) for column in COLUMNS if column not in {"time", "document"}),
        one("document", "document", TEXT, shape=_PLAIN),
    ),
    needs=frozenset({"service", "operation", "document"}),
    plain=("service IS NOT NULL", "operation IS NOT NULL", "document IS NOT NULL"),
)

FORMAT = Format(
    name="resource_snapshot",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS CLI Command Reference, Output of each describe, get and list command",
    complete=False,
)
