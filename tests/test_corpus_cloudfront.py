"""Third-party sample lines of CloudFront logs, against what other projects' tests expect of them.

The corpus lies beside the repository, or where ``KYUMEI_CORPUS`` says; without it these tests are skipped.
Upstream keeps the texts as they are encoded, and a dash where we say that nothing is there.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyumei.contracts import Refused
from kyumei.formats.cloudfront_access import FORMAT, below, sniff
from kyumei.layouts.percent_encoding import decoded

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus") / "cloudfront"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus; KYUMEI_CORPUS says where it lies")


def cases() -> list[tuple[int, str, dict[str, Any]]]:
    """Line number, text and expected fields of the lines that upstream tests."""
    if not CORPUS.is_dir():
        return []
    lines = (CORPUS / "logstash-cloudfront.log").read_text("utf-8").split("\n")
    expected = json.loads((CORPUS / "logstash-cloudfront.expected.json").read_text("utf-8"))["cases"]
    assert all(case["ok"] for case in expected)
    return [(case["line"], lines[case["line"] - 1], case["expected"]) for case in expected]


FIELDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "timestamp": lambda row: row["time"].isoformat(sep="\t"),
    "x_edge_location": lambda row: row["edge_location"],
    "sc_bytes": lambda row: row["sent_bytes"],
    "clientip": lambda row: row["client_ip"],
    "c_port": lambda row: row["client_port"],
    "cs_method": lambda row: row["method"],
    "cs_host": lambda row: row["distribution"],
    "cs_uri_stem": lambda row: row["path"],
    "cs_uri_query": lambda row: row["query"],
    "sc_status": lambda row: row["status"],
    "referrer": lambda row: row["referrer"],
    "agent": lambda row: row["user_agent"],
    "cookies": lambda row: row["cookie"],
    "x_edge_result_type": lambda row: row["edge_result_type"],
    "x_edge_response_result_type": lambda row: row["edge_response_result_type"],
    "x_edge_detailed_result_type": lambda row: row["edge_detailed_result_type"],
    "x_edge_request_id": lambda row: row["request_id"],
    "x_host_header": lambda row: row["host"],
    "cs_protocol": lambda row: row["scheme"],
    "cs_protocol_version": lambda row: row["http_version"],
    "cs_bytes": lambda row: row["received_bytes"],
    "time_taken": lambda row: row["request_seconds"],
    "time_to_first_byte": lambda row: row["first_byte_seconds"],
    "x_forwarded_for": lambda row: row["forwarded_for"],
    "ssl_protocol": lambda row: row["ssl_protocol"],
    "ssl_cipher": lambda row: row["ssl_cipher"],
    "sc_content_type": lambda row: row["content_type"],
    "sc_content_len": lambda row: row["content_bytes"],
}


def meant(name: str, value: Any) -> Any:  # noqa: ANN401 - any value of a field
    """What upstream's value means: a dash is nothing, a user agent was encoded, in 2016 twice."""
    if value == "-":
        return None
    return decoded(decoded(value)) if name == "agent" else value


@pytest.mark.parametrize(("line", "text", "expected"), cases())
def test_lines_agree_with_upstream(line: int, text: str, expected: dict[str, Any]) -> None:
    """Every field that upstream's test names has its value; upstream leaves some out."""
    row = FORMAT.layout.read(text)
    assert not isinstance(row, Refused), line
    assert {name: FIELDS[name](row) for name in expected} == {name: meant(name, value) for name, value in expected.items()}
    assert sniff(text, "x.log")


def test_file_with_its_header() -> None:
    """The header is no record and tells what the format's own layout knows; what stands below is read whole."""
    lines = gzip.decompress((CORPUS / "promtail-cloudfront.log.gz").read_bytes()).decode().rstrip("\n").split("\n")
    version, fields, *records = lines
    assert [FORMAT.layout.read(line) for line in (version, fields)] == [Refused("a header line, no record")] * 2
    assert below(fields) is FORMAT.layout
    assert sniff(fields, "x.log")
    rows = [FORMAT.layout.read(line) for line in records]
    assert [row["forwarded_for"] for row in rows if not isinstance(row, Refused)] == [
        "10.3.200.121, 10.56.14.213",
        "10.3.200.121, 10.56.1.111",
    ]
    assert all(isinstance(row, dict) and row["_extra"] is None and row["user_agent"].startswith("Mozilla/5.0 (Macintosh; ") for row in rows)
