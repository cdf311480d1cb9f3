"""The load balancer ended the TLS handshake, mostly because of the client's certificate (EDGE-159).

What an operator must know: where the handshake fails there is no request, so no access log has anything, and the only trace is a line of
the load balancer's connection log. So this rule speaks where there is no failing request, and what joins a line to the report is the
client's address, or, without one, that all failed connections of the time have one reason. A handshake that failed for no named reason is
what scanners leave all day: without the client it says nothing.

Follows "Connection logs for your Application Load Balancer" and "Mutual authentication with TLS in Application Load Balancer" in the
Elastic Load Balancing user guide.
"""

from __future__ import annotations

import ipaddress
import shlex
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.balancer.client_certificates import UNMAPPED, Refusal, refusal_of
from kyumei.edge.balancer.setting import balancer_arn
from kyumei.edge.blanks import filled
from kyumei.edge.documents import answers
from kyumei.edge.literals import literal, same
from kyumei.edge.metrics import reading
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut
from kyumei.model.symptom import Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.model.finding import Citation

Row = dict[str, Any]
CODE = "EDGE-159"
METRIC = "ClientTLSNegotiationErrorCount"
MOST = 5_000
"""Connections of the window that are looked at."""


class _Group(NamedTuple):
    """Failed connections of one reason at one balancer, and whether they are known to be the reported ones."""

    refusal: Refusal
    rows: Sequence[Row]
    theirs: bool


def examine(view: View) -> Opinion:
    """A finding for each reason for which connections failed, where no request did and the report may be about that."""
    if view.failures or not _may_be_meant(view):
        return Opinion()
    if not view.has("alb_connection"):
        return Opinion(gaps=(_log_gap(),) if _behind_balancer(view) else ())
    rows = _connections(view)
    failed = [row for row in rows if row["error_reason"]]
    if view.symptom.kind is None and len(failed) < len(rows):
        failed = []  # Nobody spoke of connections, and some were made: what failed then was something else.
    groups = _groups(view, failed)
    if not groups:
        return _nothing(view, rows)
    alone = len(groups) == 1
    findings = tuple(_finding(view, one, _certainty(view, one, alone=alone)) for one in groups)
    gaps = () if view.symptom.client else (_client_gap(groups),)
    return Opinion(findings, gaps=gaps)


def _may_be_meant(view: View) -> bool:
    """Whether the report may be of a connection that was never made: it says so, or it names a client and no status."""
    told = view.symptom
    if told.kind is Trouble.TIMED_OUT:
        return False
    return told.before_request or (told.kind is None and told.status is None and told.status_class is None and told.client is not None)


def _behind_balancer(view: View) -> bool:
    """Whether an Application Load Balancer is known to be there, and the report is of TLS."""
    known = view.has("alb_access") or any(one.get("Type") == "application" for one, _ in answers(view, "elbv2", "describe-load-balancers"))
    return known and view.symptom.before_request


def _connections(view: View) -> list[Row]:
    """The connections of the window, those of the stated client where one was stated, and of the stated host's balancers."""
    start, end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (view.window.start, view.window.end))
    rows = view.rows(
        f"SELECT * FROM alb_connection WHERE time >= ? AND time < ? ORDER BY error_reason IS NULL, time, _artifact, _line LIMIT {MOST}",
        start,
        end,
    )
    if view.symptom.client:
        wanted = _address(view.symptom.client)
        rows = [row for row in rows if _address(row["client_ip"]) == wanted]
    balancers = _balancers_of_host(view)
    return [row for row in rows if not balancers or row["elb"] is None or row["elb"] in balancers]


def _address(text: str | None) -> str:
    """An address in its one short form; logs write IPv6 each in its own."""
    try:
        return str(ipaddress.ip_address((text or "").strip("[]").split("%")[0]))
    except ValueError:
        return text or ""


def _balancers_of_host(view: View) -> set[str]:
    """The balancers that the access logs show to serve the stated host; none where they do not tell."""
    if not view.symptom.host or not view.has("alb_access"):
        return set()
    rows = view.rows("SELECT DISTINCT elb FROM alb_access WHERE lower(host) = lower(?) AND elb IS NOT NULL", view.symptom.host)
    return {row["elb"] for row in rows}


def _groups(view: View, failed: Sequence[Row]) -> list[_Group]:
    """Failed connections by balancer and reason, the most frequent first; unnamed reasons only where the client is known."""
    theirs = view.symptom.client is not None
    found: dict[tuple[object, ...], list[Row]] = {}
    for row in failed:
        if row["error_reason"] != UNMAPPED or theirs:
            found.setdefault((row["elb"], row["error_reason"]), []).append(row)
    groups = [_Group(refusal_of(rows[0]["error_reason"]), rows, theirs) for rows in found.values()]
    # An unnamed failure beside a named one of the same client is mostly the same client trying again without a certificate.
    named = [one for one in groups if one.refusal.reason != UNMAPPED]
    return sorted(named or groups, key=lambda one: (-len(one.rows), one.rows[0]["time"]))


def _nothing(view: View, rows: Sequence[Row]) -> Opinion:
    """What can be said where no connection failed that could be the reported one."""
    if not view.symptom.before_request:
        return Opinion()
    if rows and view.symptom.client:
        why = f"all {len(rows)} connections of {view.symptom.client} at that time were made, with their TLS handshake"
        return Opinion(ruled_out=(RuledOut(CODE, why, view.cite(rows, 2)),), gaps=(_network_gap(),))
    if view.covers("alb_connection"):
        who = f" from {view.symptom.client}" if view.symptom.client else ""
        gaps = (_network_gap(),)
        return Opinion(
            ruled_out=(RuledOut(CODE, f"the load balancer's connection log covers the moment and has no refusal{who}"),), gaps=gaps
        )
    return Opinion(gaps=(_log_gap(),))


def _certainty(view: View, group: _Group, *, alone: bool) -> Certainty:
    """Proven: the log names the reason for this very client, and configuration, metric or the certificate's own dates agree."""
    named = group.refusal.reason != UNMAPPED
    if not group.theirs:
        return Certainty.LIKELY if alone and named and view.symptom.kind is Trouble.TLS else Certainty.POSSIBLE
    if not alone:
        return Certainty.POSSIBLE
    return Certainty.PROVEN if named and _confirmations(view, group) else Certainty.LIKELY


def _confirmations(view: View, group: _Group) -> list[Evidence]:
    """What agrees with the log: the metric of failed handshakes, the listener that asks for certificates, or the certificate's dates."""
    row, found = group.rows[0], list[Evidence]()
    metric = reading(view, METRIC, [one["time"] for one in group.rows], [row["elb"]] if row["elb"] else ())
    if metric is not None and metric.peak > 0:
        found.append(Evidence(f"CloudWatch agrees: {metric.words}", metric.citations, total=len(metric.points)))
    for listener, where in _listeners(view, row):
        mode = listener["MutualAuthentication"].get("Mode")
        if mode == "verify" and group.refusal.reason != UNMAPPED:
            says = f"The listener on port {listener.get('Port')} verifies the certificates of clients"
            found.append(Evidence(says + (f", against {store}" if (store := _store(listener)) else ""), (where,)))
    if dates := _dates(group):
        found.append(dates)
    return found


def _dates(group: _Group) -> Evidence | None:
    """The certificate's own dates, where they show that the refusal was right."""
    row = group.rows[0]
    first, last = row["client_cert_not_before"], row["client_cert_not_after"]
    if group.refusal.reason == "ClientCertExpired" and last is not None and last < row["time"]:
        return Evidence(f"The certificate was valid until {last:%Y-%m-%d %H:%M:%S} UTC, before the connection")
    if group.refusal.reason == "ClientCertNotYetValid" and first is not None and first > row["time"]:
        return Evidence(f"The certificate is valid from {first:%Y-%m-%d %H:%M:%S} UTC on, after the connection")
    return None


def _listeners(view: View, row: Mapping[str, Any]) -> list[tuple[dict[str, Any], Citation]]:
    """The listeners on the connection's port, of its balancer where that is known, as stored, that speak of mutual TLS."""
    return [
        (document, where)
        for document, where in answers(view, "elbv2", "describe-listeners")
        if document.get("Port") == row["port"]
        and (row["elb"] is None or str(document.get("LoadBalancerArn") or row["elb"]).endswith(row["elb"]))
        and isinstance(document.get("MutualAuthentication"), dict)
    ]


def _store(listener: Mapping[str, Any]) -> str:
    return str(listener["MutualAuthentication"].get("TrustStoreArn") or "")


def _finding(view: View, group: _Group, certainty: Certainty) -> Finding:
    row, refusal = group.rows[0], group.refusal
    names = _names(view, row)
    subjects = sorted({one["client_cert_subject"] for one in group.rows if one["client_cert_subject"]})
    clients = sorted({one["client_ip"] for one in group.rows})
    where = f"the load balancer {row['elb']}" if row["elb"] else "the load balancer"
    who = clients[0] if len(clients) == 1 else f"{len(clients)} clients"
    return Finding(
        code=CODE,
        rule=RULE.name,
        title=f"{where} ended the TLS handshake with {who} ({refusal.reason}): {refusal.cause}",
        certainty=certainty,
        chain=(_record(view, group, subjects), *_confirmations(view, group)),
        subject={
            name: value
            for name, value in (
                ("load_balancer", str(row["elb"] or "")),
                ("client", who),
                ("error_reason", refusal.reason),
                ("certificate", subjects[0] if len(subjects) == 1 else ""),
                ("certificate_serial", str(row["client_cert_serial"] or "") if len(subjects) == 1 else ""),
            )
            if value
        },
        remedy=(Remedy(refusal.says, tuple(filled(one, names, quote=True) for one in refusal.commands)),),
        check=(_check(names),),
        onset=row["time"].replace(tzinfo=UTC),
        explains=len(group.rows),
        message=f"Your connection was ended before any request was sent, because {refusal.cause}.",
        layer=refusal.layer,
    )


def _record(view: View, group: _Group, subjects: Sequence[str]) -> Evidence:
    row = group.rows[0]
    whose = f", certificate of {subjects[0]}" if subjects else ""
    says = (
        f"The connection log says Failed:{group.refusal.reason} for {row['client_ip']} at {row['time']:%Y-%m-%d %H:%M:%S} "
        f"UTC{whose}; a handshake "
        "that failed carries no request, so no access log has one"
    )
    if len(group.rows) > 1:
        says += f"; {len(group.rows)} connections failed so"
    times = [one["time"] for one in group.rows]
    clients = {one["client_ip"] for one in group.rows}
    whom = f" AND {same('client_ip', row['client_ip'])}" if len(clients) == 1 else ""
    sql = (
        f"SELECT * FROM alb_connection WHERE {same('error_reason', group.refusal.reason)}{whom} AND "
        f"time BETWEEN {literal(min(times))} AND {literal(max(times))} ORDER BY time"
    )
    return Evidence(says, view.cite(group.rows), sql, len(group.rows))


def _names(view: View, row: Mapping[str, Any]) -> dict[str, str]:
    listeners = _listeners(view, row)
    listener = listeners[0][0] if listeners else {}
    return {
        "elb_arn": balancer_arn(view, {"elb": row["elb"]}) if row["elb"] else str(listener.get("LoadBalancerArn") or "<LOAD_BALANCER_ARN>"),
        "listener_arn": str(listener.get("ListenerArn") or "<LISTENER_ARN>"),
        "trust_store_arn": (_store(listener) if listener else "") or "<TRUST_STORE_ARN>",
        "ssl_policy": str(listener.get("SslPolicy") or "<SSL_POLICY>"),
        "host": view.symptom.host or "<HOST>",
        "port": str(row["port"] or 443),
    }


def _check(names: Mapping[str, str]) -> Check:
    command = "curl -sS -o /dev/null -w '%{http_code} %{ssl_verify_result}\\n' --cert <CLIENT_CERTIFICATE.pem> --key <KEY.pem> "
    url = "https://" + names["host"] + (f":{names['port']}" if names["port"] != "443" else "") + "/"
    return Check(
        "The connection log has Success for the same certificate, and its conn_trace_id stands in the access log.",
        command + (url if "<" in url else shlex.quote(url)),
    )


def _log_gap() -> Gap:
    how = (
        "`aws elbv2 describe-load-balancer-attributes --load-balancer-arn <ARN>` shows connection_logs.s3.*; copy the files "
        "(conn_log.*) of that "
        "hour from the bucket; if it was off: `aws elbv2 modify-load-balancer-attributes --load-balancer-arn <ARN> --attributes "
        "Key=connection_logs.s3.enabled,Value=true Key=connection_logs.s3.bucket,Value=<BUCKET>` and try again"
    )
    return Gap("connection log of the load balancer", "whether the TLS handshake failed there, and why: no access log can show it", how)


def _client_gap(groups: Sequence[_Group]) -> Gap:
    clients = len({row["client_ip"] for one in groups for row in one.rows})
    return Gap(
        "client address of the reported connection",
        f"which of the failed connections of {clients} client{'s' if clients > 1 else ''} it was",
        "ask the person for the public address they came from, or for the subject of their certificate",
    )


def _network_gap() -> Gap:
    how = (
        "`curl -v` or `openssl s_client -connect <HOST>:443 -servername <HOST>` from the same place; VPC flow logs of the load balancer's "
        "interfaces (REJECT for that address); its security groups and network ACLs"
    )
    return Gap("what the client saw of the connection, and flow logs of the load balancer", "whether the connection arrived at all", how)


RULE = Rule(
    name="client_certificate_rejected",
    codes=(CODE,),
    needs=(),
    helps=("alb_connection", "alb_access", "resource_snapshot"),
    rivals=("load_balancer_rejected",),
    examine=examine,
)
