"""An answer of Logs Insights over several log groups: each row goes to the table of what wrote it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from kyumei import api

if TYPE_CHECKING:
    from pathlib import Path

GROUPS = {
    "/ecs/shop": "2025-02-06 05:32:10,123 ERROR shop.views: boom",
    "/aws/rds/cluster/shop/error": "2025-02-06T05:32:10.250000Z 5 [Warning] [MY-010055] [Server] IP address '10.0.1.12' unknown",
    "/aws/rds/cluster/shop/general": "2025-02-06T05:32:10.250000Z\t   12 Query\tSELECT 1",
    "codedeploy": "2025-02-06 05:32:10 ERROR [codedeploy-agent(3021)]: boom",
}
TABLES = ("app_log", "mysql_error", "mysql_general", "codedeploy_agent")


def test_rows_of_several_groups(tmp_path: Path) -> None:
    """Applications write in so many ways that their reader would take the lines of databases, too: it is asked last."""
    row = [
        [
            {"field": "@timestamp", "value": "2025-02-06 05:32:10.123"},
            {"field": "@message", "value": said},
            {"field": "@log", "value": f"1:{name}"},
        ]
        for name, said in GROUPS.items()
    ]
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "answer.json").write_text(json.dumps({"results": row * 6, "statistics": {}, "status": "Complete"}))
    counted = "SELECT " + ", ".join(f"(SELECT count(*) FROM {name})" for name in TABLES)
    with api.query(tmp_path / "case", counted, cache=tmp_path / "cache") as answer:
        assert list(answer.rows) == [(6, 6, 6, 6)]
