"""Third-party sample lines of ALB, nginx and Apache logs, against what other projects' tests expect of them.

The corpus lies beside the repository, or where ``KYUMEI_CORPUS`` says; without it these tests are skipped.
Field names there are upstream's; they are mapped by meaning here, and every deviation is listed with its reason.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyumei.contracts import Refused
from kyumei.formats.alb_access import FORMAT as ALB
from kyumei.formats.nginx_access import FORMAT as NGINX

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus; KYUMEI_CORPUS says where it lies")

NO_TIME = "a record without a time says nothing about when, so it is kept as unread"
OTHER_FORMAT = "an error log, which is no access log"
DEVIATIONS: dict[tuple[str, int], str] = {
    ("apache/vrl-apache", 4): OTHER_FORMAT,
    ("apache/vrl-apache", 5): OTHER_FORMAT,
    ("apache/vrl-apache", 6): OTHER_FORMAT,
    ("apache/vrl-apache", 7): OTHER_FORMAT,
    ("apache/vrl-apache", 8): NO_TIME,
    ("apache/vrl-apache", 9): NO_TIME,
    ("apache/vrl-apache", 10): OTHER_FORMAT,
    ("apache/vrl-clf", 2): NO_TIME,
    ("apache/vrl-clf", 3): NO_TIME,
    ("apache/vrl-clf", 4): "a time written by another format than the server's own",
    **{("nginx/vrl-nginx", line): OTHER_FORMAT for line in range(16, 25)},
}
"""Lines that upstream reads and these two formats must not."""


def cases(name: str) -> list[tuple[int, str, dict[str, Any] | None]]:
    """Line number, text and expected fields (null: upstream refuses the line) of a file of the corpus."""
    if not CORPUS.is_dir():
        return []
    lines = (CORPUS / f"{name}.log").read_text("utf-8").split("\n")
    expected = json.loads((CORPUS / f"{name}.expected.json").read_text("utf-8"))["cases"]
    return [(case["line"], lines[case["line"] - 1], case["expected"] if case["ok"] else None) for case in expected]


def stamp(row: dict[str, Any], column: str) -> str:
    """A time as the corpus writes it: with as many decimals as the log has."""
    text = row[column].isoformat()
    return f"{text}Z"


def joined(row: dict[str, Any], host: str, port: str) -> str | None:
    """Address and port as they stood on the line."""
    return None if row[host] is None else f"{row[host]}:{row[port]}"


def seconds(value: float | None) -> float:
    """A phase as the line has it: -1 where it was not reached, which is null with us."""
    return -1 if value is None else value


def listed(values: list[str] | None) -> list[str]:
    """A list as upstream has it, empty where ours is null."""
    return values or []


def url(row: dict[str, Any]) -> str | None:
    """The URL of a balancer's request line, put together again."""
    if row["scheme"] is None:
        return None
    host = f"{row['scheme']}://{row['host']}:{row['port']}{'' if row['method'] else '-'}"
    return host + (row["path"] or "") + ("" if row["query"] is None else f"?{row['query']}")


def request(row: dict[str, Any]) -> str | None:
    """The request line, put together again."""
    if row["request"] is not None or row["method"] is None:
        raw: str | None = row["request"]
        return raw
    return f"{row['method']} {row['path']}{'' if row['query'] is None else '?' + row['query']} {row['http_version']}"


ALB_FIELDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "type": lambda row: row["protocol_kind"],
    "timestamp": lambda row: stamp(row, "time"),
    "response_time": lambda row: stamp(row, "time"),
    "request_creation_time": lambda row: stamp(row, "started"),
    "elb": lambda row: row["elb"],
    "client_host": lambda row: joined(row, "client_ip", "client_port"),
    "client_authority": lambda row: joined(row, "client_ip", "client_port"),
    "target_host": lambda row: joined(row, "target_ip", "target_port"),
    "backend_authority": lambda row: joined(row, "target_ip", "target_port"),
    "request_processing_time": lambda row: seconds(row["request_seconds"]),
    "target_processing_time": lambda row: seconds(row["target_seconds"]),
    "backend_processing_time": lambda row: seconds(row["target_seconds"]),
    "response_processing_time": lambda row: seconds(row["response_seconds"]),
    "elb_status_code": lambda row: row["status"],
    "target_status_code": lambda row: row["target_status"],
    "backend_status_code": lambda row: row["target_status"],
    "received_bytes": lambda row: row["received_bytes"],
    "sent_bytes": lambda row: row["sent_bytes"],
    "request_method": lambda row: row["method"],
    "request_protocol": lambda row: row["http_version"],
    "request_url": url,
    "request": lambda row: f"{row['method']} {url(row)} {row['http_version']}",
    "user_agent": lambda row: row["user_agent"],
    "ssl_cipher": lambda row: row["ssl_cipher"],
    "ssl_protocol": lambda row: row["ssl_protocol"],
    "target_group_arn": lambda row: row["target_group_arn"],
    "trace_id": lambda row: row["trace_id"] and f"Root={row['trace_id']}",
    "domain_name": lambda row: row["domain_name"],
    "chosen_cert_arn": lambda row: row["cert_arn"],
    "matched_rule_priority": lambda row: row["rule_priority"],
    "actions_executed": lambda row: row["actions"] and ",".join(row["actions"]),
    "redirect_url": lambda row: row["redirect_url"],
    "error_reason": lambda row: row["error_reason"],
    "target_port_list": lambda row: listed(row["target_list"]),
    "target_status_code_list": lambda row: listed(row["target_status_list"]),
    "classification": lambda row: row["classification"],
    "classification_reason": lambda row: row["classification_reason"],
    "traceability_id": lambda row: row["conn_trace_id"],
}
NGINX_FIELDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "client": lambda row: row["client_ip"],
    "remote_addr": lambda row: row["client_ip"],
    "host": lambda row: row["client_ip"],
    "identity": lambda row: (row["_extra"] or {}).get("ident"),
    "user": lambda row: row["user"],
    "remote_user": lambda row: row["user"],
    "timestamp": lambda row: stamp(row, "time"),
    "request": request,
    "message": request,
    "method": lambda row: row["method"],
    "path": lambda row: row["path"],
    "protocol": lambda row: row["http_version"],
    "status": lambda row: row["status"],
    "size": lambda row: row["sent_bytes"],
    "body_bytes_size": lambda row: row["sent_bytes"],
    "referer": lambda row: row["referrer"],
    "referrer": lambda row: row["referrer"],
    "http_referer": lambda row: row["referrer"],
    "agent": lambda row: row["user_agent"],
    "http_user_agent": lambda row: row["user_agent"],
    "http_x_forwarded_for": lambda row: row["forwarded_for"],
    "compression": lambda row: (row["_extra"] or {}).get("fields", [None])[0],
    "request_length": lambda row: row["request_length"],
    "request_time": lambda row: row["request_seconds"],
    "proxy_upstream_name": lambda row: row["upstream_name"],
    "proxy_alternative_upstream_name": lambda row: (row["_extra"] or {}).get("proxy_alternative_upstream_name"),
    "upstream_addr": lambda row: row["upstream_addr"],
    "upstream_response_length": lambda row: int(row["upstream_length"]),
    "upstream_response_time": lambda row: float(row["upstream_times"]),
    "upstream_status": lambda row: int(row["upstream_status"]),
    "req_id": lambda row: row["request_id"],
}


def same(got: Any, expected: Any) -> bool:  # noqa: ANN401 - values of any kind
    """Whether they mean the same: a missing value may be written ``-`` or be empty, a number may be text, a list of one may be one."""
    if isinstance(got, list) and not isinstance(expected, list):
        expected = [expected]
    if isinstance(got, list):
        return got == [str(item) for item in expected]
    if got is None:
        return expected in {None, "-", ""}
    return got == expected or str(got) == str(expected)


def parameters(*names: str) -> list[Any]:
    """One parameter for each case of the files."""
    return [pytest.param(name, *case, id=f"{name}:{case[0]}") for name in names for case in cases(name)]


@pytest.mark.parametrize(("name", "line", "text", "expected"), parameters("alb/vrl-alb", "alb/honeyaws-alb"))
def test_alb_lines_agree(name: str, line: int, text: str, expected: dict[str, Any]) -> None:
    """Each field that upstream expects, we have with the same meaning; and the line is claimed."""
    assert ALB.sniff(text, f"{name}.log")
    row = ALB.layout.read(text)
    assert isinstance(row, dict), (line, row)
    assert {field: (ALB_FIELDS[field](row), value) for field, value in expected.items() if not same(ALB_FIELDS[field](row), value)} == {}


@pytest.mark.parametrize(("name", "line", "text", "expected"), parameters("nginx/vrl-nginx", "apache/vrl-apache", "apache/vrl-clf"))
def test_access_lines_agree(name: str, line: int, text: str, expected: dict[str, Any] | None) -> None:
    """The same for nginx and Apache; what upstream refuses, we refuse, too."""
    row = NGINX.layout.read(text)
    if expected is None or (name, line) in DEVIATIONS:
        assert isinstance(row, Refused)
        assert not NGINX.sniff(text, "access.log")
        return
    assert NGINX.sniff(text, "access.log")
    assert isinstance(row, dict), row
    got = {field: (NGINX_FIELDS[field](row), value) for field, value in expected.items()}
    assert {field: pair for field, pair in got.items() if not same(*pair)} == {}


@pytest.mark.parametrize(("name", "unread"), [("plaso-apache_access.log", 1), ("lnav-bad_access.log", 0), ("lnav-shop_access.log.gz", 0)])
def test_every_line_of_real_logs_is_read(name: str, unread: int) -> None:
    """Logs of servers in the wild, with quotes inside requests and hosts in front; unread is only a line cut off inside its user agent."""
    raw = (CORPUS / "apache" / name).read_bytes()
    lines = (gzip.decompress(raw) if name.endswith(".gz") else raw).decode().split("\n")
    refused = [line for line in lines if line.strip() and isinstance(NGINX.layout.read(line), Refused)]
    assert len(refused) == unread, refused[:3]
