"""``server_certificate_expired``: the certificate that was presented, at that time, and the clients that would not have it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kyumei.contracts import Failure
from kyumei.model.symptom import Symptom, Trouble
from tests.rules.edge_memory import CLIENT, NOON, EdgeView, after, ask, codes

RULE = "server_certificate_expired"
ARN = "arn:aws:acm:eu-west-1:123456789012:certificate/5f0c2a7e-1b34-4c8d-9e21-7a6b5c4d3e2f"
TLS = Symptom(kind=Trouble.TLS)


def connection(seconds: float = 0.0, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A line of a handshake that the client broke off."""
    told = {"time": after(seconds), "started": after(seconds), "elb": "net/devices/c6e77e28c25b2234", "listener": "g3d4b5e8bb8464cd"}
    return told | {"client_ip": CLIENT, "destination_port": 443, "cert_arn": ARN, "tls_alert": 46, "domain_name": "mqtt.example.com"} | more


def view_of(*rows: dict[str, Any], until: object = (NOON - timedelta(hours=1)).isoformat(), symptom: Symptom = TLS) -> EdgeView:
    """A case with these lines, and the certificate as described."""
    described = [{"Certificate": {"CertificateArn": ARN, "NotAfter": until, "DomainName": "mqtt.example.com"}}] if until else []
    return EdgeView(symptom, answers={"describe-certificate": described}).add("nlb_access", *rows)


GOOD = {"handshake_seconds": 0.02, "tls_alert": None}


@pytest.mark.parametrize(
    ("rows", "until", "found"),
    [
        ([{}], (NOON - timedelta(hours=1)).isoformat(), [("EDGE-159", "proven")]),
        ([{}], (NOON - timedelta(hours=1)).timestamp() + 0.0, [("EDGE-159", "proven")]),
        ([{"tls_alert": None}], (NOON - timedelta(hours=1)).isoformat(), [("EDGE-159", "likely")]),
        ([{}, GOOD, GOOD], (NOON - timedelta(hours=1)).isoformat(), [("EDGE-159", "possible")]),
        ([{}], (NOON + timedelta(hours=1)).isoformat(), []),
        ([{"cert_arn": ARN.replace("5f0c", "6a1d")}], (NOON - timedelta(hours=1)).isoformat(), []),
        ([{"cert_arn": None}], (NOON - timedelta(hours=1)).isoformat(), []),
        ([GOOD], (NOON - timedelta(hours=1)).isoformat(), []),
        # Without the certificate's dates: the clock of one client may be wrong, those of three are not.
        ([{"tls_alert": 45}], None, [("EDGE-159", "possible")]),
        ([{"tls_alert": 45, "client_ip": f"203.0.113.{number}"} for number in (1, 2, 3)], None, [("EDGE-159", "likely")]),
        ([{"client_ip": f"203.0.113.{number}"} for number in (1, 2, 3)], None, []),
        ([{}], "some day", []),
    ],
)
def test_the_presented_certificate_must_have_expired(rows: list[dict[str, Any]], until: object, found: list[tuple[str, str]]) -> None:
    """And most of its connections must break off; an alert alone is one client's word."""
    opinion = ask(view_of(*(connection(number) | one for number, one in enumerate(rows)), until=until), RULE)
    assert codes(opinion) == found
    failed = any(row.get("handshake_seconds") is None and row.get("cert_arn", ARN) for row in rows)
    assert bool(opinion.gaps) == (failed and (until in {None, "some day"} or rows[0].get("cert_arn", ARN) != ARN))


@pytest.mark.parametrize(
    ("symptom", "found"),
    [
        (Symptom(kind=Trouble.TLS, client=CLIENT, host="mqtt.example.com"), True),
        (Symptom(), True),
        (Symptom(kind=Trouble.TLS, client="198.51.100.9"), False),
        (Symptom(kind=Trouble.TLS, host="www.example.com"), False),
        (Symptom(status=502), False),
        (Symptom(kind=Trouble.SLOW), False),
    ],
)
def test_it_speaks_of_what_the_report_may_mean(symptom: Symptom, *, found: bool) -> None:
    """Another client's or name's connections are none of it, nor a request that was answered."""
    assert bool(codes(ask(view_of(connection(), symptom=symptom), RULE))) == found


def test_a_request_that_failed_is_another_matter() -> None:
    """Where one arrived, the handshake went well."""
    view = view_of(connection())
    view.failures = (Failure(hop="alb", table="alb_access", total=1, rows=(), sightings={}, key="f1"),)
    assert codes(ask(view, RULE)) == []
