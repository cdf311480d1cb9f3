"""A record that states no time of its own has the time at which CloudWatch Logs had it; one that does keeps its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from kyumei import api
from kyumei.store.case import open_case

if TYPE_CHECKING:
    from pathlib import Path

SENT = 1738819930250
TIMELESS = "(0f9c8f6e-1b2c-4d3e-8f90-a1b2c3d4e5f6) Method completed with status: 504"
DATED = "2025-02-06T05:30:00.000Z " + TIMELESS


@pytest.mark.parametrize(
    ("text", "sent", "time"),
    [
        (TIMELESS, SENT, "2025-02-06T05:32:10.250000"),
        (DATED, SENT, "2025-02-06T05:30:00"),
        *((TIMELESS, sent, None) for sent in (10**18, -5, 2**70, None)),
    ],
)
def test_the_time_of_the_envelope_counts_where_there_is_no_other(tmp_path: Path, text: str, sent: int | None, time: str | None) -> None:
    """An envelope whose time is no time gives none, and harms nothing."""
    folder = tmp_path / "case/aws/logs"
    folder.mkdir(parents=True)
    events = [{"timestamp": sent, "message": text, "logStreamName": "a", "eventId": str(n)} for n in range(3)]
    (folder / "filter-log-events.json").write_text(json.dumps({"events": events}))
    assert [table["rows"] for table in api.tables(tmp_path / "case", cache=tmp_path / "cache") if table["table"]] == [3]
    case = open_case(tmp_path / "case", None, lambda *_: None, lambda _: (), cache=tmp_path / "cache2")
    times = {row["time"].isoformat() if row["time"] else None for row in case.rows("SELECT time FROM api_gateway_execution")}
    case.close()
    assert times == {time}


TRACEBACK = """\
2025-02-06 05:32:10,123 ERROR shop.orders: failed
Traceback (most recent call last):
  File "/app/orders.py", line 3, in take
    stock()
shop.errors.OutOfStockError: no stock left
2025-02-06 05:32:11,123 INFO shop.orders: next
a word of its own"""


def test_events_of_one_traceback_are_one_record(tmp_path: Path) -> None:
    """A container prints each line as an event of its own. What goes on a record is put back; what does not stays unread."""
    folder = tmp_path / "case/task/web-1"
    folder.mkdir(parents=True)
    lines = [f"2025-02-06T05:32:12.00{number}Z {line}\n" for number, line in enumerate(TRACEBACK.split("\n"))]
    (folder / "000000").write_text("".join(lines))
    case = open_case(tmp_path / "case", None, lambda *_: None, lambda _: (), cache=tmp_path / "cache")
    rows = case.rows("SELECT _line, _span, level, error_type FROM app_log ORDER BY 1")
    unread = case.rows("SELECT _line, text FROM unread")
    case.close()
    assert [tuple(row.values()) for row in rows] == [(1, 5, "ERROR", "shop.errors.OutOfStockError"), (6, 1, "INFO", None)]
    assert unread == [{"_line": 7, "text": "a word of its own"}]
