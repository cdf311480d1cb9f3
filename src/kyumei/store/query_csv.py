"""Rows of a query over access logs, saved as CSV: each becomes the record that the service wrote, as far as its columns were asked for.

Athena saves a header with the columns' names and every value in quotes; a column that was not asked for is told by no row, and rows
without those that tell who answered are not read. A row of the load balancer's log is put together to its line, one of CloudFront's to the
object that CloudFront writes as JSON, one of CloudTrail's, by Athena or by Lake, and one of a flow log, by Athena or Logs Insights, to an
object of its columns. Rows of a flow log that do not say when each flow was, for they count or add them up, are not read.

Follows "Create the table for ALB access logs", "Create a table for CloudFront standard logs", "Query AWS CloudTrail logs", "Create and
query a table for Amazon VPC flow logs" and "Work with query results" in the Amazon Athena User Guide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.layouts.casts import to_json
from kyumei.layouts.flow_fields import PARTITION, are_csv_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEADER = re.compile(
    r'\ufeff?("?[A-Za-z_@][A-Za-z0-9_()-]{0,60}"?(?:, ?"?[A-Za-z_@][A-Za-z0-9_()-]{0,60}"?){2,80})[ \t]*(?:\r?\n|\Z)', re.ASCII
)
_ALB = "elb_status_code"
_ALB_FIELDS: tuple[tuple[str, ...], ...] = (
    *(("type",), ("time",), ("elb",), ("client_ip", ":", "client_port"), ("target_ip", ":", "target_port")),
    *(("request_processing_time",), ("target_processing_time",), ("response_processing_time",), (_ALB,), ("target_status_code",)),
    *(("received_bytes",), ("sent_bytes",), ('"', "request_verb", " ", "request_url", " ", "request_proto", '"')),
    *(('"', "user_agent", '"'), ("ssl_cipher",), ("ssl_protocol",), ("target_group_arn",), ('"', "trace_id", '"')),
    *(('"', "domain_name", '"'), ('"', "chosen_cert_arn", '"'), ("matched_rule_priority",), ("request_creation_time",)),
    *(('"', "actions_executed", '"'), ('"', "redirect_url", '"'), ('"', "lambda_error_reason", '"'), ('"', "target_port_list", '"')),
    *(('"', "target_status_code_list", '"'), ('"', "classification", '"'), ('"', "classification_reason", '"'), ("conn_trace_id",)),
)
"""The fields of a line: names of columns, and what stands between them."""
_MARKS = frozenset({":", '"', " "})
_ALB_NEEDED = frozenset(
    f"type time elb client_ip client_port target_ip target_port request_processing_time target_processing_time response_processing_time "
    f"{_ALB} target_status_code request_verb request_url request_proto actions_executed lambda_error_reason".split()
)
"""Columns without which a line would say that the target did not answer, or that no rule was followed."""
_CLOUDFRONT = {
    "location": "x-edge-location",
    "x_edge_location": "x-edge-location",
    "bytes": "sc-bytes",
    "request_ip": "c-ip",
    "requestip": "c-ip",
    "method": "cs-method",
    "host": "cs(Host)",
    "uri": "cs-uri-stem",
    "status": "sc-status",
    "referrer": "cs(Referer)",
    "user_agent": "cs(User-Agent)",
    "query_string": "cs-uri-query",
    "cookie": "cs(Cookie)",
    "result_type": "x-edge-result-type",
    "request_id": "x-edge-request-id",
    "host_header": "x-host-header",
    "request_protocol": "cs-protocol",
    "request_bytes": "cs-bytes",
    "xforwarded_for": "x-forwarded-for",
    "response_result_type": "x-edge-response-result-type",
    "http_version": "cs-protocol-version",
    "cs_referrer": "cs(Referer)",
    "cs(host)": "cs(Host)",
    "cs(referer)": "cs(Referer)",
    "cs(user-agent)": "cs(User-Agent)",
    "cs(cookie)": "cs(Cookie)",
}
"""Names of columns in tables of Athena that are not those of the fields."""
_CLOUDFRONT_NEEDED = (
    frozenset({"date", "time", "status", "uri", "result_type"}),
    frozenset({"date", "time", "sc_status", "cs_uri_stem", "x_edge_result_type"}),
    frozenset({"date", "time", "sc-status", "cs-uri-stem", "x-edge-result-type"}),
)
_TRAIL_NEEDED = frozenset({"eventtime", "eventsource", "eventname"})
_TRAIL_OWN = frozenset({"eventid", "useridentity", "awsregion"})
"""Columns of CloudTrail's, in small letters as Athena writes them; of the last ones one is enough."""


def query_columns(text: str) -> tuple[list[str], int] | None:
    """The columns of rows of one of these logs, and where they begin; null for any other text."""
    found = _HEADER.match(text)
    if not found:
        return None
    names = [name.strip('" ') for name in found[1].split(",")]
    own = set(names)
    known = own >= _ALB_NEEDED or any(own >= needed for needed in _CLOUDFRONT_NEEDED) or _is_trail(names) or are_csv_names(names)
    return (names, found.end()) if known and len(own) == len(names) else None


def record_of(names: Sequence[str], cells: Sequence[str]) -> str:
    """The record that a row is of."""
    row = {name: cell for name, cell in zip(names, cells, strict=True) if cell}
    if _is_trail(names):
        return to_json(row) or ""
    if are_csv_names(names):
        return to_json({"partition" if name == PARTITION else name: cell.strip(" ") for name, cell in row.items()}) or ""
    return _line(row) if _ALB in names else _object(row)


def _is_trail(names: Sequence[str]) -> bool:
    own = {name.lower() for name in names}
    return own >= _TRAIL_NEEDED and not own.isdisjoint(_TRAIL_OWN)


def _line(row: Mapping[str, str]) -> str:
    """A line of the load balancer's access log."""
    return " ".join(_field(row, parts) for parts in _ALB_FIELDS)


def _field(row: Mapping[str, str], parts: Sequence[str]) -> str:
    """A field of the line; without any of its columns a hyphen."""
    told = [part for part in parts if part not in _MARKS]
    if all(row.get(part, "-") == "-" for part in told) and ":" in parts:
        return "-"
    return "".join(part if part in _MARKS else row.get(part, "-").replace('"', "%22") for part in parts)


def _object(row: Mapping[str, str]) -> str:
    """An object of CloudFront's log."""
    return to_json({"x-edge-location": "-", **{_CLOUDFRONT.get(name, name): value for name, value in row.items()}}) or ""
