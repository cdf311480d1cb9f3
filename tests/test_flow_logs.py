"""Flow logs whose fields were chosen: their order by header lines, by settings, and by answers of describe-flow-logs in the case."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from kyumei.contracts import Refused
from kyumei.errors import ConfigError
from kyumei.formats import tgw_flow, vpc_flow
from kyumei.model.window import Window
from kyumei.store import bulk_files, bulk_rows, pick
from kyumei.store import case as case_module
from kyumei.store.case import Case, open_case
from tests import ledger
from tests.test_formats import assert_equal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kyumei.contracts import Layout

START = 1738819800
"""2025-02-06T05:30:00Z."""
ALL = " ".join(column.origin for column in vpc_flow.TABLE.columns)
SHORT = "${interface-id} ${dstaddr} ${srcaddr} ${action} ${end} ${start}"
LONG = "${version} ${vpc-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${start} ${end} ${action} ${log-status}"


def default(second: int, action: str = "ACCEPT") -> str:
    """A line of the default fields."""
    return f"2 123456789012 eni-0a1b 203.0.113.9 10.0.1.5 49152 443 6 20 4249 {START + second} {START + second + 60} {action} OK"


def short(second: int) -> str:
    """A line of SHORT."""
    return f"eni-0c2d 10.0.1.9 10.0.0.7 REJECT {START + second + 60} {START + second}"


def long(second: int) -> str:
    """A line of LONG."""
    return f"3 vpc-0a1b eni-0c2d 10.0.0.7 10.0.1.9 40000 443 {START + second} {START + second + 60} REJECT OK"


def shown(row: dict[str, Any] | Refused) -> dict[str, Any]:
    """A row without its missing values."""
    assert isinstance(row, dict)
    return {name: value for name, value in row.items() if value is not None and name != "_naive"}


@pytest.mark.parametrize(
    ("read", "told", "line", "expected"),
    [
        (vpc_flow, SHORT, short(0), {"interface": "eni-0c2d", "src_ip": "10.0.0.7", "dst_ip": "10.0.1.9", "action": "REJECT"}),
        (vpc_flow, "interface-id end", f"eni-0c2d {START}123", {"interface": "eni-0c2d"}),
        (
            vpc_flow,
            "version,srcaddr,dstaddr,start,reject_reason,instance-tag,traffic_path",
            f"11 - 10.0.1.9 {START} BPA web%20tier 8",
            {"version": 11, "dst_ip": "10.0.1.9", "reject_reason": "BPA", "instance_tag": "web tier", "traffic_path": 8},
        ),
        (
            tgw_flow,
            "tgw-id tgw-src-eni packets-lost-blackhole start new-field",
            f"tgw-0abc eni-0c2d 3 {START} x",
            {"tgw": "tgw-0abc", "src_interface": "eni-0c2d", "lost_blackhole": 3, "_extra": {"new-field": "x"}},
        ),
    ],
)
def test_told_order_is_read_by_both_readers(read: Any, told: str, line: str, expected: dict[str, Any]) -> None:  # noqa: ANN401 - a module
    """Fewer fields are refused, more are kept, and a record is found by its window."""
    layout: Layout = read.custom(told)
    row = shown(layout.read(line))
    assert row.pop("time").replace(microsecond=0) == datetime(2025, 2, 6, 5, 30)  # noqa: DTZ001 - readers answer naive times
    row.pop("end_time", None)
    assert row == expected
    assert isinstance(layout.read(line.rsplit(" ", 1)[0]), Refused)
    more = shown(layout.read(f"{line} more"))
    assert more["_extra"]["fields"] == ["more"]
    wrapped = json.dumps({"message": line}, separators=(",", ":"))
    assert layout.read(wrapped) == layout.read(line)
    texts = [line, wrapped, f"{line} ", f"{line} more", line.rsplit(" ", 1)[0], "", "- - - - - -", f"{{ {line}", line.replace(" ", "\t", 1)]
    for sample in ((), [line], [wrapped], texts):
        assert assert_equal(replace(read.FORMAT, layout=layout), texts, sample) >= 1
    window = Window(datetime(2025, 2, 6, 5, 35, tzinfo=UTC), datetime(2025, 2, 6, 5, 36, tzinfo=UTC))
    assert any(text in line for text in layout.stamps(window, (timedelta(hours=9),)))


def test_every_field_of_the_table_has_its_column() -> None:
    """In one line with all of them; a dash in each is a record without values."""
    values = {
        "start": str(START),
        "end": str(START),
        **{column.origin: "7" for column in vpc_flow.TABLE.columns if column.kind == "BIGINT"},
    }
    line = " ".join(values.get(name, f"x-{name}") for name in ALL.split())
    row = shown(vpc_flow.custom(ALL).read(line))
    assert row == {column.name: row[column.name] for column in vpc_flow.TABLE.columns}
    assert row["ecs_task_definition_arn"] == "x-ecs-task-definition-arn"
    nothing = vpc_flow.custom("srcaddr dstaddr pkt-srcaddr").read("- - -")
    assert shown(nothing) == {}


@pytest.mark.parametrize(
    "told", ["", "version", "$remote_addr [$time_local]", "start end type", "srcaddr dstaddr srcaddr", "the end of a line"]
)
def test_what_is_no_order_is_refused(told: str) -> None:
    """A clear error; and a line like it is no header."""
    with pytest.raises(ConfigError):
        vpc_flow.custom(told)
    assert not vpc_flow.sniff(told, "x.log") or len(set(told.split())) < len(told.split())


def test_header_lines_belong_to_one_of_the_two() -> None:
    """By the names that only transit gateways have; both know their default order again."""
    for read, other in ((vpc_flow, tgw_flow), (tgw_flow, vpc_flow)):
        assert read.sniff(read.FIELDS, "x.log")
        assert not other.sniff(read.FIELDS, "x.log")
        assert read.below(read.FIELDS) is read.FORMAT.layout
        assert read.below(read.FIELDS.replace("-", "_")) is read.FORMAT.layout
    assert vpc_flow.sniff("interface-id start end action", "x.log")
    assert vpc_flow.sniff("version srcaddr dstaddr start end field-of-next-year", "x.log")
    assert tgw_flow.sniff("version srcaddr dstaddr packets-lost-no-route", "x.log")
    assert vpc_flow.below("type of error") is None


@pytest.fixture(name="opened")
def _opened(tmp_path: Path) -> Callable[..., Case]:
    def opened(window: Window | None = None) -> Case:
        return open_case(tmp_path / "case", window, lambda *_: None, lambda _: (), cache=tmp_path / "cache")

    (tmp_path / "case").mkdir()
    return opened


@pytest.mark.parametrize("bulk", [1, 10_000])
def test_header_in_the_middle_changes_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Case], bulk: int
) -> None:
    """A header is no record and never unread; too few columns are, too many are kept."""
    monkeypatch.setattr(bulk_rows, "BULK_ROWS", bulk)
    lines = [vpc_flow.FIELDS, default(0), default(1, "REJECT"), vpc_flow.FIELDS, default(2), SHORT.translate({ord(c): None for c in "${}"})]
    lines += [short(3), short(4), "eni-0c2d 10.0.1.9", f"{short(5)} one more", vpc_flow.FIELDS]
    content = "\n".join(lines) + "\n"
    (tmp_path / "case" / "a.log").write_text(content)
    (tmp_path / "case" / "only.log").write_text(vpc_flow.FIELDS)
    (tmp_path / "case" / "none.log").write_text("")
    (tmp_path / "case" / "one.log").write_text(default(6))
    case = opened()
    rows = case.rows("SELECT _line, action, src_ip, _extra FROM vpc_flow WHERE _artifact = 1 ORDER BY 1")
    assert [(row["_line"], row["action"], row["src_ip"]) for row in rows] == [
        *((2, "ACCEPT", "203.0.113.9"), (3, "REJECT", "203.0.113.9"), (5, "ACCEPT", "203.0.113.9")),
        *((7, "REJECT", "10.0.0.7"), (8, "REJECT", "10.0.0.7"), (10, "REJECT", "10.0.0.7")),
    ]
    assert json.loads(rows[-1]["_extra"]) == {"fields": ["one", "more"]}
    assert [row["_line"] for row in case.rows("SELECT _line FROM unread")] == [9]
    assert case.value("SELECT count(*) FROM headers") == 5
    assert case.value("SELECT count(*) FROM vpc_flow") == 7
    assert list(ledger.faults(case, {"a.log": content.encode()}, 10**6)) == []


@pytest.mark.parametrize(
    ("first", "second", "line", "other"),
    [
        (vpc_flow.FIELDS, vpc_flow.FIELDS, default, default),
        (vpc_flow.FIELDS, SHORT.translate({ord(c): None for c in "${}"}), default, short),
        (SHORT.translate({ord(c): None for c in "${}"}), vpc_flow.FIELDS, short, default),
        ("srcaddr interface-id", "srcaddr interface-id", lambda n: f"10.0.0.{n % 250} eni-0a1b", lambda n: f"10.0.0.{n % 250} eni-0a1b"),
    ],
    ids=["repeated", "other", "back to the default", "texts only"],
)
def test_large_file_is_read_under_its_header(  # noqa: PLR0913 - two halves of a file, and what a test needs
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    opened: Callable[..., Case],
    first: str,
    second: str,
    line: Callable[[int], str],
    other: Callable[[int], str],
) -> None:
    """By DuckDB's reader at once where one header governs it all; a header far down that tells another order is seen, too."""
    monkeypatch.setattr(bulk_files, "BULK_FROM", 1)
    monkeypatch.setattr(pick, "HEAD", 4096)
    content = "\n".join([first, *map(line, range(3000)), "broken", second, *map(other, range(3000))]) + "\n"
    (tmp_path / "case" / "a.log").write_text(content)
    case = opened()
    rows = case.rows("SELECT count(*) AS n, count(_text) AS kept, min(_line) AS first, max(_line) AS last FROM vpc_flow")
    assert [(row["n"], row["first"], row["last"]) for row in rows] == [(6000, 2, 6003)]
    assert (rows[0]["kept"] == 0) is (first == second)
    assert case.value("SELECT count(*) FROM vpc_flow WHERE NOT starts_with(interface, 'eni-0')") == 0
    assert case.value("SELECT count(*) FROM headers") == 2
    assert [row["_line"] for row in case.rows("SELECT _line FROM unread")] == [3002]
    assert "start" not in first or list(ledger.faults(case, {"a.log": content.encode()}, 10**6)) == []


@pytest.mark.parametrize("name", ["plain.log", "packed.log.gz"])
def test_interval_that_lasts_into_the_window_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., Case], name: str
) -> None:
    """Though it began ten minutes before, and says nothing of its end; what began long before is passed over."""
    monkeypatch.setattr(case_module, "WHOLE", 1)
    monkeypatch.setattr(pick, "SMALL_FILE", 1)
    lines = ["interface-id start srcaddr", *(f"eni-0c2d {START - 40_000 + second} 10.0.0.7" for second in range(0, 80_000, 10))]
    content = ("\n".join(lines) + "\n").encode()
    (tmp_path / "case" / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    window = Window(datetime(2025, 2, 6, 5, 40, tzinfo=UTC), datetime(2025, 2, 6, 5, 45, tzinfo=UTC))
    case = opened(window)
    assert not case.whole
    found = case.value("SELECT count(*) FROM vpc_flow WHERE time >= '2025-02-06 05:30' AND time < '2025-02-06 05:45'")
    assert found == 90
    assert case.value("SELECT count(*) FROM vpc_flow") < 500


def told(root: Path, *flow_logs: dict[str, str]) -> None:
    """Lay an answer of describe-flow-logs down in the case."""
    (root / "aws" / "ec2").mkdir(parents=True)
    (root / "aws" / "ec2" / "describe-flow-logs.json").write_text(json.dumps({"FlowLogs": list(flow_logs)}))


def test_order_is_told_by_an_answer_in_the_case(tmp_path: Path, opened: Callable[..., Case]) -> None:
    """For bare lines, an export, lines that Firehose sent on, and events of a log group."""
    root = tmp_path / "case"
    told(root, {"FlowLogId": "fl-0a", "LogGroupName": "/vpc/one", "LogFormat": LONG}, {"FlowLogId": "fl-0b", "LogFormat": SHORT})
    (root / "a.log").write_text("\n".join(long(second) for second in range(50)))
    (root / "b.log").write_text("\n".join(short(second) for second in range(50)))
    (root / "c.log").write_text("\n".join(f"2025-02-06T05:32:10.000Z {long(second)}" for second in range(50)))
    (root / "d.log").write_text("\n".join(json.dumps({"message": long(second)}, separators=(",", ":")) for second in range(50)))
    events = [{"timestamp": START * 1000, "message": long(second), "eventId": str(second)} for second in range(50)]
    (root / "aws" / "logs").mkdir()
    (root / "aws" / "logs" / f"filter-log-events.{quote('/vpc/one', safe='')}.json").write_text(json.dumps({"events": events}))
    case = opened()
    found = case.rows(
        "SELECT a.name, count(*) AS n, any_value(src_ip) AS src, any_value(action) AS action, min(v.time) AS first "
        "FROM vpc_flow v JOIN artifacts a ON a.artifact = v._artifact GROUP BY 1 ORDER BY 1"
    )
    assert [(row["name"], row["n"], row["src"], row["action"], row["first"]) for row in found] == [
        (name, 50, "10.0.0.7", "REJECT", datetime(2025, 2, 6, 5, 30))  # noqa: DTZ001 - rows hold naive UTC
        for name in ("a.log", "aws/logs/filter-log-events.%2Fvpc%2Fone.json", "b.log", "c.log", "d.log")
    ]
    assert case.value("SELECT count(*) FROM unread") == 0


def test_two_orders_that_fit_alike_are_told_apart_by_name_only(tmp_path: Path, opened: Callable[..., Case]) -> None:
    """Source and destination swapped: a file that bears the flow log's id is read by its order, though it looks like the default one."""
    root = tmp_path / "case"
    ours = " ".join(f"${{{name}}}" for name in vpc_flow.FIELDS.split())
    swapped = ours.replace("src", "X").replace("dst", "src").replace("X", "dst")
    lines = [f"eni-0c2d 10.0.0.{second} 10.0.1.9 ACCEPT" for second in range(50)]
    told(
        root,
        {"FlowLogId": "fl-0a", "LogFormat": swapped},
        {"FlowLogId": "fl-0b", "LogFormat": "${interface-id} ${srcaddr} ${dstaddr} ${action}"},
        {"FlowLogId": "fl-0c", "LogFormat": "${interface-id} ${dstaddr} ${srcaddr} ${action}"},
        {"FlowLogId": "fl-0d", "LogFormat": "${new-1} nonsense"},
    )
    for name in ("fl-0a.log", "usual.log"):
        (root / name).write_text("\n".join(default(second) for second in range(50)))
    for name in ("fl-0c.log", "unknown.log"):
        (root / name).write_text("\n".join(lines))
    case = opened()
    found = case.rows("SELECT DISTINCT a.name, dst_ip FROM vpc_flow v JOIN artifacts a ON a.artifact = v._artifact ORDER BY 1, 2")
    assert [(row["name"], row["dst_ip"]) for row in found if row["name"] != "fl-0c.log"] == [
        ("fl-0a.log", "203.0.113.9"),
        ("usual.log", "10.0.1.5"),
    ]
    assert {row["dst_ip"] for row in found if row["name"] == "fl-0c.log"} == {f"10.0.0.{second}" for second in range(50)}
    assert case.value("SELECT count(*) FROM unread") == 50


@pytest.mark.parametrize(
    "answer", ["", "{", "[]", '{"FlowLogs": 3}', '{"FlowLogs": [3, {"LogFormat": 3}, {"LogFormat": "${"}]}', "[" * 5000]
)
def test_strange_answer_harms_nobody(tmp_path: Path, opened: Callable[..., Case], answer: str) -> None:
    """The lines are read as if it were not there."""
    told(tmp_path / "case")
    (tmp_path / "case" / "aws" / "ec2" / "describe-flow-logs.json").write_text(answer)
    (tmp_path / "case" / "a.log").write_text(default(0))
    assert opened().value("SELECT count(*) FROM vpc_flow") == 1


def test_order_is_told_by_settings(tmp_path: Path, opened: Callable[..., Case]) -> None:
    """As an nginx log_format is: the names alone say that it is a flow log, and of what."""
    root = tmp_path / "case"
    (root / "case.toml").write_text('[log_format]\n"a.log" = "${interface-id} ${action} ${end}"\n"b.log" = "tgw-id srcaddr start"\n')
    (root / "a.log").write_text(f"eni-0c2d REJECT {START}123\n")
    (root / "b.log").write_text(f"tgw-0abc 10.0.0.7 {START}\n")
    case = opened()
    assert case.rows("SELECT interface, action FROM vpc_flow") == [{"interface": "eni-0c2d", "action": "REJECT"}]
    assert case.rows("SELECT tgw, src_ip FROM tgw_flow") == [{"tgw": "tgw-0abc", "src_ip": "10.0.0.7"}]
