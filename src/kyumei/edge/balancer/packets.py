"""What VPC flow logs say of the connections from a load balancer's nodes to the targets of failing requests.

A record counts only between an address that is known to be a node of this balancer and the very target and port of a failing request, in
the seconds of that request. Whoever else knocks at the port is somebody else's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.balancer.setting import balancers, group_document, group_of
from kyumei.edge.connections import Attempt, Fate, Home, attempts
from kyumei.edge.documents import answers, as_list, as_map
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from kyumei.contracts import View

LOOKED_AT = 20
HALF = 0.5
WORDS = {
    Fate.REJECTED: "rejected by a security group or a network ACL",
    Fate.REPLY_REJECTED: "let in, and its answer rejected on the way back: a network ACL, since security groups let answers pass",
    Fate.UNANSWERED: "let through where it was recorded, and never answered",
    Fate.REFUSED: "let through, and refused by the target with a RST: nothing listens on that port, or it turns the caller away",
    Fate.MADE: "let through in both directions and taken by the target",
}
DROPPED = frozenset({Fate.REJECTED, Fate.REPLY_REJECTED, Fate.UNANSWERED})


class Packets(NamedTuple):
    """What became of the connections beside failing requests: the fate of most, the requests that it fits, of how many, and the records."""

    fate: Fate
    requests: int
    of: int
    attempts: tuple[Attempt, ...]

    @property
    def most(self) -> bool:
        """Whether it fits at least half of the requests that were looked at."""
        return self.requests >= self.of * HALF

    def evidence(self, view: View) -> Evidence:
        """The sentence, with the records."""
        one = self.attempts[0]
        row = one.rows[0]
        server = f"{row['dst_ip']}:{row['dst_port']}" if row["src_ip"] == one.client else f"{row['src_ip']}:{row['src_port']}"
        says = (
            f"The VPC flow log has the connection from the load balancer's node {one.client} to {server} in the seconds of {self.requests} "
            f"of {self.of} failing requests: {WORDS[self.fate]}"
        )
        if self.fate is Fate.UNANSWERED and all(each.let_in for each in self.attempts):
            says += ". It reached the target's own interface: security groups and network ACLs let it in, the host is what does not answer"
        rows = [row for each in self.attempts for row in each.rows]
        return Evidence(says, view.cite(rows), total=len(rows))


def packets(view: View, rows: Sequence[Mapping[str, Any]], wanted: Collection[Fate]) -> Packets | None:
    """The one of the wanted fates that fits most of the failing requests of a balancer; null where none fits any."""
    asked = [row for row in rows[:LOOKED_AT] if row.get("target_ip") and row.get("target_port")]
    if not asked or not view.has("vpc_flow"):
        return None
    clients = nodes(view, str(asked[0]["elb"]))
    home = _home(view, asked[0])
    by_fate: dict[Fate, list[list[Attempt]]] = {}
    for row in asked:
        span = (row["started"] or row["time"], row["time"])
        found = attempts(view, clients, str(row["target_ip"]), int(row["target_port"]), span, home)
        for fate in {one.fate for one in found} & set(wanted):
            fitting = [one for one in found if one.fate is fate and one.begun]
            if fitting:
                by_fate.setdefault(fate, []).append(fitting)
    if not by_fate:
        return None
    best = max(by_fate, key=lambda fate: len(by_fate[fate]))
    told = {(one.client, one.port, one.rows[0]["_line"]): one for each in by_fate[best] for one in each}
    return Packets(best, len(by_fate[best]), len(asked), tuple(told.values()))


def _home(view: View, row: Mapping[str, Any]) -> Home:
    """The network of a balancer and its targets: its account by the ARN of the target group, VPCs and interfaces as described."""
    group = group_of(view, row)
    interfaces: dict[str, frozenset[str]] = {}
    described = group_document(view, group)
    vpcs = {str(described[0].get("VpcId") or "")} if described else set()
    for document, _ in answers(view, "elbv2", "describe-load-balancers"):
        if str(document.get("LoadBalancerArn") or "").endswith(f"loadbalancer/{row['elb']}"):
            vpcs.add(str(document.get("VpcId") or ""))
    for document, _ in answers(view, "ec2", "describe-network-interfaces"):
        listed = [as_map(one).get("PrivateIpAddress") for one in as_list(document.get("PrivateIpAddresses"))]
        for address in {str(one) for one in (document.get("PrivateIpAddress"), *listed) if one}:
            interfaces[address] = interfaces.get(address, frozenset()) | {str(document.get("NetworkInterfaceId") or "")}
    told = (group or "").split(":")
    return Home(told[4] if len(told) > 4 else "", frozenset(vpcs - {""}), interfaces)  # noqa: PLR2004 - the fifth part of an ARN


def nodes(view: View, elb: str) -> set[str]:
    """The private addresses of a balancer's nodes: of its interfaces, of its own log, of the health checks where it is the only one."""
    found: set[str] = set()
    for document, _ in answers(view, "ec2", "describe-network-interfaces"):
        if document.get("Description") == f"ELB {elb}":
            listed = [as_map(one).get("PrivateIpAddress") for one in as_list(document.get("PrivateIpAddresses"))]
            found |= {str(one) for one in (document.get("PrivateIpAddress"), *listed) if one}
    rows = view.rows("SELECT DISTINCT node_ip FROM alb_access WHERE elb = ? AND node_ip IS NOT NULL LIMIT 200", elb)
    found |= {row["node_ip"] for row in rows}
    if not found and balancers(view) == [elb]:
        for table in ("nginx_access", "apache_access"):
            if view.has(table):
                checked = "starts_with(user_agent, 'ELB-HealthChecker/2') AND client_ip IS NOT NULL"
                rows = view.rows(f"SELECT DISTINCT client_ip FROM {table} WHERE {checked} LIMIT 200")
                found |= {row["client_ip"] for row in rows}
    return found
