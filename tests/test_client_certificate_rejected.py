"""``client_certificate_rejected``: it speaks of the connections that the report may mean, and of no others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kyumei.contracts import Failure
from kyumei.edge.balancer.client_certificates import REFUSALS, UNMAPPED
from kyumei.model.finding import Certainty
from kyumei.model.symptom import Symptom, Trouble
from tests.rules.edge_memory import CLIENT, NOON, EdgeView, after, ask, codes, metric

RULE = "client_certificate_rejected"
ELB = "app/front/50dc6c495c0c9188"
TLS = Symptom(kind=Trouble.TLS, client=CLIENT)
NAMED = [one.reason for one in REFUSALS if one.reason != UNMAPPED]
STORE = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:truststore/partners/1a2b3c4d5e6f7081"
LISTENER = {
    "ListenerArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:listener/app/front/50dc6c495c0c9188/0a1b2c3d4e5f6071",
    "LoadBalancerArn": f"arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/{ELB}",
    "Port": 443,
    "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    "MutualAuthentication": {"Mode": "verify", "TrustStoreArn": STORE},
}


def connection(reason: str | None, *, seconds: float = 0.0, client: str = CLIENT, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A row of the connection log."""
    return {
        "time": after(seconds),
        "client_ip": client,
        "port": 443,
        "client_cert_subject": "CN=till-7.example.com,O=Example",
        "client_cert_not_before": NOON - timedelta(days=400),
        "client_cert_not_after": NOON + timedelta(days=20),
        "client_cert_serial": "0A1B2C",
        "verify_status": f"Failed:{reason}" if reason else "Success",
        "error_reason": reason,
        "elb": ELB,
    } | more


@pytest.mark.parametrize("reason", NAMED)
def test_every_named_reason_is_proven_for_the_stated_client(reason: str) -> None:
    """The log's reason for that very client, and the listener that verifies certificates."""
    view = EdgeView(TLS, answers={"describe-listeners": [LISTENER]}).add(
        "alb_connection", connection(reason), connection(reason, seconds=9)
    )
    opinion = ask(view, RULE)
    assert codes(opinion) == [("EDGE-159", "proven")]
    finding = opinion.findings[0]
    assert reason in finding.title
    assert finding.explains == 2
    assert finding.subject["client"] == CLIENT
    assert {(one.file, one.line) for one in finding.chain[0].citations} == {("alb_connection.log", 1), ("alb_connection.log", 2)}
    assert not [
        command for one in finding.remedy for command in one.commands if "<TRUST_STORE_ARN>" in command or "<LISTENER_ARN>" in command
    ]


def test_a_reason_that_is_not_known_is_told_by_its_name() -> None:
    """AWS may add reasons; the log's word stands in the answer."""
    view = EdgeView(TLS).add("alb_connection", connection("ClientCertSomethingNew"))
    assert "ClientCertSomethingNew" in ask(view, RULE).findings[0].title


def test_without_anything_that_agrees_it_is_likely() -> None:
    """The log alone, of the stated client."""
    assert codes(ask(EdgeView(TLS).add("alb_connection", connection("ClientCertUntrusted")), RULE)) == [("EDGE-159", "likely")]


@pytest.mark.parametrize(
    ("days", "sure"),
    [pytest.param(-1, "proven", id="over"), pytest.param(20, "likely", id="still-valid")],
)
def test_the_dates_of_the_certificate_agree_or_not(days: int, sure: str) -> None:
    """A certificate whose last day had passed needs no second log."""
    row = connection("ClientCertExpired", client_cert_not_after=NOON + timedelta(days=days))
    assert codes(ask(EdgeView(TLS).add("alb_connection", row), RULE)) == [("EDGE-159", sure)]


def test_the_metric_agrees() -> None:
    """CloudWatch counts handshakes that failed."""
    view = EdgeView(TLS, answers={"get-metric-data": [metric("ClientTLSNegotiationErrorCount", 2.0)]})
    assert codes(ask(view.add("alb_connection", connection("ClientCertCrlHit")), RULE)) == [("EDGE-159", "proven")]


def test_another_clients_refusal_is_not_accused() -> None:
    """The stated client's own connections were all made; somebody else's was refused in the same second."""
    view = EdgeView(TLS, covering=frozenset({"alb_connection"}))
    opinion = ask(view.add("alb_connection", connection(None), connection("ClientCertExpired", client="198.51.100.4")), RULE)
    assert codes(opinion) == []
    assert [one.code for one in opinion.ruled_out] == ["EDGE-159"]
    assert opinion.gaps


def test_an_address_is_the_same_however_it_is_written() -> None:
    """IPv6 in its long and in its short form."""
    view = EdgeView(replace(TLS, client="2001:db8::7")).add("alb_connection", connection("ClientCertInvalid", client="2001:0db8:0:0::0007"))
    assert codes(ask(view, RULE)) == [("EDGE-159", "likely")]


def test_one_reason_without_a_client_is_likely_and_two_are_not_settled() -> None:
    """Who did not say where they came from may be any of those who were refused."""
    unknown = Symptom(kind=Trouble.TLS)
    one = EdgeView(unknown).add("alb_connection", connection("ClientCertExpired"), connection(None, client="198.51.100.4"))
    assert codes(ask(one, RULE)) == [("EDGE-159", "likely")]
    two = one.add("alb_connection", connection("ClientCertUntrusted", client="198.51.100.9"))
    opinion = ask(two, RULE)
    assert codes(opinion) == [("EDGE-159", "possible"), ("EDGE-159", "possible")]
    assert [gap for gap in opinion.gaps if "client" in gap.missing]


def test_the_noise_of_scanners_is_no_cause() -> None:
    """Handshakes that failed for no named reason come all day; only for the stated client do they mean anything."""
    rows = [connection(UNMAPPED, client=f"198.51.100.{number}", client_cert_subject=None) for number in range(9)]
    assert codes(ask(EdgeView(Symptom(kind=Trouble.TLS)).add("alb_connection", *rows), RULE)) == []
    own = EdgeView(TLS).add("alb_connection", *rows, connection(UNMAPPED, client_cert_subject=None))
    assert codes(ask(own, RULE)) == [("EDGE-159", "likely")]


def test_cannot_connect_is_less_than_a_failed_handshake() -> None:
    """Without a client, "cannot connect" may mean anything that never reached the load balancer."""
    view = EdgeView(Symptom(kind=Trouble.NOT_CONNECTED)).add("alb_connection", connection("ClientCertExpired"))
    assert codes(ask(view, RULE)) == [("EDGE-159", "possible")]


@pytest.mark.parametrize(
    "symptom",
    [
        pytest.param(Symptom(status=403, client=CLIENT), id="a-status"),
        pytest.param(Symptom(kind=Trouble.TLS, status=502, client=CLIENT), id="a-status-about-tls"),
        pytest.param(Symptom(kind=Trouble.SLOW, client=CLIENT), id="slow"),
        pytest.param(Symptom(kind=Trouble.TIMED_OUT, client=CLIENT), id="timed-out"),
        pytest.param(Symptom(path="/cart"), id="a-path"),
    ],
)
def test_other_reports_are_not_its_matter(symptom: Symptom) -> None:
    """Who got a status got an answer."""
    assert codes(ask(EdgeView(symptom).add("alb_connection", connection("ClientCertExpired")), RULE)) == []


def test_it_keeps_silent_where_a_request_failed() -> None:
    """A failing request explains the report better than a connection."""
    view = EdgeView(TLS, failures=(Failure("app", "app_log", 1, (), {}),)).add("alb_connection", connection("ClientCertExpired"))
    assert ask(view, RULE).findings == ()


def test_only_a_client_told_needs_all_its_connections_to_fail() -> None:
    """Nobody spoke of TLS: one connection that was made shows that the client came through."""
    bare = Symptom(client=CLIENT)
    assert codes(ask(EdgeView(bare).add("alb_connection", connection("ClientCertExpired", client_cert_not_after=NOON)), RULE))
    mixed = EdgeView(bare).add("alb_connection", connection("ClientCertExpired"), connection(None, seconds=5))
    assert codes(ask(mixed, RULE)) == []


def test_the_hour_before_counts_for_nothing() -> None:
    """A refusal outside of the window is another one."""
    assert codes(ask(EdgeView(TLS).add("alb_connection", connection("ClientCertExpired", seconds=-3600)), RULE)) == []


def test_another_balancer_than_the_stated_hosts_is_left_out() -> None:
    """The access log shows which balancer serves the host."""
    view = EdgeView(replace(TLS, host="shop.example.com")).add(
        "alb_connection", connection("ClientCertExpired", elb="app/other/9de0c1b7a5f3e284")
    )
    view.add("alb_access", {"time": NOON, "elb": ELB, "host": "shop.example.com", "path": "/", "status": 200})
    assert codes(ask(view, RULE)) == []


def test_the_missing_log_is_named() -> None:
    """A load balancer without its connection log: that log would decide."""
    view = EdgeView(Symptom(kind=Trouble.TLS)).add("alb_access", {"time": NOON, "elb": ELB, "path": "/", "status": 200})
    opinion = ask(view, RULE)
    assert [gap.missing for gap in opinion.gaps] == ["connection log of the load balancer"]
    assert ask(EdgeView(Symptom(kind=Trouble.TLS)), RULE).gaps == ()


def test_hostile_text_is_quoted() -> None:
    """A host name and a subject from outside go into no command as they are."""
    view = EdgeView(replace(TLS, host="a.example.com;id")).add("alb_connection", connection("ClientCertMaxChainDepthExceeded"))
    finding = ask(view, RULE).findings[0]
    assert finding.certainty is Certainty.LIKELY
    assert all("a.example.com;id" not in command.replace("'a.example.com;id'", "") for one in finding.remedy for command in one.commands)
