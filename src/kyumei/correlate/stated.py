"""Which records are of the request that a person told of: by status, method, path, host, client, id, or by how long it took."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from kyumei.correlate.addresses import address, addresses, is_private
from kyumei.edge.circles import REDIRECTING, circles
from kyumei.model.status import FAILED
from kyumei.model.symptom import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.model.symptom import Symptom
    from kyumei.store.case import Case

Row = dict[str, Any]
SLOW_SECONDS = 1.0
"""What took less is slow to nobody."""
LONG_SECONDS = 10.0
"""What took so long is slow even where that is usual."""
SLOWER = 5
"""How many times as long as usual a slow request takes."""
ENOUGH = 10
"""Requests of a path from which on its usual time is known; else it is that of all paths."""
GIVEN_UP = frozenset({408, 460, 499, 504})
"""Statuses of who waited too long."""
CUT_OFF = frozenset({0, 444})
"""Statuses of connections that were closed without an answer."""


def matches(symptom: Symptom, row: Row) -> bool:
    """Whether one record fits everything that the person stated and that the record can tell."""
    if symptom.request_ids and not _has_id(symptom, row):
        return False
    if symptom.method and row["method"] and row["method"] != symptom.method and not _is_preflight(symptom, row):
        return False
    if symptom.path and (row["path"] is None or _alike(row["path"]) != _alike(symptom.path)):
        return False
    if symptom.path_word and not _has_word(symptom.path_word, row["path"]):
        return False
    if symptom.host and row["host"] and row["host"].lower() != symptom.host.lower():
        return False
    if symptom.client and not is_client(symptom.client, row):
        return False
    return failed(symptom, row)


def _is_preflight(symptom: Symptom, row: Row) -> bool:
    """Whether a record may be of the question that a browser asks first; where that fails, the request itself is never sent (CORS)."""
    return symptom.kind is Trouble.CROSS_ORIGIN and row["method"] == "OPTIONS"


def _has_word(word: str, path: str | None) -> bool:
    """Whether a part of a path is the word, be it one or many of the thing, with or without a file's ending."""
    return any(names(word, part) for part in (path or "").split("/"))


def names(word: str, part: str) -> bool:
    """Whether a word, in small letters, is a part of a path.

    >>> [names("orders", part) for part in ("orders", "order", "Orders.php", "orders-old", "reorders")]
    [True, True, True, False, False]
    """
    bare = part.partition(".")[0].lower()
    return bool(bare) and bare.removesuffix("s") == word.removesuffix("s")


def failed(symptom: Symptom, row: Row) -> bool:
    """Whether the record's status is the one stated; any failure where none was stated."""
    status = row["status"]
    if symptom.by_time:
        stated = symptom.status is None or symptom.status == status
        return (stated and _lasted(row) >= _least(symptom)) or (symptom.kind is Trouble.TIMED_OUT and status in GIVEN_UP)
    if symptom.before_request:
        return symptom.kind is Trouble.NOT_CONNECTED and status in CUT_OFF
    if symptom.in_circles:
        return status in REDIRECTING if symptom.status is None else status == symptom.status
    if symptom.status is not None:
        # CloudFront's 000 is kept as no status at all: the viewer got none.
        return bool(status == symptom.status or (symptom.status == 0 and status is None and row["hop"] == "cloudfront"))
    if symptom.status_class is not None:
        return status is not None and status // 100 == symptom.status_class
    return bool(row["hop"] == "waf" and row["own"]) or (status is not None and status >= FAILED)


def _lasted(row: Row) -> float:
    """Seconds that a record says its request took, 0 where it does not tell."""
    return float((row["time"] - row["started"]).total_seconds())


def _least(symptom: Symptom) -> float:
    """Seconds that a request must have taken at least to be the slow one; what people tell is rough."""
    return max(SLOW_SECONDS, (symptom.took_seconds or 0) / 2)


def _has_id(symptom: Symptom, row: Row) -> bool:
    own = {row["trace_id"], row["request_id"]} - {None}
    return any(stated.removeprefix("Root=") in own for stated in symptom.request_ids)


def _bare(path: str) -> str:
    return path.split("?", 1)[0].rstrip("/") or "/"


def is_path(stated: str, row: Mapping[str, Any]) -> bool:
    """Whether a record has the stated path letter by letter; a slash at the end and the query string do not count."""
    return row["path"] is not None and _bare(row["path"]) == _bare(stated)


def _alike(path: str) -> str:
    """A path as a person may write it from memory: letters large or small, escapes written out or not."""
    return unquote(_bare(path)).casefold()


def is_client(stated: str, row: Row, *, sure: bool = False) -> bool:
    """Whether the record may be of the stated client; one that holds only a proxy's address says neither, which is no if ``sure``."""
    if address(stated) in {address(row["client_ip"] or ""), *addresses(row["forwarded_for"])}:
        return True
    return not sure and row["forwarded_for"] in {None, "-", ""} and is_private(row["client_ip"])


def without_stage(case: Case, symptom: Symptom) -> Symptom:
    """The symptom without the stage of an API in front of its path, where a person copied the URL of API Gateway's own domain."""
    stage, _, rest = (symptom.path or "").removeprefix("/").partition("/")
    if not symptom.path or not stage or case.value("SELECT count(*) FROM sightings WHERE path = ?", [_bare(symptom.path)]):
        return symptom
    known = "SELECT stage FROM api_gateway_access UNION ALL SELECT stage FROM api_gateway_execution"
    own = case.value(f"SELECT count(*) FROM ({known}) WHERE stage = ?", [stage])
    return replace(symptom, path=f"/{rest}") if own else symptom


def as_folder(case: Case, symptom: Symptom) -> Symptom:
    """The symptom with what it says of a folder (``/img/tiles/``) meant for all in it, where nothing was asked for by that very path."""
    path = symptom.path or ""
    if (
        not path.endswith("/")
        or not _bare(path).strip("/")
        or case.value("SELECT count(*) FROM sightings WHERE path IN (?, ?)", [_bare(path), path])
    ):
        return symptom
    inside = case.value("SELECT count(*) FROM sightings WHERE starts_with(path, ?)", [path])
    return replace(symptom, path=None, path_word=_bare(path).rpartition("/")[2].lower()) if inside else symptom


def condition(symptom: Symptom) -> tuple[str, list[object]]:
    """SQL that narrows the records before each is looked at; never narrower than ``matches``."""
    parts, parameters = ["true"], list[object]()
    if symptom.by_time:
        given_up = f"status IN ({', '.join(map(str, sorted(GIVEN_UP)))})" if symptom.kind is Trouble.TIMED_OUT else "false"
        stated = "status = ?" if symptom.status is not None else "true"
        parts.append(f"((epoch(time - started) >= {_least(symptom)} AND {stated}) OR {given_up})")
        parameters += [symptom.status] if symptom.status is not None else []
    elif symptom.before_request:
        parts.append(f"status IN ({', '.join(map(str, sorted(CUT_OFF)))})" if symptom.kind is Trouble.NOT_CONNECTED else "false")
    elif symptom.in_circles and symptom.status is None:
        parts.append(f"status IN ({', '.join(map(str, sorted(REDIRECTING)))})")
    elif symptom.status is not None:
        parts.append("(status = ? OR (status IS NULL AND hop = 'cloudfront'))" if symptom.status == 0 else "status = ?")
        parameters.append(symptom.status)
    elif symptom.status_class is not None:
        parts.append("status // 100 = ?")
        parameters.append(symptom.status_class)
    else:
        parts.append("(status >= 400 OR (hop = 'waf' AND own))")
    if symptom.path_word:
        parts.append("contains(lower(path), ?)")
        parameters.append(symptom.path_word.removesuffix("s"))
    if symptom.path and symptom.path.isascii() and "%" not in symptom.path:
        parts.append("(lower(rtrim(path, '/')) = ? OR contains(path, '%'))")
        parameters.append(_bare(symptom.path).rstrip("/").lower())
    return " AND ".join(parts), parameters


def slower_than_usual(case: Case, rows: Sequence[Row]) -> list[Row]:
    """Those of the records that took far longer than what the same hop has of their path usually does, or were given up."""
    paths = sorted({row["path"] or "" for row in rows})[:500]
    told = case.rows(
        "SELECT hop, CASE WHEN list_contains(?::VARCHAR[], path) THEN path END AS path, count(*) AS n, "
        "quantile_cont(epoch(time - started), 0.5) AS usual FROM sightings WHERE time > started GROUP BY 1, 2",
        [paths],
    )
    usual = {(row["hop"], row["path"]): row["usual"] for row in told if row["path"] is None or row["n"] >= ENOUGH}
    found = []
    for row in rows:
        often = usual.get((row["hop"], row["path"]), usual.get((row["hop"], None), 0.0))
        if row["status"] in GIVEN_UP or _lasted(row) >= min(LONG_SECONDS, max(SLOW_SECONDS, often * SLOWER)):
            found.append(row)
    return found


def given_up(rows: Sequence[Row]) -> list[Row]:
    """The records without what was answered sooner than anybody gave up on its path: nobody timed out there, slow as it may have been."""
    shortest: dict[str | None, float] = {}
    for row in rows:
        if row["status"] in GIVEN_UP and (lasted := _lasted(row)) > 0:
            shortest[row["path"]] = min(lasted, shortest.get(row["path"], lasted))
    return [row for row in rows if row["status"] in GIVEN_UP or _lasted(row) >= shortest.get(row["path"], 0.0)]


def going_round(case: Case, rows: Sequence[Row]) -> list[Row]:
    """Those of the records that are a step of a client that redirects lead round in a circle."""
    if not rows:
        return []
    start, end = min(row["started"] for row in rows), max(row["time"] for row in rows)
    clients = sorted({row["client_ip"] or "" for row in rows})
    of_them = case.rows(
        "SELECT * FROM sightings WHERE time >= ? AND started <= ? AND hop <> 'waf' "
        "AND list_contains(?::VARCHAR[], coalesce(client_ip, ''))",
        [start, end, clients],
    )
    steps = {(row["table_name"], row["_artifact"], row["_line"], row["time"]) for circle in circles(of_them) for row in circle}
    return [row for row in rows if (row["table_name"], row["_artifact"], row["_line"], row["time"]) in steps]
