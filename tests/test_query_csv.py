"""Rows of a query over access logs, as Athena saves them: the same rows as of the lines that the service wrote."""

from __future__ import annotations

import csv
import io
import json
import shlex
from pathlib import Path

import pytest

from kyumei import api
from kyumei.formats import vpc_flow
from tests.asking import rows_of

GOLDEN = Path(__file__).parent / "formats"


def _words(text: str) -> list[str]:
    return text.split()


ALB = _words(
    "type time elb client_ip client_port target_ip target_port request_processing_time target_processing_time response_processing_time "
    "elb_status_code target_status_code received_bytes sent_bytes request_verb request_url request_proto user_agent ssl_cipher "
    "ssl_protocol target_group_arn "
    "trace_id domain_name chosen_cert_arn matched_rule_priority request_creation_time actions_executed redirect_url "
    "lambda_error_reason target_port_list target_status_code_list classification classification_reason"
)
LEGACY = _words(
    "date time location bytes request_ip method host uri status referrer user_agent query_string cookie result_type request_id host_header "
    "request_protocol request_bytes time_taken xforwarded_for ssl_protocol ssl_cipher response_result_type http_version fle_status "
    "fle_encrypted_fields c_port time_to_first_byte x_edge_detailed_result_type sc_content_type sc_content_len sc_range_start sc_range_end"
)
PARQUET = _words(
    "date time x_edge_location sc_bytes c_ip cs_method cs_host cs_uri_stem sc_status cs_referer cs_user_agent cs_uri_query cs_cookie "
    "x_edge_result_type x_edge_request_id x_host_header cs_protocol cs_bytes time_taken x_forwarded_for ssl_protocol ssl_cipher "
    "x_edge_response_result_type cs_protocol_version fle_status fle_encrypted_fields c_port time_to_first_byte "
    "x_edge_detailed_result_type sc_content_type sc_content_len sc_range_start sc_range_end"
)


def _lines(name: str) -> list[str]:
    lines = (GOLDEN / name / "normal.log").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _cells(line: str) -> list[str]:
    """The values of a load balancer's line, as Athena's table has them: an address and a port apart, none where there is no target."""
    told = shlex.split(line)
    target = told[4].rsplit(":", 1) if ":" in told[4] else ["", ""]
    return [*told[:3], *told[3].rsplit(":", 1), *target, *told[5:12], *told[12].split(" "), *told[13:29]]


def _csv(names: list[str], rows: list[list[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([names, *rows])
    return text.getvalue()


def _both(tmp_path: Path, table: str, lines: str, rows: str) -> None:
    """Hold the rows of the saved query against those of the lines."""
    for name, text in (("lines", lines), ("query", rows)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text(text, "utf-8")
    sql = f"SELECT * EXCLUDE (_artifact, _line, _text, _extra) FROM {table} ORDER BY _line"
    assert (expected := rows_of(tmp_path / "lines", sql))
    assert rows_of(tmp_path / "query", sql) == expected
    assert api.unread(tmp_path / "query", cache=tmp_path / "cache") == []
    assert rows_of(tmp_path / "query", f"SELECT _line FROM {table} ORDER BY 1") == [(place + 2,) for place in range(len(expected))]


def test_rows_of_the_load_balancer(tmp_path: Path) -> None:
    """Address and port are columns of their own there, and so are the parts of the request line."""
    lines = [line for line in _lines("alb_access") if "%22" not in line and len(shlex.split(line)) >= len(ALB) - 4]
    _both(
        tmp_path, "alb_access", "\n".join(" ".join(line.split(" TID_")[:1]) for line in lines), _csv(ALB, [_cells(line) for line in lines])
    )


@pytest.mark.parametrize("names", [LEGACY, PARQUET], ids=["text", "parquet"])
def test_rows_of_cloudfront(tmp_path: Path, names: list[str]) -> None:
    """Athena's tables name the columns in two ways."""
    lines = [line for line in _lines("cloudfront_access") if line.count("\t") == len(names) - 1]
    _both(tmp_path, "cloudfront_access", "\n".join(lines), _csv(names, [line.split("\t") for line in lines]))


def test_rows_that_do_not_tell_who_answered(tmp_path: Path) -> None:
    """Without the target's status a row would look as if the load balancer had made the answer."""
    line = _cells(_lines("alb_access")[0])
    kept = [place for place, name in enumerate(ALB) if name != "target_status_code"]
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "log.csv").write_text(_csv([ALB[place] for place in kept], [[line[place] for place in kept]]), "utf-8")
    assert rows_of(folder, "SELECT * FROM alb_access") == []
    assert len(api.unread(folder, cache=tmp_path / "cache")) == 2


def test_row_that_lacks_values(tmp_path: Path) -> None:
    """A file that was cut off."""
    rows = _csv(LEGACY, [_lines("cloudfront_access")[0].split("\t")]) + '"2025-02-06","05:32:10","NRT57-P2"\n'
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "log.csv").write_text(rows, "utf-8")
    assert rows_of(tmp_path / "case", "SELECT _line FROM cloudfront_access") == [(2,)]
    assert [one["line"] for one in api.unread(tmp_path / "case", cache=tmp_path / "cache")] == [3]


@pytest.mark.parametrize(
    ("names", "time"),
    [
        ("eventtime eventsource eventname awsregion errorcode useridentity", "T05:32:10Z"),
        ("eventTime eventSource eventName awsRegion errorCode userIdentity", " 05:32:10.000"),
    ],
    ids=["Athena", "Lake"],
)
def test_rows_of_cloudtrail(tmp_path: Path, names: str, time: str) -> None:
    """An empty cell is no error, and the caller stands in JSON."""
    who = '{"type":"IAMUser","userName":"deploy"}'
    row = [f"2025-02-06{time}", "ec2.amazonaws.com", "RunInstances", "us-east-1"]
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "trail.csv").write_text(_csv(_words(names), [[*row, "AccessDenied", who], [*row, "", who]]), "utf-8")
    sql = "SELECT strftime(time, '%H:%M:%S'), event_name, user_name, failed, error_code FROM cloudtrail ORDER BY failed"
    expected = ("05:32:10", "RunInstances", "deploy")
    assert rows_of(tmp_path / "case", sql) == [(*expected, False, None), (*expected, True, "AccessDenied")]


FLOW = "2 123456789012 eni-0a1b 203.0.113.9 10.0.1.5 49152 443 6 20 4249 1738819800 1738819860 REJECT OK"
QUIET = "2 123456789012 eni-0a1b - - - - - - - 1738819800 1738819860 - NODATA"
FLOW_COLUMNS = (
    "time, end_time, account, interface, src_ip, dst_ip, src_port, dst_port, protocol, packets, bytes, action, log_status, version, _line"
)


@pytest.mark.parametrize("separator", [",", ", ", '","'])
@pytest.mark.parametrize("names", [vpc_flow.FIELDS, vpc_flow.FIELDS.replace("-", "_")])
def test_rows_of_a_flow_log_are_its_lines(tmp_path: Path, separator: str, names: str) -> None:
    """With commas for blanks, quoted or not, by names with hyphens or underscores."""
    quote = separator.strip(",")[:1].strip()
    lines = [quote + line.replace(" ", separator) + quote for line in (names, FLOW, QUIET)]
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "rows.csv").write_text("\n".join(lines))
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "flow.log").write_text(f"{vpc_flow.FIELDS}\n{FLOW}\n{QUIET}")
    sql = f"SELECT {FLOW_COLUMNS} FROM vpc_flow ORDER BY _line"
    found, told = rows_of(tmp_path / "case", sql), rows_of(tmp_path / "plain", sql)
    assert found == told
    assert len(found) == 2


DISCOVERED = {
    "@timestamp": "2025-02-06 05:30:07.000",
    "interfaceId": "eni-0a1b",
    "srcAddr": "203.0.113.9",
    "dstAddr": "10.0.1.5",
    "srcPort": "49152",
    "dstPort": "443",
    "action": "REJECT",
    "logStatus": "OK",
}
COUNTED = {"srcAddr": "203.0.113.9", "dstAddr": "10.0.1.5", "action": "REJECT", "flows": "120"}


@pytest.mark.parametrize("written", ["results", "rows", "csv"])
def test_fields_that_insights_discovers_in_flow_logs(tmp_path: Path, written: str) -> None:
    """Rows are flows by the names of Logs Insights, too; those that count flows are none, and no application's records either."""
    texts = {
        "results": lambda row: json.dumps({"results": [[{"field": name, "value": value} for name, value in row.items()]]}),
        "rows": lambda row: json.dumps([row]),
        "csv": lambda row: "\n".join((",".join(row), ",".join(row.values()))),
    }
    for name, row in (("flows", DISCOVERED), ("counted", COUNTED)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows").write_text(texts[written](row))
    sql = "SELECT time, interface, src_ip, dst_ip, src_port, dst_port, action, log_status, _extra FROM vpc_flow"
    assert rows_of(tmp_path / "flows", sql) == [
        ("2025-02-06T05:30:07Z", "eni-0a1b", "203.0.113.9", "10.0.1.5", 49152, 443, "REJECT", "OK", None)
    ]
    for root in ("flows", "counted"):
        assert rows_of(tmp_path / root, "SELECT * FROM json_lines") == []
    assert rows_of(tmp_path / "counted", sql) == []
