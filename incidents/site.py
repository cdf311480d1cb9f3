"""The place of the incident, with all names settled: balancer, hosts, web ACL, rule, and the person who reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from incidents.plan import draw, hexadecimal, pick, uuid

if TYPE_CHECKING:
    from incidents.plan import Fate, Plan

ACCOUNT = "123456789012"

REGIONS = ("ap-northeast-1", "ap-northeast-3", "us-west-2", "eu-central-1", "ap-southeast-1")
APPS = ("orders", "ledger", "backoffice", "catalog", "booking", "members")
PREFIXES = ("/app", "/portal", "/console", "/members", "/desk")
AREAS = ("admin", "settings/users", "reports/monthly", "management", "audit", "admin/roles")
WEB_ACLS = ("{app}-web-acl", "{app}-prod-waf", "waf-{app}", "{app}-edge", "regional-{app}-acl")
BALANCERS = ("{app}-alb", "alb-{app}-prod", "{app}-public", "{app}-web-lb")
GUILTY: dict[str, tuple[str, ...]] = {
    "custom_rule": ("block-admin-outside-office", "RestrictAdminPaths", "office-only-paths", "protect-back-office", "deny-external-admin"),
    "rate": ("rate-limit-per-address", "RateLimit300", "throttle-by-ip"),
    "ip_set": ("deny-listed-addresses", "BlockedSources", "bad-neighbours"),
    "geo": ("only-domestic", "GeoRestriction", "block-foreign-countries"),
    "captcha": ("captcha-on-login", "CaptchaForForms"),
    "challenge": ("challenge-on-api", "SilentChallenge"),
    "custom_response": ("maintenance-gate", "closed-area", "LegacyPathsGone"),
    "oversize": ("inspect-upload-body", "BodyKeywordFilter"),
}
METHODS: dict[str, str] = {"managed_size": "POST", "managed_xss": "POST", "oversize": "POST", "captcha": "POST", "challenge": "POST"}
TAILS: dict[str, tuple[str, ...]] = {
    "managed_size": ("/documents/upload", "/import/csv", "/photos/new"),
    "managed_xss": ("/articles/edit", "/templates/save", "/notices/preview"),
    "oversize": ("/import/orders", "/invoices/upload", "/bulk/register"),
    "captcha": ("/api/v1/session", "/api/v1/signup"),
    "challenge": ("/api/v2/devices", "/api/v2/sync"),
    "nginx_rule": ("/metrics", "/internal/queue", "/maintenance"),
    "nginx_index": ("/files/", "/downloads/", "/manual/"),
    "nginx_permission": ("/files/price-list.pdf", "/downloads/contract.pdf", "/media/catalogue.pdf"),
}
HOSTS = (("ip-10-0-1-21", "ip-10-0-2-34"), ("ip-10-0-11-5", "ip-10-0-12-77"), ("web-a1", "web-c1"), ("app01", "app02"))
OLD_OFFICE, NEW_OFFICE = ip_network("198.51.100.0/26"), ip_network("203.0.113.64/26")


@dataclass(frozen=True)
class Host:
    """One server with nginx and gunicorn."""

    name: str
    address: str
    instance: str
    interface: str


@dataclass(frozen=True)
class Node:
    """One address of the balancer inside the network: the only client that nginx ever sees."""

    address: str
    public: str
    interface: str
    zone: str


@dataclass(frozen=True)
class Site:
    """Every name of the incident. ``moment``, ``start`` and ``end`` are aware times in UTC; ``guilty`` is the rule's name, or empty."""

    fate: Fate
    moment: datetime
    start: datetime
    end: datetime
    nginx_zone: ZoneInfo
    app_zone: ZoneInfo
    host_zone: ZoneInfo
    region: str
    app: str
    prefix: str
    domain: str
    method: str
    path: str
    status: int
    reporter: str
    country: str
    web_acl: str
    web_acl_id: str
    guilty: str
    guilty_first: bool
    counting: str
    office_set: str
    office_set_id: str
    rate_limit: int
    balancer: str
    balancer_id: str
    target_group: str
    target_group_id: str
    nodes: tuple[Node, ...]
    hosts: tuple[Host, ...]
    app_style: int

    @property
    def web_acl_arn(self) -> str:
        """The ARN of the web ACL."""
        return f"arn:aws:wafv2:{self.region}:{ACCOUNT}:regional/webacl/{self.web_acl}/{self.web_acl_id}"

    @property
    def office_set_arn(self) -> str:
        """The ARN of the IP set that the guilty rule looks into."""
        return f"arn:aws:wafv2:{self.region}:{ACCOUNT}:regional/ipset/{self.office_set}/{self.office_set_id}"

    @property
    def balancer_arn(self) -> str:
        """The ARN of the load balancer."""
        return f"arn:aws:elasticloadbalancing:{self.region}:{ACCOUNT}:loadbalancer/app/{self.balancer}/{self.balancer_id}"

    @property
    def target_group_arn(self) -> str:
        """The ARN of the target group."""
        return f"arn:aws:elasticloadbalancing:{self.region}:{ACCOUNT}:targetgroup/{self.target_group}/{self.target_group_id}"

    @property
    def log_group(self) -> str:
        """The CloudWatch Logs group of the WAF log; AWS demands the first part of its name."""
        return f"aws-waf-logs-{self.app}"


def moment_of(plan: Plan) -> datetime:
    """The instant that the person names: fixed, or some working hour of 2024 or 2025 in the person's zone."""
    if plan.moment is not None:
        return plan.moment.astimezone(UTC)
    chance = draw(plan, "moment")
    day = datetime(2024, 3, 1, tzinfo=ZoneInfo(plan.reporter_zone)) + timedelta(days=chance.randrange(600))
    return day.replace(hour=chance.randint(10, 17), minute=chance.randrange(60)).astimezone(UTC)


def status_of(plan: Plan) -> int:
    """The status that the person saw."""
    if plan.status is not None:
        return plan.status
    if plan.fate == "custom_response":
        return pick(plan, "status", (429, 404, 503, 451))
    return {"captcha": 405, "challenge": 202}.get(plan.fate, 403)


def path_of(plan: Plan, prefix: str) -> str:
    """The path that the person asked for; what fails shapes it (an upload, a file, an API)."""
    if plan.path is not None:
        return plan.path
    tails = TAILS.get(plan.fate)
    return prefix + (pick(plan, "path", tails) if tails else "/" + pick(plan, "path", AREAS))


def hosts_of(plan: Plan) -> tuple[Host, ...]:
    """The servers, with addresses that fit their names where the names hold one."""
    hosts = []
    for index, name in enumerate(plan.hosts or pick(plan, "hosts", HOSTS)):
        numbers = name.removeprefix("ip-").split("-")
        address = ".".join(numbers) if len(numbers) == 4 else f"10.0.{index + 1}.{20 + 7 * index}"  # noqa: PLR2004
        identity = hexadecimal(plan, f"host {index}", 17)
        hosts.append(Host(name, address, f"i-{identity}", f"eni-{identity[::-1]}"))
    return tuple(hosts)


def nodes_of(plan: Plan, region: str) -> tuple[Node, ...]:
    """Two addresses of the balancer, one in each of two zones, in subnets of their own."""
    chance = draw(plan, "nodes")
    return tuple(
        Node(
            address=f"10.0.{100 + index}.{chance.randint(4, 250)}",
            public=str(ip_network("192.0.2.0/25")[chance.randint(100, 120)]),
            interface=f"eni-{chance.getrandbits(68):017x}",
            zone=region + zone,
        )
        for index, zone in enumerate("ac")
    )


def site_of(plan: Plan) -> Site:
    """The plan with every open matter settled."""
    moment = moment_of(plan)
    app = plan.app or pick(plan, "app", APPS)
    prefix = plan.prefix or pick(plan, "prefix", PREFIXES)
    region = plan.region or pick(plan, "region", REGIONS)
    before = timedelta(hours=plan.hours * draw(plan, "before").uniform(0.55, 0.75))
    office = NEW_OFFICE if plan.fate != "geo" else ip_network("2001:db8:7:100::/64")
    names = GUILTY.get(plan.fate, ())
    return Site(
        fate=plan.fate,
        moment=moment,
        start=moment - before,
        end=moment - before + timedelta(hours=plan.hours),
        nginx_zone=ZoneInfo(plan.nginx_zone),
        app_zone=ZoneInfo(plan.app_zone),
        host_zone=ZoneInfo(plan.host_zone),
        region=region,
        app=app,
        prefix=prefix,
        domain=f"{app}.example.com",
        method=plan.method or METHODS.get(plan.fate, "GET"),
        path=path_of(plan, prefix),
        status=status_of(plan),
        reporter=str(ip_address(int(office[0]) + draw(plan, "reporter").randint(3, 60))),
        country="VN" if plan.fate == "geo" else "JP",
        web_acl=plan.web_acl or pick(plan, "web ACL", WEB_ACLS).format(app=app),
        web_acl_id=uuid(plan, "web ACL id"),
        guilty=plan.rule or (pick(plan, "rule", names) if names else ""),
        guilty_first=pick(plan, "guilty first", (True, False)),
        counting=pick(plan, "counting", ("count-missing-referer", "watch-large-cookies", "CountOldBrowsers", "observe-anonymous-proxy")),
        office_set=pick(plan, "office set", ("office-addresses", "hq-ranges", "AllowedOffices")),
        office_set_id=uuid(plan, "office set id"),
        rate_limit=pick(plan, "rate limit", (100, 120, 150)),
        balancer=plan.balancer or pick(plan, "balancer", BALANCERS).format(app=app),
        balancer_id=hexadecimal(plan, "balancer id", 16),
        target_group=f"{app}-web",
        target_group_id=hexadecimal(plan, "target group id", 16),
        nodes=nodes_of(plan, region),
        hosts=hosts_of(plan),
        app_style=plan.app_style if plan.app_style is not None else pick(plan, "app style", (0, 1, 2)),
    )
