"""The site of an incident, with all its names, addresses, zones and times settled by the seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from incidents.edge.fault import STACKS
from incidents.plan import Plan, draw, hexadecimal, pick, uuid
from incidents.site import ACCOUNT, Host, Node

if TYPE_CHECKING:
    from incidents.edge.fault import Fault, Hop

REGIONS = ("ap-northeast-1", "eu-west-1", "us-east-2", "eu-central-1", "ap-southeast-2", "ca-central-1")
APPS = ("billing", "shop", "crm", "library", "tours", "fleet", "survey", "tickets", "wiki")
PREFIXES = ("/app", "/v2", "/portal", "/my", "/api", "/desk", "/m")
NAMES = ("{app}-alb", "{app}-prod", "lb-{app}", "{app}-public-web", "prod-{app}-front")
ZONES = ("UTC", "UTC", "Asia/Tokyo", "Asia/Tokyo", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
SPEAKERS = ("Asia/Tokyo", "UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
HOSTS = ("ip-10-{a}-{b}-{c}", "web-{d}", "{app}-app-0{d}", "node{d}{c}")
EDGES = ("NRT57-P2", "NRT20-C3", "FRA56-P8", "IAD89-P1", "SIN52-C2", "KIX50-P1")


@dataclass(frozen=True)
class Place:
    """Every name of the incident; times are aware and in UTC, zones those in which logs write.

    ``front`` is what nginx, Apache or gunicorn take for the client: an address of the balancer, where one stands in front.
    """

    plan: Plan
    stack: tuple[Hop, ...]
    moment: datetime
    start: datetime
    end: datetime
    speaker: ZoneInfo
    host_zone: ZoneInfo
    app_zone: ZoneInfo
    region: str
    app: str
    domain: str
    prefix: str
    balancer: str
    balancer_id: str
    group: str
    group_id: str
    distribution: str
    api: str
    stage: str
    function: str
    web_acl: str
    waf: bool
    hosts: tuple[Host, ...]
    nodes: tuple[Node, ...]
    edge: str
    port: int
    columns: int
    own_files: bool
    wrong_seconds: float
    drift_seconds: float

    def wrong(self, at: datetime) -> datetime:
        """What the host's clock says: off by a constant, and by more with each hour since the start of the logs."""
        hours = (at - self.start).total_seconds() / 3600
        return at + timedelta(seconds=self.wrong_seconds + self.drift_seconds * hours)

    def host_time(self, at: datetime) -> datetime:
        """A time as the host writes it, in its zone."""
        return self.wrong(at).astimezone(self.host_zone)

    def app_time(self, at: datetime) -> datetime:
        """A time as the application writes it, in its zone."""
        return self.wrong(at).astimezone(self.app_zone)

    @property
    def balancer_arn(self) -> str:
        """The ARN of the Application Load Balancer."""
        return f"arn:aws:elasticloadbalancing:{self.region}:{ACCOUNT}:loadbalancer/app/{self.balancer}/{self.balancer_id}"

    @property
    def group_arn(self) -> str:
        """The ARN of the target group."""
        return f"arn:aws:elasticloadbalancing:{self.region}:{ACCOUNT}:targetgroup/{self.group}/{self.group_id}"

    @property
    def web_acl_arn(self) -> str:
        """The ARN of the web ACL."""
        return f"arn:aws:wafv2:{self.region}:{ACCOUNT}:regional/webacl/{self.web_acl}/{uuid(self.plan, 'web ACL id')}"

    def inner(self, hop: str) -> str:
        """The component behind another one; empty behind the last."""
        order = [str(one) for one in self.stack]
        at = order.index(hop) + 1 if hop in order else len(order)
        return order[at] if at < len(order) else ""


def place_of(cause: str, variant: str, seed: int, stacks: tuple[str, ...], fault: Fault) -> Place:
    """The site of an incident; the same arguments give the same site."""
    plan = Plan(variant=f"edge/{cause}/{variant}", seed=seed)
    app, region = pick(plan, "app", APPS), pick(plan, "region", REGIONS)
    stack = STACKS[pick(plan, "stack", stacks)]
    zone = ZoneInfo(fault.zone or pick(plan, "host zone", ZONES))
    moment = _moment(plan, fault, zone)
    before = timedelta(minutes=draw(plan, "before").randint(95, 150))
    chance = draw(plan, "names")
    return Place(
        plan=plan,
        stack=stack,
        moment=moment,
        start=moment - before,
        end=moment + timedelta(minutes=draw(plan, "after").randint(50, 90)),
        speaker=ZoneInfo(pick(plan, "speaker", SPEAKERS)),
        host_zone=zone,
        app_zone=zone if chance.random() < 0.75 else ZoneInfo("UTC"),  # noqa: PLR2004 - most services keep their host's zone
        region=region,
        app=app,
        domain=pick(plan, "domain", (f"{app}.example.com", f"www.{app}.example.com", "api.example.com")),
        prefix=pick(plan, "prefix", PREFIXES),
        balancer=pick(plan, "balancer", NAMES).format(app=app),
        balancer_id=hexadecimal(plan, "balancer id", 16),
        group=f"{app}-{pick(plan, 'group', ('web', 'tg', 'blue', 'targets'))}",
        group_id=hexadecimal(plan, "group id", 16),
        distribution="E" + "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=13)),
        api="".join(chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=10)),
        stage=chance.choice(("prod", "v1", "live")),
        function=f"{app}-{chance.choice(('handler', 'api', 'backend'))}",
        web_acl=f"{app}-{chance.choice(('acl', 'web-acl', 'waf'))}",
        waf="alb" in stack and ("waf" in fault.fields or chance.random() < 0.3),  # noqa: PLR2004 - some sites have one
        hosts=_hosts(plan, app),
        nodes=_nodes(plan, region),
        edge=chance.choice(EDGES),
        port=chance.choice((80, 8080)) if "gunicorn" not in stack[1:2] else chance.choice((8000, 8080, 5000)),
        columns=33 if "request_transform_status" in fault.fields.get("alb", {}) else chance.choice((29, 30, 33)),
        wrong_seconds=fault.shift.get("constant", 0.0),
        drift_seconds=fault.shift.get("drift", 0.0),
        own_files=chance.random() < 0.5,  # noqa: PLR2004 - gunicorn writes files of its own, or to syslog
    )


def _moment(plan: Plan, fault: Fault, zone: ZoneInfo) -> datetime:
    if fault.when:
        return datetime.fromisoformat(fault.when).replace(tzinfo=zone).astimezone(UTC)
    chance = draw(plan, "moment")
    day = datetime(2024, 4, 2, tzinfo=UTC) + timedelta(days=chance.randrange(560))
    return day.replace(hour=chance.randint(3, 20), minute=chance.randrange(60))


def _hosts(plan: Plan, app: str) -> tuple[Host, ...]:
    chance = draw(plan, "hosts")
    pattern, net = chance.choice(HOSTS), chance.randint(0, 40)
    found = []
    for index in range(2):
        last = chance.randint(11, 250)
        name = pattern.format(a=net, b=index + 1, c=last, d=index + 1, app=app)
        identity = f"{chance.getrandbits(68):017x}"
        found.append(Host(name, f"10.{net}.{index + 1}.{last}", f"i-{identity}", f"eni-{identity[::-1]}"))
    return tuple(found)


def _nodes(plan: Plan, region: str) -> tuple[Node, ...]:
    chance = draw(plan, "nodes")
    net = chance.randint(0, 40)
    return tuple(
        Node(
            f"10.{net}.{100 + index}.{chance.randint(4, 250)}",
            f"192.0.2.{chance.randint(100, 120)}",
            f"eni-{chance.getrandbits(68):017x}",
            region + zone,
        )
        for index, zone in enumerate("ac")
    )
