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
