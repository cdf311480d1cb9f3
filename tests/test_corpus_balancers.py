"""Third-party sample lines of Classic, Network and Application Load Balancers, against what other projects' tests expect of them.

The corpus lies beside the repository, or where ``KYUMEI_CORPUS`` says; without it these tests are skipped.
Field names there are upstream's; they are mapped by meaning here. What ALB access lines hold is held against the corpus in
``test_corpus_delimited``; here, that no other format of a balancer takes them for its own.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import discover
from kyumei.formats.clb_access import FORMAT as CLB
from kyumei.formats.nlb_access import FORMAT as NLB

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus; KYUMEI_CORPUS says where it lies")


def lines(name: str) -> list[str]:
    """The lines of a file of the corpus."""
    raw = (CORPUS / name).read_bytes() if CORPUS.is_dir() else b""
    return [line for line in (gzip.decompress(raw) if name.endswith(".gz") else raw).decode().split("\n") if line]


def cases() -> list[tuple[int, str, dict[str, Any]]]:
    """Line number, text and expected fields of the Classic sample; upstream refuses none of its lines."""
    if not CORPUS.is_dir():
        return []
    expected = json.loads((CORPUS / "clb/logstash-clb.expected.json").read_text("utf-8"))["cases"]
    assert all(case["ok"] for case in expected)
    return [(case["line"], lines("clb/logstash-clb.log")[case["line"] - 1], case["expected"]) for case in expected]


def seconds(value: float | None) -> float:
    """A phase as the line has it: -1 where it was not reached, which is null with us."""
    return -1 if value is None else value


CLB_FIELDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "timestamp": lambda row: row["time"].isoformat() + "Z",
    "elb": lambda row: row["elb"],
    "clientip": lambda row: row["client_ip"],
    "clientport": lambda row: row["client_port"],
    "backendip": lambda row: row["target_ip"],
    "backendport": lambda row: row["target_port"],
    "request_processing_time": lambda row: seconds(row["request_seconds"]),
    "backend_processing_time": lambda row: seconds(row["target_seconds"]),
    "response_processing_time": lambda row: seconds(row["response_seconds"]),
    "response": lambda row: row["status"],
    "backend_response": lambda row: row["target_status"],
    "received_bytes": lambda row: row["received_bytes"],
    "bytes": lambda row: row["sent_bytes"],
    "verb": lambda row: row["method"],
    "request": lambda row: f"{row['scheme']}://{row['host']}:{row['port']}{row['path']}",
    "proto": lambda row: row["scheme"],
    "httpversion": lambda row: row["http_version"].removeprefix("HTTP/"),
    "urihost": lambda row: f"{row['host']}:{row['port']}",
    "port": lambda row: str(row["port"]),
    "path": lambda row: row["path"],
    "tls.cipher": lambda row: row["ssl_cipher"],
    "ssl_protocol": lambda row: row["ssl_protocol"],
    "user_agent": lambda row: row["user_agent"],
}


def claims(text: str) -> set[str]:
    """The formats that take the line for their own."""
    return {name for name, leaf in discover.formats().items() if leaf.sniff(text, "a.log")}


@pytest.mark.parametrize(("line", "text", "expected"), [pytest.param(*case, id=f"clb:{case[0]}") for case in cases()])
def test_classic_lines_agree(line: int, text: str, expected: dict[str, Any]) -> None:
    """Each field that upstream expects, we have with the same meaning; and only this format claims the line."""
    assert claims(text) == {"clb_access"}
    row = CLB.layout.read(text)
    assert isinstance(row, dict), (line, row)
    assert {field: CLB_FIELDS[field](row) for field in expected} == expected
    assert row["_extra"] is None


def test_network_lines_agree() -> None:
    """The two lines of the sample file, field for field as "Access logs for your Network Load Balancer" explains them."""
    rows = []
    for text in lines("nlb/promtail-nlb.log.gz"):
        assert claims(text) == {"nlb_access"}
        row = NLB.layout.read(text)
        assert isinstance(row, dict), row
        assert row["_extra"] is None
        rows.append(row)
    old, new = rows
    assert [row["time"] for row in rows] == [datetime(2018, 12, 20, 2, 59, 40), datetime(2020, 4, 1, 8, 51, 42)]  # noqa: DTZ001 - readers answer naive times
    assert [row["started"] for row in rows] == [datetime(2018, 12, 20, 2, 59, 30), datetime(2020, 4, 1, 8, 51, 20)]  # noqa: DTZ001 - as above
    same = {
        "protocol_kind": "tls",
        "log_version": "2.0",
        "elb": "net/my-network-loadbalancer/c6e77e28c25b2234",
        "listener": "g3d4b5e8bb8464cd",
        "client_ip": "72.21.218.154",
        "client_port": 51341,
        "destination_ip": "172.100.100.185",
        "destination_port": 443,
        "connection_seconds": 0.005,
        "handshake_seconds": 0.002,
        "received_bytes": 98,
        "sent_bytes": 246,
        "tls_alert": None,
        "ssl_cipher": "ECDHE-RSA-AES128-SHA",
        "ssl_protocol": "tlsv12",
        "key_exchange": None,
        "domain_name": "my-network-loadbalancer-c6e77e28c25b2234.elb.us-east-2.amazonaws.com",
    }
    assert [{name: row[name] for name in same} for row in rows] == [same, same]
    assert (old["alpn_client"], old["alpn_target"], old["alpn_offered"]) == (None, None, None)
    assert (new["alpn_client"], new["alpn_target"], new["alpn_offered"]) == ("h2", "h2", ["h2", "http/1.1"])


def test_only_the_access_format_claims_application_lines() -> None:
    """The access lines of Application Load Balancers are no connections, no health checks, and no other balancer's."""
    found = [claims(text) for name in ("alb/vrl-alb.log", "alb/honeyaws-alb.log") for text in lines(name)]
    assert len(found) == 14
    assert all(names == {"alb_access"} for names in found)
