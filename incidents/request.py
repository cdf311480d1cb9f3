"""One request and what every component on its way made of it; all logs are written from this."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

Hop = Literal["waf", "alb", "nginx", "app"]
Trouble = Literal["", "deny", "index", "permission", "missing_file", "forbidden", "csrf", "bad_request", "not_found", "crash"]
Role = Literal["", "reported", "session", "check", "decoy", "scanner"]


@dataclass(frozen=True)
class Decision:
    """What WAF decided.

    ``group`` and ``inner`` name the managed rule group and its rule that ended the request. ``counted`` are rules of the web ACL
    that only counted, ``counted_inner`` pairs of group and rule whose action is overridden to count. ``failure`` is the reason that
    a CAPTCHA or a challenge did not pass. ``matched`` is what a cross-site scripting statement found.
    """

    action: str = "ALLOW"
    rule: str = "Default_Action"
    rule_type: str = "REGULAR"
    response: int | None = None
    group: str = ""
    inner: str = ""
    counted: tuple[str, ...] = ()
    counted_inner: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()
    matched: tuple[str, ...] = ()
    oversize: tuple[str, ...] = ()
    failure: str = ""


@dataclass(frozen=True)
class Request:
    """One request. ``arrived`` is when the balancer had it (UTC), ``seconds`` how long the answer took.

    ``answered_by`` is the component that made the answer; those further in never saw the request. ``decision`` is None for the
    balancer's own health checks, which do not pass WAF. ``node`` and ``host`` are indexes into the site's.
    """

    arrived: datetime
    seconds: float
    client: str
    country: str
    agent: str
    method: str
    path: str
    query: str
    referer: str
    status: int
    sent: int
    received: int
    answered_by: Hop
    decision: Decision | None
    node: int
    host: int
    port: int
    trace: str
    user: str = ""
    trouble: Trouble = ""
    role: Role = ""

    @property
    def ended(self) -> datetime:
        """When the answer was sent."""
        return self.arrived + timedelta(seconds=self.seconds)

    @property
    def target(self) -> str:
        """Path and query string, as in a request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def browser(self) -> bool:
        """Whether a person's browser sent it: those speak HTTP/2 and write header names in small letters."""
        return self.agent.startswith("Mozilla/5.0 (") and "compatible" not in self.agent

    def reached(self, hop: Hop) -> bool:
        """Whether the component saw the request."""
        order: tuple[Hop, ...] = ("waf", "alb", "nginx", "app")
        return order.index(hop) <= order.index(self.answered_by)
