"""Third-party sample lines of VPC and transit gateway flow logs and of S3 access logs, against what other projects' tests expect of them.

The corpus lies beside the repository, or where ``KYUMEI_CORPUS`` says; without it these tests are skipped.
Field names there are upstream's; they are mapped by meaning here, and every deviation is listed with its reason.
"""

from __future__ import annotations

import gzip
import json
import os
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.formats import tgw_flow, vpc_flow
from kyumei.formats.s3_access import FORMAT as S3
from kyumei.store.case import open_case

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyumei.contracts import Layout

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus; KYUMEI_CORPUS says where it lies")
COUNTS = {
    "vpc_flow/promtail-vpcflow-v2.log.gz": (3, 0),
    "vpc_flow/vrl-docs-samples-01-v2.log": (7, 0),
    "vpc_flow/vrl-docs-samples-02-v3.log": (8, 0),
    "vpc_flow/vrl-docs-samples-03-vcustom.log": (6, 0),
    "vpc_flow/vrl-docs-samples-04-v3.log": (4, 0),
    "vpc_flow/vrl-docs-samples-05-v5.log": (2, 0),
    "vpc_flow/vrl-docs-samples-06-v7.log": (1, 0),
    "vpc_flow/vrl-docs-samples-07-v11.log": (2, 0),
    "vpc_flow/vrl-vpcflow.log": (1, 1),
    "tgw_flow/otel-tgw.log": (1, 0),
    "s3_access/logstash-s3.log": (3, 0),
    "s3_access/promtail-s3access.log": (1, 0),
}
"""Rows and unread lines of each file. The one that is unread has another order than the line above it, which nothing in the file tells."""
ZERO_BYTES = {2}
"""Lines of S3's whose bytes are a dash: upstream says null, the vendor's page that it means zero."""


def expected(name: str) -> list[dict[str, Any]]:
    """What upstream says of each line of a file."""
    return list(json.loads((CORPUS / f"{name}.expected.json").read_text("utf-8"))["cases"]) if CORPUS.is_dir() else []


def lines(name: str) -> list[str]:
    """The lines of a file."""
    raw = (CORPUS / name).read_bytes()
    return (gzip.decompress(raw) if name.endswith(".gz") else raw).decode().rstrip("\n").split("\n")


@pytest.mark.parametrize("name", COUNTS)
def test_every_line_is_read_or_said_to_be_unread(name: str, tmp_path: Path) -> None:
    """By its own format, header lines aside."""
    root = tmp_path / "case"
    root.mkdir()
    (root / Path(name).name).write_bytes((CORPUS / name).read_bytes())
    case = open_case(root, None, lambda *_: None, lambda _: (), cache=tmp_path / "cache")
    table = name.partition("/")[0]
    counts = [case.value(f'SELECT count(*) FROM "{one}"') for one in (table, "unread", "headers")]
    assert tuple(counts[:2]) == COUNTS[name]
    assert sum(counts) == len(lines(name))
    others = [other for other in discover.formats() if other != table and case.value(f'SELECT count(*) FROM "{other}"')]
    assert others == []


@pytest.mark.parametrize("case", expected("vpc_flow/vrl-vpcflow"), ids=lambda case: case["case"])
def test_flows_agree_with_upstream(case: dict[str, Any]) -> None:
    """Every field that upstream's test names, in the order that it tells."""
    told = case["options"].get("format")
    layout: Layout = vpc_flow.custom(told) if told else vpc_flow.LAYOUT
    row = layout.read(lines("vpc_flow/vrl-vpcflow.log")[case["line"] - 1])
    assert not isinstance(row, Refused)
    columns = {column.origin.replace("-", "_"): column.name for column in vpc_flow.TABLE.columns}
    found = {name: row[columns[name]] for name in case["expected"]}
    for name in ("start", "end"):
        found[name] = int(found[name].replace(tzinfo=UTC).timestamp())
    assert found == case["expected"]
    assert row["_extra"] is None


@pytest.mark.parametrize("name", [name for name in COUNTS if "flow/" in name and name != "vpc_flow/vrl-vpcflow.log"])
def test_every_value_has_its_column(name: str) -> None:
    """Under the header no value is lost, none lands in ``_extra``; a dash is nothing."""
    leaf = tgw_flow if name.startswith("tgw") else vpc_flow
    header, *records = lines(name)
    layout = leaf.below(header)
    assert layout is not None
    columns = {column.origin: column.name for column in leaf.TABLE.columns}
    for text in records:
        row = layout.read(text)
        assert not isinstance(row, Refused), text
        assert row["_extra"] is None
        for field, value in zip(header.split(), text.split(), strict=True):
            shown = row[columns[field]]
            shown = int(shown.replace(tzinfo=UTC).timestamp()) if field in {"start", "end"} else shown
            assert ("-" if shown is None else str(shown)) == value, field


FIELDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "owner": lambda row: row["bucket_owner"],
    "timestamp": lambda row: row["time"].strftime("%d/%b/%Y:%H:%M:%S +0000"),
    "clientip": lambda row: row["client_ip"],
    "requester": lambda row: row["requester"] or "-",
    "key": lambda row: row["object_key"] or "-",
    "verb": lambda row: row["method"],
    "request": lambda row: "?".join(filter(None, (row["path"], row["query"]))),
    "httpversion": lambda row: row["http_version"].removeprefix("HTTP/"),
    "response": lambda row: row["status"],
    "bytes": lambda row: row["sent_bytes"],
    "object_size": lambda row: row["object_bytes"],
    "request_time_ms": lambda row: round(row["request_seconds"] * 1000),
    "turnaround_time_ms": lambda row: None if row["turnaround_seconds"] is None else round(row["turnaround_seconds"] * 1000),
    "referrer": lambda row: f'"{row["referrer"] or "-"}"',
    "agent": lambda row: f'"{row["user_agent"]}"' if row["version_id"] is None and row["host_id"] is None else row["user_agent"],
    "cipher_suite": lambda row: row["ssl_cipher"],
    "authentication_type": lambda row: row["authentication"],
    "host_header": lambda row: row["host"],
    "tls_version": lambda row: row["ssl_protocol"],
}


@pytest.mark.parametrize("case", expected("s3_access/logstash-s3"), ids=lambda case: f"line {case['line']}")
def test_requests_agree_with_upstream(case: dict[str, Any]) -> None:
    """Every field that upstream's test names; a dash for the bytes sent is zero here."""
    row = S3.layout.read(lines("s3_access/logstash-s3.log")[case["line"] - 1])
    assert not isinstance(row, Refused)
    found = {name: FIELDS.get(name, lambda row, name=name: row[name])(row) for name in case["expected"]}
    meant = {**case["expected"], **({"bytes": 0} if case["line"] in ZERO_BYTES else {})}
    assert found == meant
