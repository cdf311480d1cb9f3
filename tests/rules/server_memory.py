"""A case in memory for the rules of web and application servers: a view over the real tables, with the failure asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from kyumei import discover
from kyumei.contracts import Failure, Opinion
from tests.rules.memory import TablesView

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("nginx_access", "nginx_error", "apache_access", "apache_error", "app_log", "syslog", "json_lines", "alb_access", "waf")
NOON = datetime(2025, 4, 17, 3, 41, 7)  # noqa: DTZ001 - tables hold UTC without a zone
AT = {"client_ip": "203.0.113.77", "method": "GET", "path": "/report"}


@dataclass
class ServerView(TablesView):
    """A view over the tables of servers and what stands in front of them."""

    tables: ClassVar[tuple[str, ...]] = NAMES

    def add(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store a row and return it as a rule gets it."""
        return self.store(table, row)


def after(seconds: float) -> datetime:
    """The time that many seconds after the failing request."""
    return NOON + timedelta(seconds=seconds)


def failing(view: ServerView, hop: str, table: str, *rows: Mapping[str, Any], **more: Any) -> ServerView:  # noqa: ANN401 - any field of Failure
    """The view with one failure of these rows, stored and returned as a rule gets them."""
    stored = tuple(view.add(table, row) for row in rows)
    view.failures = (Failure(hop=hop, table=table, total=len(stored), rows=stored, sightings={hop: stored}, key="f1", **more),)
    return view


def ask(view: ServerView, rule: str) -> Opinion:
    """What the rule says; its texts must be whole, its queries must run again, and it names the failures that it explains."""
    opinion = discover.rules()[rule].examine(view)
    for finding in opinion.findings:
        assert finding.code in discover.rules()[rule].codes
        assert finding.title
        assert finding.message
        assert finding.layer
        assert finding.failures == ("f1",)
        assert finding.remedy
        assert finding.check
        assert finding.onset is not None
        texts = [command for one in finding.remedy for command in one.commands] + [one.command for one in finding.check]
        assert not [text for text in texts if "{upstream}" in text or "{port}" in text or "{unit}" in text or "{from}" in text]
        for evidence in finding.chain:
            assert evidence.says
            if evidence.sql:
                view.rows(evidence.sql)
    return opinion
