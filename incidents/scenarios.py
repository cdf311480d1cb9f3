"""Incidents with known truth: the one that kyumei must solve, and those that look like it.

A scenario is a function from a seed to a plan. Names, times, rules and paths follow the seed; only the first scenario with seed 0 is
fixed, because it is the example that the project ships.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from incidents.plan import Log, Plan, Wording, pick

if TYPE_CHECKING:
    from collections.abc import Callable

WITHOUT_WAF: frozenset[Log] = frozenset({"nginx", "syslog", "app", "answers"})
WITH_ALB: frozenset[Log] = frozenset({"nginx", "syslog", "app", "waf", "alb", "answers"})
VINTAGES = (17, 22, 25, 27, 29, 30, 33)
"""Numbers of fields that ALB access logs have had."""


def example() -> Plan:
    """The incident of ``examples/waf-403``."""
    return Plan(
        moment=datetime(2025, 2, 6, 14, 32, tzinfo=ZoneInfo("Asia/Tokyo")),
        path="/app/admin",
        region="ap-northeast-1",
        app="orders",
        prefix="/app",
        web_acl="orders-web-acl",
        rule="block-admin-outside-office",
        balancer="orders-alb",
        hosts=("ip-10-0-1-21", "ip-10-0-2-34"),
        app_style=0,
        wording="plain",
    )


def waf_rule_blocked(seed: int) -> Plan:
    """A custom rule of the web ACL is too strict."""
    if seed == 0:
        return example()
    wordings: tuple[Wording, ...] = ("plain", "path", "iso", "utc", "japanese", "client")
    plan = Plan(seed=seed)
    return replace(plan, wording=pick(plan, "scenario wording", wordings))


def with_alb_log(seed: int) -> Plan:
    """As above, with the balancer's access log of some vintage; meanwhile the old office uses the path without trouble."""
    plan = Plan("with_alb_log", seed, others_pass=True, logs=WITH_ALB)
    return replace(plan, alb_columns=pick(plan, "vintage", VINTAGES[1:]))


def waf_log_alone(seed: int) -> Plan:
    """Nothing but the WAF log lies in the folder."""
    return Plan("waf_log_alone", seed, logs=frozenset({"waf"}))


def waf_log_from_s3(seed: int) -> Plan:
    """The WAF log as WAF writes it to its own bucket."""
    return Plan("waf_log_from_s3", seed, wrapping="s3")


def waf_log_from_subscription(seed: int) -> Plan:
    """The WAF log in envelopes of a CloudWatch Logs subscription."""
    return Plan("waf_log_from_subscription", seed, wrapping="subscription")


def waf_log_as_lines(seed: int) -> Plan:
    """The WAF log as plain JSON lines."""
    return Plan("waf_log_as_lines", seed, wrapping="lines")


def three_zones(seed: int) -> Plan:
    """Nginx keeps Tokyo's time, the host UTC, the application that of Los Angeles."""
    return Plan("three_zones", seed, app_zone="America/Los_Angeles")


def new_year(seed: int) -> Plan:
    """A few minutes after the year began: the syslog, which writes no year, holds both."""
    return Plan(
        "new_year", seed, moment=datetime(2025, 1, 1, 0, 4, tzinfo=ZoneInfo("Asia/Tokyo")), host_zone="Asia/Tokyo", requests_per_hour=400
    )


def managed_size(seed: int) -> Plan:
    """A managed rule finds an upload too large."""
    return Plan("managed_size", seed, fate="managed_size")


def managed_cross_site_scripting(seed: int) -> Plan:
    """A managed rule takes an article's HTML for an attack."""
    return Plan("managed_cross_site_scripting", seed, fate="managed_xss")


def rate_limited(seed: int) -> Plan:
    """A whole office behind one address exceeds the limit of a rate-based rule."""
    return Plan("rate_limited", seed, fate="rate")


def ip_set_blocked(seed: int) -> Plan:
    """The client stands in a list of denied addresses."""
    return Plan("ip_set_blocked", seed, fate="ip_set")


def geo_blocked(seed: int) -> Plan:
    """The client's country is not welcome."""
    return Plan("geo_blocked", seed, fate="geo")


def default_action_blocked(seed: int) -> Plan:
    """No rule lets the path in, and the default is to block."""
    return Plan("default_action_blocked", seed, fate="default_action")


def captcha_asked(seed: int) -> Plan:
    """A telephone's application is asked to solve a puzzle."""
    return Plan("captcha_asked", seed, fate="captcha")


def challenge_asked(seed: int) -> Plan:
    """A telephone's application gets a silent challenge."""
    return Plan("challenge_asked", seed, fate="challenge")


def custom_response(seed: int) -> Plan:
    """The rule blocks with a status of its own, which looks like another trouble."""
    return Plan("custom_response", seed, fate="custom_response")


def oversize_body(seed: int) -> Plan:
    """The body is beyond what WAF inspects, and the rule takes that for a match."""
    return Plan("oversize_body", seed, fate="oversize")


def balancer_fixed_response(seed: int) -> Plan:
    """A listener rule answers; only the balancer's log shows it."""
    return Plan("balancer_fixed_response", seed, fate="balancer_fixed", logs=WITH_ALB, alb_columns=33)


def nginx_forbidden(seed: int) -> Plan:
    """Nginx denies, and WAF let the request pass."""
    return Plan("nginx_forbidden", seed, fate="nginx_rule")


def nginx_directory_index(seed: int) -> Plan:
    """A directory has no index file."""
    return Plan("nginx_directory_index", seed, fate="nginx_index")


def nginx_permission(seed: int) -> Plan:
    """Nginx may not read a file."""
    return Plan("nginx_permission", seed, fate="nginx_permission")


def app_forbidden(seed: int) -> Plan:
    """The application refuses; WAF and nginx let the request pass."""
    return Plan("app_forbidden", seed, fate="app")


def waf_counted_only(seed: int) -> Plan:
    """WAF only counted the request; the application refused it."""
    return Plan("waf_counted_only", seed, fate="app_counted")


def app_forbidden_among_scanners(seed: int) -> Plan:
    """The application refuses while WAF blocks a scanner's burst on other paths."""
    return Plan("app_forbidden_among_scanners", seed, fate="app", scanner_burst=True, requests_per_hour=120)


def app_forbidden_with_alb_log(seed: int) -> Plan:
    """The application refuses, and the balancer's access log shows that it only relayed."""
    return Plan("app_forbidden_with_alb_log", seed, fate="app", logs=WITH_ALB)


def waf_log_missing(seed: int) -> Plan:
    """WAF blocked, but its log is not in the folder: nobody can tell."""
    return Plan("waf_log_missing", seed, logs=WITHOUT_WAF)


def waf_log_missing_with_alb_log(seed: int) -> Plan:
    """The balancer's log says that WAF answered; which rule, only the missing WAF log knows."""
    return Plan("waf_log_missing_with_alb_log", seed, logs=WITH_ALB - {"waf"})


def waf_log_gap(seed: int) -> Plan:
    """The WAF log has a hole over the moment: nobody can tell."""
    return Plan("waf_log_gap", seed, waf_hole_minutes=25, requests_per_hour=150)


def nginx_alone(seed: int) -> Plan:
    """Only nginx's logs, with nothing but private clients: the balancer in front of it has no log here."""
    return Plan("nginx_alone", seed, logs=frozenset({"nginx"}))


def healthy_day(seed: int) -> Plan:
    """The person speaks of a failure, and every log shows that all was well."""
    return Plan("healthy_day", seed, fate="fine", scanner_at_moment=False)


SCENARIOS: dict[str, Callable[[int], Plan]] = {
    scenario.__name__: scenario
    for scenario in (
        waf_rule_blocked,
        with_alb_log,
        waf_log_alone,
        waf_log_from_s3,
        waf_log_from_subscription,
        waf_log_as_lines,
        three_zones,
        new_year,
        managed_size,
        managed_cross_site_scripting,
        rate_limited,
        ip_set_blocked,
        geo_blocked,
        default_action_blocked,
        captcha_asked,
        challenge_asked,
        custom_response,
        oversize_body,
        balancer_fixed_response,
        nginx_forbidden,
        nginx_directory_index,
        nginx_permission,
        app_forbidden,
        waf_counted_only,
        app_forbidden_among_scanners,
        app_forbidden_with_alb_log,
        waf_log_missing,
        waf_log_missing_with_alb_log,
        waf_log_gap,
        nginx_alone,
        healthy_day,
    )
}
"""Every scenario by its name."""
