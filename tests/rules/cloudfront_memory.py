"""A case in memory for the rules about CloudFront's own answers: rows read by the format from lines as CloudFront writes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from kyumei import discover
from kyumei.contracts import Failure, Opinion
from kyumei.formats.cloudfront_access import FIELDS
from tests.rules import balancer_memory
from tests.rules.memory import TablesView, around, assert_whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.model.finding import Finding
    from kyumei.model.window import Window

NOW = datetime(2025, 5, 20, 8, 41, 30, tzinfo=UTC)
DISTRIBUTION = "E2QWRUHAPOMQZL"
DOMAIN = "d111111abcdef8.cloudfront.net"
ORIGIN = "front-1234567890.eu-west-1.elb.amazonaws.com"
TABLES = (
    *("cloudfront_access", "alb_access", "clb_access", "api_gateway_access", "nginx_access", "apache_access", "app_log", "json_lines"),
    *("waf", "resource_snapshot", "cloudtrail", "metric"),
)
FAMILY = ("cloudfront_answered", "cloudfront_origin_failed", "viewer_left")


@dataclass
class MemoryView(TablesView):
    """A view over CloudFront's table and those of origins."""

    tables: ClassVar[tuple[str, ...]] = TABLES
    answer_line: ClassVar[int] = 1
    window: Window = field(default_factory=lambda: around(NOW))

    def file_of(self, table: str) -> str:
        """The name of a table's file; CloudFront's tells the distribution."""
        return f"cdn/{DISTRIBUTION}.{NOW:%Y-%m-%d-%H}.1a2b3c4d.gz" if table == "cloudfront_access" else super().file_of(table)

    def add(self, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
        """Store a row and return it as a rule gets it."""
        return self.add_known(table, row)

    def failed(self, *rows: Mapping[str, Any], hop: str = "cloudfront", behind: Mapping[str, Any] | None = None, **more: Any) -> MemoryView:  # noqa: ANN401 - any field of Failure
        """The view with one failure that CloudFront's rows tell of; ``behind`` are records of the same requests further in, by hop."""
        seen = {"cloudfront": tuple(rows), **(behind or {})}
        failure = Failure(hop=hop, table="cloudfront_access", total=len(rows), rows=tuple(rows), sightings=seen, key="f1", **more)
        self.failures = (*self.failures, failure)
        return self


def row(view: MemoryView, detail: str, result: str = "Error", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a line
    """The row of one line, stored. ``after`` is seconds from NOW to the end of the response, ``response`` the type before it went out."""
    told: dict[str, Any] = {
        "status": "502",
        "path": "/orders",
        "method": "GET",
        "seconds": 0.2,
        "query": "-",
        "cookie": "-",
        "after": 0,
    } | more
    end = NOW + timedelta(seconds=told["after"])
    number = view.rows("SELECT count(*) AS n FROM cloudfront_access")[0]["n"]
    values: dict[str, str] = dict.fromkeys(FIELDS.split(), "-") | {
        "date": f"{end:%Y-%m-%d}",
        "time": f"{end:%H:%M:%S}",
        "x-edge-location": told.get("edge", "FRA56-P8"),
        "sc-bytes": "920",
        "c-ip": "198.51.100.24",
        "cs-method": told["method"],
        "cs(Host)": DOMAIN,
        "cs-uri-stem": told["path"],
        "sc-status": told["status"],
        "cs(User-Agent)": balancer_memory.BROWSER.replace(" ", "%20"),
        "cs-uri-query": told["query"],
        "cs(Cookie)": told["cookie"],
        "x-edge-result-type": result,
        "x-edge-request-id": f"{number:054d}==",
        "x-host-header": "shop.example.com",
        "cs-protocol": "https",
        "cs-bytes": "410",
        "time-taken": f"{told['seconds']:.3f}",
        "x-edge-response-result-type": told.get("response", result),
        "cs-protocol-version": "HTTP/2.0",
        "x-edge-detailed-result-type": detail,
    }
    read = discover.formats()["cloudfront_access"].layout.read("\t".join(values.values()))
    assert isinstance(read, dict), read
    return view.add("cloudfront_access", read)


def at_origin(view: MemoryView, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any field of a balancer's line
    """A row of the load balancer at the origin as a sighting has it. ``after`` counts from this module's NOW."""
    after = (NOW - balancer_memory.NOW).total_seconds() + more.pop("after", 0)
    told = {"status": "200", "target_status": "200", "client": "203.0.113.7", "agent": "Amazon CloudFront"} | more
    read = discover.formats()["alb_access"].layout.read(balancer_memory.line(**told, after=after))
    assert isinstance(read, dict), read
    return view.add("alb_access", read) | {"hop": "alb"}


def related(view: MemoryView) -> MemoryView:
    """A request that went well through both logs, some minutes before: the load balancer's log is that of this distribution's origin."""
    row(view, "Miss", "Miss", status="200", path="/health/of/all", after=-400)
    at_origin(view, path="/health/of/all", after=-400)
    return view


def config(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - any key of DistributionConfig
    """An answer of get-distribution-config: one origin, and a behavior of its own for /files/*."""
    behavior = {
        "TargetOriginId": "front",
        "AllowedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"]},
        "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
        "LambdaFunctionAssociations": {"Quantity": 0},
        "FunctionAssociations": {"Quantity": 0},
    }
    origin = {
        "Id": "front",
        "DomainName": ORIGIN,
        "ConnectionAttempts": 3,
        "ConnectionTimeout": 10,
        "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only", "OriginReadTimeout": 30},
    }
    arn = "arn:aws:lambda:us-east-1:123456789012:function:rewrite-urls:7"
    files = behavior | {
        "PathPattern": "files/*",
        "TrustedKeyGroups": {"Enabled": True, "Quantity": 1, "Items": ["1c2d3e4f-0000-4111-8222-333344445555"]},
        "LambdaFunctionAssociations": {"Quantity": 1, "Items": [{"LambdaFunctionARN": arn, "EventType": "origin-request"}]},
    }
    told = {
        "Aliases": {"Quantity": 1, "Items": ["shop.example.com"]},
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": behavior,
        "CacheBehaviors": {"Quantity": 1, "Items": [files]},
        "CustomErrorResponses": {"Quantity": 1, "Items": [{"ErrorCode": 503, "ErrorCachingMinTTL": 300}]},
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
        "WebACLId": "",
    }
    return {"ETag": "E1A2B3C4D5E6F7", "DistributionConfig": told | more}


def ask(view: MemoryView) -> dict[str, Opinion]:
    """What every rule of the family says; each finding's query must run again and its texts be whole."""
    opinions = {name: discover.rules()[name].examine(view) for name in FAMILY}
    for name, opinion in opinions.items():
        for finding in opinion.findings:
            assert_whole(finding, name)
            texts = [
                finding.title,
                *(text for one in finding.remedy for text in (one.says, *one.commands)),
                *(text for one in finding.check for text in (one.says, one.command)),
            ]
            blanks = ("{origin}", "{distribution}", "{path}", "{how}", "{what}", "{function}", "{edge}", "{seconds}", "{method}", "{url}")
            assert not any(blank in text for text in texts for blank in blanks), texts
            assert finding.chain[0].citations
            assert len(view.rows(finding.chain[0].sql)) == finding.explains
    return opinions


def findings(view: MemoryView) -> list[Finding]:
    """All findings of the family."""
    return [finding for opinion in ask(view).values() for finding in opinion.findings]


def told(view: MemoryView) -> list[tuple[str, str]]:
    """Code and certainty of all findings of the family."""
    return [(finding.code, str(finding.certainty)) for finding in findings(view)]


def missing(view: MemoryView) -> list[str]:
    """What the family says is missing."""
    return [gap.missing for opinion in ask(view).values() for gap in opinion.gaps]
