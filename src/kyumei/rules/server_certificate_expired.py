"""The certificate that a Network Load Balancer's TLS listener presents had expired, so that clients broke the handshake off (EDGE-159).

What an operator must know: where the handshake fails there is no request, so no access log of anything behind has one. The balancer's own
log has a line without a handshake time, with the certificate that it presented and the alert that the client sent. It is proven where that
very certificate's dates say that it had expired. One certificate may be new by the time it is described: then nothing is said.

Follows "Access logs for your Network Load Balancer" in the Elastic Load Balancing user guide, DescribeCertificate of the AWS Certificate
Manager API reference, and "Alert Protocol" of RFC 8446.
"""

from __future__ import annotations

import shlex
from datetime import UTC
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Opinion, Rule, View
from kyumei.edge.documents import answers, as_list, as_map
from kyumei.edge.literals import literal, same
from kyumei.edge.metrics import moment
from kyumei.model.finding import Certainty, Check, Evidence, Finding, Gap, Remedy, RuledOut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from kyumei.model.finding import Citation

Row = dict[str, Any]
CODE = "EDGE-159"
MOST = 5_000
"""Connections of the window that are looked at."""
EXPIRED = 45
ALERTS = {42: "bad_certificate", EXPIRED: "certificate_expired", 46: "certificate_unknown"}
"""Alerts with which clients refuse a certificate that has expired; many know no other than 46 for it."""
SHARE = 0.5
"""Share of the connections that must break off, and of these that must end with such an alert: scanners break off what they like."""
_DESCRIBE = "aws acm describe-certificate --certificate-arn"
CLIENTS = 3
"""Clients that must agree where nothing but their alerts tells that it had expired: the clock of one may be wrong."""


class _Dates(NamedTuple):
    """Until when a certificate is valid (naive UTC), its name, and where that stands."""

    until: datetime
    name: str
    citation: Citation


def examine(view: View) -> Opinion:
    """A finding for each certificate with which connections failed that no request was sent on."""
    told = view.symptom
    if view.failures or told.by_time or not (told.before_request or (told.status is None and told.status_class is None)):
        return Opinion()
    groups: dict[str, list[Row]] = {}
    for row in _connections(view):
        groups.setdefault(str(row["cert_arn"]), []).append(row)
    known = dict(_certificates(view))
    found = [(arn, rows) for arn, rows in groups.items() if any(row["handshake_seconds"] is None for row in rows)]
    findings = [one for arn, rows in sorted(found) if (one := _judged(view, arn, rows, known.get(arn))) is not None]
    good = [arn for arn, rows in found if arn in known and all(row["time"] < known[arn].until for row in rows)]
    ruled_out = [
        RuledOut(CODE, f"the certificate {_short(arn)} was valid until {known[arn].until:%Y-%m-%d %H:%M} UTC", (known[arn].citation,))
        for arn in good
    ]
    gaps = [_dates_gap(arn) for arn, _ in found if arn not in known] if told.before_request else []
    return Opinion(tuple(sorted(findings, key=lambda one: -one.explains)), tuple(ruled_out), tuple(gaps[:1]))


def _connections(view: View) -> list[Row]:
    """The connections of the window that were shown a certificate, those of the stated client and name where one was stated."""
    start, end = (one.astimezone(UTC).replace(tzinfo=None) for one in (view.window.start, view.window.end))
    return view.rows(
        "SELECT * FROM nlb_access WHERE cert_arn IS NOT NULL AND time >= ? AND coalesce(started, time) < ? AND (?::VARCHAR IS NULL OR "
        "client_ip = ?) AND (?::VARCHAR IS NULL OR domain_name IS NULL OR lower(domain_name) = lower(?)) "
        f"ORDER BY time, _artifact, _line LIMIT {MOST}",
        *(start, end, view.symptom.client, view.symptom.client, view.symptom.host, view.symptom.host),
    )


def _certificates(view: View) -> Iterator[tuple[str, _Dates]]:
    """The certificates of the stored answers by their ARNs."""
    for operation in ("list-certificates", "describe-certificate"):
        for document, where in answers(view, "acm", operation):
            listed = as_list(document.get("CertificateSummaryList")) or [document.get("Certificate") or document]
            for one in map(as_map, listed):
                until = moment(one["NotAfter"]) if one.get("NotAfter") is not None else None
                if one.get("CertificateArn") and until is not None:
                    yield str(one["CertificateArn"]), _Dates(until, str(one.get("DomainName") or ""), where)


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]


def _judged(view: View, arn: str, rows: Sequence[Row], dates: _Dates | None) -> Finding | None:
    """The finding on one certificate; null where it was valid, or nothing tells that it was not."""
    late = [row for row in rows if dates is None or row["time"] >= dates.until]
    failed = [row for row in late if row["handshake_seconds"] is None]
    refused = [row for row in failed if row["tls_alert"] in ALERTS]
    most = bool(failed) and len(failed) >= SHARE * len(late)
    if dates is not None and failed:
        sure = Certainty.POSSIBLE
        if most:
            sure = Certainty.PROVEN if len(refused) >= SHARE * len(failed) else Certainty.LIKELY
        return _finding(view, arn, refused or failed, sure, dates)
    expired = [row for row in failed if row["tls_alert"] == EXPIRED]
    if not expired:
        return None
    agreed = most and len({row["client_ip"] for row in expired}) >= CLIENTS and len(expired) >= SHARE * len(failed)
    return _finding(view, arn, expired, Certainty.LIKELY if agreed else Certainty.POSSIBLE, None)


def _finding(view: View, arn: str, rows: Sequence[Row], sure: Certainty, dates: _Dates | None) -> Finding:
    row, elb = rows[0], str(rows[0]["elb"])
    clients, times = {one["client_ip"] for one in rows}, [one["time"] for one in rows]
    who = row["client_ip"] if len(clients) == 1 else f"{len(clients)} clients"
    alert = f", after the client's alert {row['tls_alert']} ({ALERTS[row['tls_alert']]})" if row["tls_alert"] in ALERTS else ""
    says = (
        f"The Network Load Balancer's line for {row['client_ip']} at {row['time']:%Y-%m-%d %H:%M:%S} UTC has no handshake's time{alert}; "
        f"it had presented the certificate {_short(arn)}"
    )
    sql = (
        f"SELECT * FROM nlb_access WHERE {same('cert_arn', arn)} AND handshake_seconds IS NULL AND time BETWEEN {literal(min(times))} AND "
        f"{literal(max(times))} ORDER BY time"
    )
    chain = [Evidence(says, view.cite(rows), sql, len(rows))]
    if dates is not None:
        chain.append(
            Evidence(f"This certificate was valid until {dates.until:%Y-%m-%d %H:%M:%S} UTC, before the connection", (dates.citation,))
        )
    host = view.symptom.host or str(row["domain_name"] or (dates.name if dates else "") or "<HOST>")
    port = row["destination_port"] or 443
    return Finding(
        code=CODE,
        rule=RULE.name,
        title=f"the certificate that the Network Load Balancer {elb} presents had expired, so {who} broke the TLS handshake off",
        certainty=sure,
        chain=tuple(chain),
        subject={"load_balancer": elb, "certificate": arn, "listener": str(row["listener"])},
        remedy=(
            Remedy(
                "Renew the certificate (ACM renews its own once their domain is validated again; an imported one must be imported "
                "anew under the same ARN), or give the listener one that is valid.",
                (
                    f"{_DESCRIBE} {shlex.quote(arn)} --query 'Certificate.[NotAfter,Status,Type,RenewalSummary]'",
                    "aws elbv2 modify-listener --listener-arn <LISTENER_ARN> --certificates CertificateArn=<NEW_CERTIFICATE_ARN>",
                ),
            ),
        ),
        check=(
            Check(
                "The listener presents a certificate that is valid.",
                f"openssl s_client -connect {shlex.quote(f'{host}:{port}')} -servername {shlex.quote(host)} </dev/null 2>/dev/null | "
                "openssl x509 -noout -enddate",
            ),
        ),
        onset=min(times).replace(tzinfo=UTC),
        explains=len(rows),
        message="Your connection was ended before any request was sent, because our certificate had expired. We are renewing it.",
        layer="balancer",
    )


def _dates_gap(arn: str) -> Gap:
    how = f"{_DESCRIBE} {shlex.quote(arn)} > aws/acm/describe-certificate.json"
    return Gap(f"dates of the certificate {_short(arn)}", "whether it had expired when the handshakes with it failed", how)


RULE = Rule(
    name="server_certificate_expired",
    codes=(CODE,),
    needs=("nlb_access",),
    helps=("resource_snapshot",),
    rivals=("client_certificate_rejected",),
    examine=examine,
)
