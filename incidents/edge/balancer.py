"""What an Application Load Balancer writes: access, connection and health check log; and the Classic Load Balancer's access log.

Source: Elastic Load Balancing, user guides, "Access logs", "Connection logs" and "Health check logs".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from incidents.edge.traffic import window
from incidents.edge.written import File, Line, by_time, file_of
from incidents.plan import draw
from incidents.site import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.edge.call import Call, Seen
    from incidents.edge.fault import Fault
    from incidents.edge.place import Place

FIELDS = (
    *("type", "time", "elb", "client", "target", "times", "elb_status", "target_status", "received", "sent", "request", "user_agent"),
    *("ssl_cipher", "ssl_protocol", "target_group_arn", "trace_id", "domain_name", "chosen_cert_arn", "matched_rule_priority"),
    *("request_creation_time", "actions_executed", "redirect_url", "error_reason", "target_list", "target_status_list"),
    *("classification", "classification_reason", "conn_trace_id", "transformed_host", "transformed_uri", "request_transform_status"),
)
"""Names of the fields, as the faults give them; ``times`` are three fields."""
QUOTED = {
    *("request", "user_agent", "trace_id", "domain_name", "chosen_cert_arn", "actions_executed", "redirect_url", "error_reason"),
    *("target_list", "target_status_list", "classification", "classification_reason"),
    *("transformed_host", "transformed_uri", "request_transform_status"),
}


def instant(at: datetime) -> str:
    """A time as AWS writes it: UTC with microseconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def address(client: str, port: int) -> str:
    """Client and port; IPv6 in brackets."""
    return f"[{client}]:{port}" if ":" in client else f"{client}:{port}"


def alb_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """A file for each node and five minutes, named by their end."""
    slots: dict[tuple[datetime, int], list[Line]] = {}
    for one in calls:
        if "alb" not in one.seen or one.role == "check" or one.seen["alb"].status is None:
            continue
        ended = one.ended(place.stack, "alb")
        begin = ended.replace(minute=ended.minute // 5 * 5, second=0, microsecond=0)
        line = Line(ended, alb_row(place, one), one.number, shows=one.shows("alb"))
        slots.setdefault((begin + timedelta(minutes=5), one.node), []).append(line)
    return [file_of(_key(place, end, node, ""), by_time(lines)) for (end, node), lines in sorted(slots.items())]


def _key(place: Place, end: datetime, node: int, kind: str) -> str:
    mark = sha256(f"{place.balancer_id}{end}{node}{kind}".encode()).hexdigest()[:8]
    folder = f"{place.app}-alb-logs/AWSLogs/{ACCOUNT}/elasticloadbalancing/{place.region}/{end:%Y/%m/%d}"
    name = f"{kind}{ACCOUNT}_elasticloadbalancing_{place.region}_app.{place.balancer}.{place.balancer_id}"
    return f"{folder}/{name}_{end:%Y%m%dT%H%MZ}_{place.nodes[node].public}_{mark}.log.gz"


def alb_row(place: Place, one: Call) -> str:
    """The row of one request."""
    seen = one.seen["alb"]
    values = _usual(place, one, seen) | {name: text for name, text in seen.fields.items() if name in FIELDS}
    target = f"{place.hosts[one.host].address}:{place.port}"
    values = {name: target if text == "yes" and name == "target" else text for name, text in values.items()}
    if seen.fields.get("target") == "yes":
        values |= {"target_list": target, "target_group_arn": place.group_arn}
    values["request"] = values["request"].replace("{path}", one.target)
    if values["redirect_url"] == "itself":
        values["redirect_url"] = f"https://{place.domain}:443{one.target}"
    words = []
    for name in FIELDS:
        text = values[name]
        words += text.split(" ") if name == "times" else [f'"{text}"' if name in QUOTED else text]
    return " ".join(words[: place.columns])


def _usual(place: Place, one: Call, seen: Seen) -> dict[str, str]:
    """The fields of a request that was handed on, or that the balancer answered itself."""
    handed = seen.inner is not None
    function = place.stack[-1] == "lambda" and place.inner("alb") == "lambda"
    target = f"{place.hosts[one.host].address}:{place.port}" if handed and not function else "-"
    status = str(seen.inner) if handed and not function else "-"
    browser = one.agent.startswith("Mozilla/5.0 (") and "Nmap" not in one.agent
    protocol = one.protocol or ("HTTP/2.0" if browser else "HTTP/1.1")
    client, client_port = (one.client, one.port) if place.stack[0] == "alb" else (f"203.0.113.{one.port % 16}", one.port)
    connection = sha256(f"{one.client}{one.port}".encode()).hexdigest()[:32]
    times = f"0.00{one.port % 3} {max(seen.seconds - 0.001 * (one.port % 3), 0):.3f} 0.000" if handed else "-1 -1 -1"
    return {
        "type": "h2" if protocol == "HTTP/2.0" else "https",
        "time": instant(one.ended(place.stack, "alb")),
        "elb": f"app/{place.balancer}/{place.balancer_id}",
        "client": address(client, client_port),
        "target": target,
        "times": times,
        "elb_status": f"{seen.status:03d}" if seen.status is not None else "-",
        "target_status": status,
        "received": str(one.received),
        "sent": str(one.sent + 260),
        "request": f"{one.method} https://{place.domain}:443{one.target} {protocol}",
        "user_agent": "Amazon CloudFront" if place.stack[0] == "cloudfront" else one.agent,
        "ssl_cipher": "TLS_AES_128_GCM_SHA256",
        "ssl_protocol": "TLSv1.3",
        "target_group_arn": place.group_arn if seen.fields.get("actions_executed", "forward").endswith("forward") else "-",
        "trace_id": f"Root={one.trace}",
        "domain_name": place.domain,
        "chosen_cert_arn": f"arn:aws:acm:{place.region}:{ACCOUNT}:certificate/{place.balancer_id[:8]}-5b1c-4d0e-9a4f-{place.group_id[:12]}",
        "matched_rule_priority": "0",
        "request_creation_time": instant(one.begun(place.stack, "alb")),
        "actions_executed": "waf,forward" if place.waf else "forward",
        "redirect_url": "-",
        "error_reason": "-",
        "target_list": target,
        "target_status_list": status,
        "classification": "-",
        "classification_reason": "-",
        "conn_trace_id": f"TID_{connection}",
        "transformed_host": "-",
        "transformed_uri": "-",
        "request_transform_status": "-",
    }


def connection_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """The connection log of a listener that asks clients for certificates: a row for each connection, also for those that failed."""
    slots: dict[tuple[datetime, int], list[Line]] = {}
    for one in calls:
        if one.role == "check":
            continue
        told = one.seen["alb"].fields if "alb" in one.seen else {}
        failed = told.get("verify", "")
        begun = one.begun(place.stack, "alb") - timedelta(milliseconds=18)
        mark = sha256(f"{one.client}{one.port}".encode()).hexdigest()
        subject = f"CN={'partner' if failed else 'client'}-{mark[:4]}.example.com,OU=integrations,O=Example,C=JP"
        last = begun + timedelta(days=-2 if "Expired" in failed else 90)
        valid = f"NotBefore={begun - timedelta(days=400):%Y-%m-%dT%H:%M:%SZ};NotAfter={last:%Y-%m-%dT%H:%M:%SZ}"
        words = [instant(begun), one.client, str(one.port), "443", "TLSv1.3", "TLS_AES_128_GCM_SHA256"]
        words += ["-" if failed else "0.012", f'"{subject}"', valid, mark[:32].upper(), failed or "Success", f"TID_{mark[:32]}"]
        slot = begun.replace(minute=begun.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=5)
        slots.setdefault((slot, one.node), []).append(Line(begun, " ".join(words), one.number, shows=bool(failed)))
    return [file_of(_key(place, end, node, "conn_log_"), by_time(lines)) for (end, node), lines in sorted(slots.items())]


def health_files(place: Place, fault: Fault) -> list[File]:
    """The health check log: a row for each check of each node; ``checks`` of the settings says how those of the trouble end."""
    told = fault.settings.get("checks", "")
    if not told:
        return []
    chance, lines = draw(place.plan, "health log"), []
    begin, over = window(place, fault)
    for node in range(len(place.nodes)):
        for host in place.hosts:
            at = place.start + timedelta(seconds=chance.uniform(0, 30))
            while at < place.end:
                bad = begin <= at < over
                latency, status, reason = told.split(" ") if bad else (f"{chance.uniform(0.001, 0.01):.6f}", "200", "-")
                row = f"http {instant(at)} {latency} {host.address}:{place.port} {place.group}/{place.group_id} {'FAIL' if bad else 'PASS'}"
                lines.append((node, Line(at, f"{row} {status} {reason}")))
                at += timedelta(seconds=30 + chance.uniform(-0.01, 0.01))
    slots: dict[tuple[datetime, int], list[Line]] = {}
    for node, line in lines:
        slot = line.at.replace(minute=line.at.minute // 5 * 5, second=0, microsecond=0) + timedelta(minutes=5)
        slots.setdefault((slot, node), []).append(line)
    return [file_of(_key(place, end, node, "health_check_log_"), by_time(found)) for (end, node), found in sorted(slots.items())]


def clb_files(place: Place, calls: Sequence[Call]) -> list[File]:
    """The Classic Load Balancer's log: not compressed, a file an hour; the time is the request's arrival, fractions are microseconds."""
    slots: dict[tuple[datetime, int], list[Line]] = {}
    for one in calls:
        if "clb" not in one.seen or one.role == "check":
            continue
        seen = one.seen["clb"]
        at, handed = one.begun(place.stack, "clb"), seen.inner is not None
        times = f"0.0000{one.port % 90 + 10} {seen.seconds:.6f} 0.0000{one.port % 70 + 20}" if handed else "-1 -1 -1"
        none = "0" if seen.fields.get("target") == "yes" else "-"
        back = f"{place.hosts[one.host].address}:{place.port}" if handed or seen.fields.get("target") == "yes" else "-"
        request = f"{one.method} https://{place.domain}:443{one.target} HTTP/1.1"
        row = (
            f"{instant(at)} {place.balancer} {address(one.client, one.port)} {back} {seen.fields.get('times', times)} {seen.status} "
            f'{none if not handed else seen.inner} {max(one.received - 400, 0)} {one.sent} "{request}" '
            f'"{one.agent}" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2'
        )
        slot = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        shows = one.shows("clb")
        slots.setdefault((slot, one.node), []).append(Line(at, row, one.number, shows=shows))
    found = []
    for (end, node), lines in sorted(slots.items()):
        mark = sha256(f"{place.balancer}{end}{node}".encode()).hexdigest()[:8]
        folder = f"{place.app}-elb-logs/AWSLogs/{ACCOUNT}/elasticloadbalancing/{place.region}/{end:%Y/%m/%d}"
        name = f"{ACCOUNT}_elasticloadbalancing_{place.region}_{place.balancer}_{end:%Y%m%dT%H%MZ}_{place.nodes[node].public}_{mark}.log"
        found.append(file_of(f"{folder}/{name}", by_time(lines)))
    return found
