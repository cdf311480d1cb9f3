"""What a caller may fix of an incident. All that is left open is drawn from the seed, each choice from a stream of its own."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Fate = Literal[
    "custom_rule",  # WAF: a custom rule that is too strict
    "managed_size",  # WAF: SizeRestrictions_BODY of the managed core rule set
    "managed_xss",  # WAF: CrossSiteScripting_BODY of the managed core rule set
    "rate",  # WAF: a rate-based rule
    "ip_set",  # WAF: a list of denied addresses
    "geo",  # WAF: the country
    "default_action",  # WAF: no rule allows the request, and the default is to block
    "captcha",  # WAF: puzzle, 405
    "challenge",  # WAF: silent challenge, 202
    "custom_response",  # WAF: a block with a status of its own
    "oversize",  # WAF: the body is beyond the inspection limit, and the rule says MATCH
    "balancer_fixed",  # ALB: a listener rule with a fixed response
    "nginx_rule",  # nginx: deny
    "nginx_index",  # nginx: a directory without an index file
    "nginx_permission",  # nginx: a file that it may not read
    "app",  # the application refuses
    "app_counted",  # as app, and WAF counted the request on its way
    "fine",  # nothing is wrong
]
"""What befalls the request that the person reports."""

Log = Literal["nginx", "syslog", "app", "waf", "alb", "answers"]
Wrapping = Literal["filter_log_events", "s3", "subscription", "lines"]
Wording = Literal["plain", "path", "iso", "utc", "japanese", "client"]

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Plan:
    """An incident to be written down. ``None`` means: drawn from the seed.

    ``moment`` is the instant that the person names (aware, a whole minute). The zones are those in which each log writes its times:
    ``reporter_zone`` is the person's. ``hours`` is the length of the traffic, ``requests_per_hour`` its density at noon,
    ``check_seconds`` the interval of the balancer's health checks. ``alb_columns`` is the vintage of the ALB access log
    (17 to 33). ``waf_hole_minutes`` leaves that many minutes before and after the moment out of the WAF log. ``others_pass`` lets
    people of the old office use the reported path meanwhile, without trouble.
    """

    variant: str = "waf_rule_blocked"
    seed: int = 0
    fate: Fate = "custom_rule"
    moment: datetime | None = None
    reporter_zone: str = "Asia/Tokyo"
    nginx_zone: str = "Asia/Tokyo"
    app_zone: str = "Asia/Tokyo"
    host_zone: str = "UTC"
    method: str | None = None
    path: str | None = None
    status: int | None = None
    region: str | None = None
    app: str | None = None
    prefix: str | None = None
    web_acl: str | None = None
    rule: str | None = None
    balancer: str | None = None
    hosts: tuple[str, ...] | None = None
    app_style: int | None = None
    wording: Wording | None = None
    logs: frozenset[Log] = frozenset({"nginx", "syslog", "app", "waf", "answers"})
    wrapping: Wrapping = "filter_log_events"
    alb_columns: int = 33
    hours: float = 6
    requests_per_hour: int = 80
    check_seconds: int = 120
    scanner_at_moment: bool = True
    scanner_burst: bool = False
    others_pass: bool = False
    waf_hole_minutes: int = 0


def draw(plan: Plan, what: str) -> Random:
    """The stream of chance for one matter of the plan; fixing one matter leaves all others as they were."""
    return Random(f"{plan.variant}/{plan.seed}/{what}")


def pick(plan: Plan, what: str, options: Sequence[Choice]) -> Choice:
    """One of the options, drawn from the seed."""
    return draw(plan, what).choice(options)


def hexadecimal(plan: Plan, what: str, digits: int) -> str:
    """An id of hexadecimal digits, drawn from the seed."""
    return f"{draw(plan, what).getrandbits(4 * digits):0{digits}x}"


def uuid(plan: Plan, what: str) -> str:
    """An id in the shape of a version 4 UUID, drawn from the seed."""
    digits = hexadecimal(plan, what, 32)
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
