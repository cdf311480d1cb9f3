"""``classic_balancer_answered``: the balancer's own answers, and what tells their causes apart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.edge_memory import CLIENT, EdgeView, after, ask, codes, metric

RULE = "classic_balancer_answered"
OUT = {"InstanceId": "i-0a1b2c3d4e5f60718", "State": "OutOfService", "ReasonCode": "Instance", "Description": "Instance has failed checks."}
IN = {"InstanceId": "i-0a1b2c3d4e5f60719", "State": "InService", "ReasonCode": "N/A", "Description": "N/A"}


def row(status: int, *, seconds: float = 0.0, target_status: int | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any column
    """A row of the access log of the balancer ``shop``."""
    return {
        "time": after(seconds),
        "elb": "shop",
        "client_ip": CLIENT,
        "target_ip": "10.0.3.7" if target_status else None,
        "target_port": 8080 if target_status else None,
        "dispatched": target_status is not None,
        "status": status,
        "target_status": target_status,
        "method": "GET",
        "host": "shop.example.com",
        "path": "/cart",
    } | more


def own(status: int, *, count: int = 4, **more: Any) -> EdgeView:  # noqa: ANN401 - any column
    """A case of own answers, a second apart."""
    return EdgeView().add("clb_access", *(row(status, seconds=number, **more) for number in range(count)))


def asked(view: EdgeView, status: int) -> list[tuple[str, str]]:
    """What the rule finds of the balancer's answers of that status."""
    return codes(ask(view.failing("clb", "clb_access", path="/cart", status=status), RULE))


def test_503_with_all_instances_out_of_service() -> None:
    """Nothing was served between the answers, and no instance is in service."""
    view = own(503)
    view.answers["describe-instance-health"] = [OUT, dict(OUT, InstanceId="i-1")]
    assert asked(view, 503) == [("EDGE-083", "proven")]
    finding = ask(view, RULE).findings[0]
    assert "no registered instance was healthy" in finding.title
    assert finding.explains == 4
    assert finding.failures == ("f1",)


def test_503_without_any_instance() -> None:
    """The balancer's description lists none."""
    view = own(503)
    view.answers["describe-load-balancers"] = [{"LoadBalancerName": "shop", "Instances": []}]
    assert asked(view, 503) == [("EDGE-083", "proven")]
    assert "no instance is registered" in ask(view, RULE).findings[0].title


def test_503_with_a_full_surge_queue_is_told_apart() -> None:
    """SpilloverCount moved, though an instance is out of service, too."""
    view = own(503)
    view.answers |= {"get-metric-data": [metric("SpilloverCount", 31.0)], "describe-instance-health": [OUT, IN]}
    assert asked(view, 503) == [("EDGE-083", "proven")]
    assert "surge queue" in ask(view, RULE).findings[0].title


def test_503_while_others_were_served_is_not_for_want_of_instances() -> None:
    """The answer that was taken later says OutOfService; yet instances answered in between."""
    view = own(503).add("clb_access", *(row(200, seconds=number + 0.5, target_status=200, path="/x") for number in range(3)))
    view.answers["describe-instance-health"] = [OUT]
    assert asked(view, 503) == [("EDGE-083", "possible")]
    opinion = ask(view, RULE)
    assert "EDGE-083" in {one.code for one in opinion.ruled_out}
    assert any("SpilloverCount" in gap.missing for gap in opinion.gaps)


def test_503_with_healthy_hosts_in_those_minutes() -> None:
    """HealthyHostCount above zero excludes it as well."""
    view = own(503)
    view.answers |= {"get-metric-data": [metric("HealthyHostCount", 2.0)], "describe-instance-health": [OUT]}
    assert asked(view, 503) == [("EDGE-083", "possible")]


@pytest.mark.parametrize("about", ["app/front/50dc6c495c0c9188", "targetgroup/api/73e2d6bc24d8a067"])
def test_a_metric_of_another_balancer_says_nothing(about: str) -> None:
    """Points of an Application Load Balancer lie in the same answer."""
    view = own(503)
    view.answers |= {"get-metric-data": [metric("HealthyHostCount", 2.0, about)], "describe-instance-health": [OUT]}
    assert asked(view, 503) == [("EDGE-083", "proven")]


def test_the_health_of_another_balancers_instances_says_nothing() -> None:
    """The file's name names the balancer that was asked about."""
    view = own(503)
    view.answers["describe-instance-health"] = [OUT]
    view.files["describe-instance-health"] = "aws/elb/describe-instance-health.blog.json"
    assert asked(view, 503) == [("EDGE-083", "likely")]


def test_one_503_alone_is_not_settled() -> None:
    """A single row, without health or metric."""
    assert asked(own(503, count=1), 503) == [("EDGE-083", "possible")]


def test_504_of_an_instance_that_kept_silent() -> None:
    """An instance was asked, and nginx on it waited as long as the idle timeout."""
    view = EdgeView().add("clb_access", row(504, target_ip="10.0.3.7", target_port=8080))
    assert asked(view, 504) == [("EDGE-083", "likely")]
    view.add("nginx_access", {"time": after(60.1), "request_seconds": 60.0, "path": "/cart", "method": "GET", "status": 499})
    view.answers["describe-load-balancer-attributes"] = [{"ConnectionSettings": {"IdleTimeout": 60}}]
    assert asked(view, 504) == [("EDGE-083", "proven")]
    assert "60 s" in ask(view, RULE).findings[0].title


def test_504_long_before_the_idle_timeout_is_not_silence() -> None:
    """The instance had it for five seconds; the balancer is set to wait for sixty."""
    view = EdgeView().add("clb_access", row(504, target_ip="10.0.3.7", target_port=8080))
    view.add("nginx_access", {"time": after(5.1), "request_seconds": 5.0, "path": "/cart", "method": "GET", "status": 499})
    opinion = ask(view.failing("clb", "clb_access", path="/cart", status=504), RULE)
    assert codes(opinion) == [("EDGE-083", "possible")]
    assert any("idle timeout" in one.why for one in opinion.ruled_out)


def test_504_without_an_instance_is_a_connection_that_was_not_there() -> None:
    """No address in the row."""
    view = own(504)
    assert asked(view, 504) == [("EDGE-083", "possible")]
    assert "no instance answered" in ask(view, RULE).findings[0].title


def test_408_lies_with_the_client() -> None:
    """Documented to mean one thing; the metric of the balancer's own answers confirms that it made it."""
    view = own(408, count=1, method="POST")
    assert asked(view, 408) == [("EDGE-083", "likely")]
    assert ask(view, RULE).findings[0].layer == "client"
    view.answers["get-metric-data"] = [metric("HTTPCode_ELB_4XX", 1.0)]
    assert asked(view, 408) == [("EDGE-083", "proven")]


@pytest.mark.parametrize(("method", "sure"), [("X" * 128, "likely"), ("GET", "possible")])
def test_405_is_of_methods_that_are_too_long(method: str, sure: str) -> None:
    """A method of 127 characters is taken."""
    assert asked(own(405, method=method), 405) == [("EDGE-083", sure)]


def test_502_is_not_settled_by_the_row_alone() -> None:
    """What came from the instance shows in its own log only."""
    assert asked(own(502, target_ip="10.0.3.7"), 502) == [("EDGE-083", "possible")]


def test_a_relayed_status_is_not_its_own() -> None:
    """The row names the backend's 503."""
    view = own(503, target_status=503)
    assert asked(view, 503) == []


def test_another_hops_failure_is_not_its_matter() -> None:
    """The web server answered; the balancer's row is only another sighting."""
    view = own(503).failing("nginx", "clb_access", path="/cart", status=503)
    assert codes(ask(view, RULE)) == []


def test_hostile_names_are_quoted() -> None:
    """A path from a log goes into no command as it is."""
    view = EdgeView().add("clb_access", *(row(503, seconds=number, path="/a';id;'", elb="b;id") for number in range(4)))
    finding = ask(view.failing("clb", "clb_access", path="/a';id;'", status=503), RULE).findings[0]
    assert all(" b;id" not in command for one in finding.remedy for command in one.commands)
