"""The ALB access log in any of its vintages: a file for each node and five minutes, under the keys that AWS writes.

Source: Elastic Load Balancing, user guide for Application Load Balancers, "Access logs".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from incidents.entry import Entry, Written, text_file
from incidents.site import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.plan import Plan
    from incidents.request import Request
    from incidents.site import Site

FIXED_PRIORITY = 20
"""The listener rule with the fixed response, where there is one."""


def alb_files(site: Site, plan: Plan, requests: Sequence[Request]) -> list[Written]:
    """The files; the time in a name is the end of its five minutes. Health checks are not logged."""
    slots: dict[tuple[datetime, int], list[Entry]] = {}
    for one in sorted((one for one in requests if one.role != "check"), key=lambda one: one.ended):
        begin = one.ended.replace(minute=one.ended.minute // 5 * 5, second=0, microsecond=0)
        line = " ".join(fields(site, one)[: plan.alb_columns])
        slots.setdefault((begin + timedelta(minutes=5), one.node), []).append(Entry(one.ended, line, one))
    found = []
    for (end, node), entries in sorted(slots.items()):
        mark = sha256(f"{site.balancer_id}{end}{node}".encode()).hexdigest()[:8]
        folder = f"{site.app}-alb-logs/AWSLogs/{ACCOUNT}/elasticloadbalancing/{site.region}/{end:%Y/%m/%d}"
        name = f"{ACCOUNT}_elasticloadbalancing_{site.region}_app.{site.balancer}.{site.balancer_id}"
        found.append(text_file(f"{folder}/{name}_{end:%Y%m%dT%H%MZ}_{site.nodes[node].public}_{mark}.log.gz", entries))
    return found


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _times(one: Request) -> list[str]:
    if not one.reached("nginx"):
        return ["-1", "-1", "-1"]
    return ["0.000", f"{one.seconds:.3f}", "0.000"]


def fields(site: Site, one: Request) -> list[str]:
    """All 33 fields of a row."""
    inside = one.reached("nginx")
    target = f"{site.hosts[one.host].address}:80" if inside else "-"
    status = str(one.status) if inside else "-"
    last = {"waf": "waf", "alb": "waf,fixed-response"}.get(one.answered_by, "waf,forward")
    priority = str(FIXED_PRIORITY) if one.answered_by == "alb" else "0"
    certificate = f"arn:aws:acm:{site.region}:{ACCOUNT}:certificate/{site.web_acl_id[::-1][:8]}-5b1c-4d0e-9a4f-{site.balancer_id[:12]}"
    connection = sha256(f"{one.client}{one.port}".encode()).hexdigest()[:32]
    return [
        "h2" if one.browser else "https",
        _instant(one.ended),
        f"app/{site.balancer}/{site.balancer_id}",
        f"[{one.client}]:{one.port}" if ":" in one.client else f"{one.client}:{one.port}",
        target,
        *_times(one),
        str(one.status),
        status,
        str(one.received),
        str(one.sent + 280),
        f'"{one.method} https://{site.domain}:443{one.target} HTTP/{"2.0" if one.browser else "1.1"}"',
        f'"{one.agent}"',
        "TLS_AES_128_GCM_SHA256",
        "TLSv1.3",
        site.target_group_arn if inside else "-",
        f'"Root={one.trace}"',
        f'"{site.domain}"',
        f'"{certificate}"',
        priority,
        _instant(one.arrived),
        f'"{last}"',
        '"-"',
        '"-"',
        f'"{target}"',
        f'"{status}"',
        '"-"',
        '"-"',
        f"TID_{connection}",
        '"-"',
        '"-"',
        '"-"',
    ]
