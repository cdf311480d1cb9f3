"""A case in memory for the rules about a load balancer's own answers: rows read by the format from lines as AWS writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from kyumei import discover
from kyumei.contracts import Failure, Opinion
from tests.rules.memory import TablesView, around, assert_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.model.window import Window

NOW = datetime(2025, 7, 9, 3, 14, 20, tzinfo=UTC)
ELB = "app/front/50dc6c495c0c9188"
GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/73e2d6bc24d8a067"
OTHER_GROUP = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/static/9de0c1b7a5f3e284"
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/132.0.0.0 Safari/537.36"
TABLES = (
    *("alb_access", "alb_health_check", "nginx_access", "apache_access", "app_log", "json_lines", "cloudtrail", "syslog", "nginx_error"),
    *("waf", "resource_snapshot", "lambda_log", "vpc_flow", "ecs_event", "kubernetes_pod", "metric"),
)
FAMILY = (
    "client_left",
    "load_balancer_answered",
    "load_balancer_authentication_failed",
    "load_balancer_firewall_unreachable",
    "load_balancer_function_failed",
    "load_balancer_rejected",
    "load_balancer_target_failed",
    "target_unhealthy",
)


@dataclass
class MemoryView(TablesView):
    """A view over the tables of a balancer and of what is behind it."""

    tables: ClassVar[tuple[str, ...]] = TABLES
    window: Window = field(default_factory=lambda: around(NOW))

    def add(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store a row and return it as a rule gets it."""
        return self.add_known(table, row)

    def failed(self, *rows: Mapping[str, Any], hop: str = "alb", table: str = "alb_access", **more: Any) -> MemoryView:  # noqa: ANN401 - any field of Failure
        """The view with one failure that this hop's rows tell of."""
        failure = Failure(hop=hop, table=table, total=len(rows), rows=tuple(rows), sightings={hop: tuple(rows)}, key="f1", **more)
        self.failures = (*self.failures, failure)
        return self


def line(**more: Any) -> str:  # noqa: ANN401 - any field of a line
    """A line of an access log. ``after`` is seconds from NOW to the answer, ``wall`` seconds from arrival to answer."""
    told = {
        "kind": "https",
        "client": "203.0.113.21",
        "target": "10.0.3.7:8080",
        "times": "0.000 0.020 0.000",
        "status": "502",
        "target_status": "-",
        "bytes": "412 520",
        "method": "GET",
        "path": "/orders",
        "host": "shop.example.com",
        "version": "HTTP/1.1",
        "agent": BROWSER,
        "group": GROUP,
        "priority": "10",
        "actions": "forward",
        "reason": "-",
        "classification": '"-" "-"',
        "transform": "-",
        "elb": ELB,
        "trace": None,
        "after": 0.0,
        "wall": 0.03,
    } | more
    end = NOW + timedelta(seconds=told["after"])
    start = end - timedelta(seconds=told["wall"])
    trace = (
        told["trace"] or f"1-{int(end.timestamp() * 1000):08x}"[:10] + f"-{abs(hash((end, told['path'], told['client']))) % 16**24:024x}"
    )
    stamp = "%Y-%m-%dT%H:%M:%S.%fZ"
    return (
        f"{told['kind']} {end.strftime(stamp)} {told['elb']} {told['client']}:50123 {told['target']} {told['times']} {told['status']} "
        f'{told["target_status"]} {told["bytes"]} "{told["method"]} https://{told["host"]}:443{told["path"]} {told["version"]}" '
        f'"{told["agent"]}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 {told["group"]} "Root={trace}" "{told["host"]}" '
        f'"arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012" {told["priority"]} {start.strftime(stamp)} '
        f'"{told["actions"]}" "-" "{told["reason"]}" "{told["target"] if told["target"] != "-" else "-"}" "{told["target_status"]}" '
        f'{told["classification"]} TID_0123456789abcdef "-" "-" "{told["transform"]}"'
    )


def row(view: MemoryView, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a line
    """The line's row, stored."""
    read = discover.formats()["alb_access"].layout.read(line(**more))
    assert isinstance(read, dict), read
    return view.add("alb_access", read)


def served(view: MemoryView, count: int, **more: Any) -> None:  # noqa: ANN401 - any field of a line
    """Requests that the target answered well, a second apart, around NOW."""
    for number in range(count):
        row(view, **({"status": "200", "target_status": "200", "path": f"/items/{number}", "after": number - count / 2 + 0.4} | more))


def series(metric: str, *values: float, after: int = 0, about: str = "") -> dict[str, Any]:
    """One result of get-metric-data: a value for each minute from NOW's minute plus ``after`` minutes on."""
    first = NOW.replace(second=0) + timedelta(minutes=after)
    times = [(first + timedelta(minutes=number)).isoformat() for number in range(len(values))]
    return {"Id": "m1", "Label": f"{metric} {about}".strip(), "Timestamps": times, "Values": list(values), "StatusCode": "Complete"}


def health(target: str, state: str, reason: str = "") -> dict[str, Any]:
    """One target of describe-target-health."""
    told = {"State": state} | ({"Reason": reason, "Description": "as AWS words it"} if reason else {})
    return {"Target": {"Id": target, "Port": 8080}, "HealthCheckPort": "8080", "TargetHealth": told}


def ask(view: MemoryView) -> dict[str, Opinion]:
    """What every rule of the family says; each finding's query must run again and its texts be whole."""
    opinions = {name: discover.rules()[name].examine(view) for name in FAMILY}
    for name, opinion in opinions.items():
        for finding in opinion.findings:
            assert_whole(finding, name)
            texts = [
                finding.title,
                *(text for one in finding.remedy for text in (one.says, *one.commands)),
                *(one.says for one in finding.check),
            ]
            assert not any("{" + blank + "}" in text for text in texts for blank in BLANKS), texts
            for evidence in finding.chain:
                assert evidence.says
                if evidence.sql:
                    view.rows(evidence.sql)
    return opinions


BLANKS = (
    *(
        "elb",
        "elb_arn",
        "group_arn",
        "group",
        "target",
        "port",
        "path",
        "host",
        "priority",
        "reason",
        "idle",
        "longer",
        "patience",
        "state",
    ),
    *("classification", "classification_reason", "transform_status", "former", "former_group", "protocol", "status"),
)


def findings(view: MemoryView) -> list[tuple[str, str]]:
    """Code and certainty of each finding of the family, in the order of the rules."""
    return [(one.code, str(one.certainty)) for opinion in ask(view).values() for one in opinion.findings]


def ruled_out(view: MemoryView) -> set[str]:
    """The codes that are ruled out."""
    return {one.code for opinion in ask(view).values() for one in opinion.ruled_out}
