"""One request, and what each component that it passed made of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from incidents.edge.fault import Fault, Hop, Said

Role = Literal["", "reported", "victim", "other", "check", "decoy", "scanner", "quick"]
"""``victim``: another request that the same trouble hit; ``other``: one of a second trouble; ``quick``: the same path without trouble."""
LAG = {"cloudfront": 0.011, "alb": 0.001, "clb": 0.0008, "apigateway": 0.006, "nginx": 0.0004, "apache": 0.0005}
"""Seconds from a component's taking a request to the next one's."""


@dataclass(frozen=True)
class Seen:
    """What a component did: the status that it answered (null: it writes no line), and when, in seconds from its taking the request.

    ``inner`` is the status that it got from the component behind it; null when it got none. ``late`` are seconds by which it took the
    request later than the time that it takes to hand one on.
    """

    status: int | None
    seconds: float
    inner: int | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    late: float = 0.0


@dataclass(frozen=True)
class Call:
    """A request. ``at`` is when the outermost component had it (UTC)."""

    number: int
    at: datetime
    client: str
    agent: str
    method: str
    path: str
    query: str
    user: str
    host: int
    node: int
    port: int
    received: int
    sent: int
    trace: str
    edge_id: str
    api_id: str
    pid: int
    protocol: str = ""
    role: Role = ""
    seen: Mapping[str, Seen] = field(default_factory=dict)
    waf: Mapping[str, str] = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    by: str = ""

    @property
    def target(self) -> str:
        """Path and query string."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def shows(self, hop: str) -> bool:
        """Whether the line of this component shows the cause: it made the answer, and no program further in says why."""
        deeper = any(said.shows and said.log in {"gunicorn", "syslog"} for said in self.said)
        makers = {hop} | ({"gunicorn", "lambda"} if hop in {"alb", "clb", "cloudfront", "apigateway"} else set())
        return self.role in {"reported", "victim"} and self.by in makers and not deeper

    def begun(self, stack: tuple[Hop, ...], hop: str) -> datetime:
        """When the component took the request."""
        lag = 0.0
        for one in stack:
            if one == hop:
                break
            lag += LAG.get(one, 0.0)
        lag += self.seen[hop].late if hop in self.seen else 0.0
        return self.at + timedelta(seconds=lag)

    def ended(self, stack: tuple[Hop, ...], hop: str) -> datetime:
        """When the component was done with it."""
        return self.begun(stack, hop) + timedelta(seconds=self.seen[hop].seconds)


def passing(stack: tuple[Hop, ...], status: int, seconds: float, by: str) -> dict[str, Seen]:
    """A request that comes through to ``by`` and is answered there."""
    found: dict[str, Seen] = {}
    depth = list(stack).index(by) if by in stack else len(stack) - 1
    for index in range(depth, -1, -1):
        hop = stack[index]
        found[hop] = Seen(status, seconds, status if index < depth else None)
        seconds += 0.0006 + (2 * LAG.get(stack[index - 1], 0.0) if index else 0)
    return found


def maker(stack: tuple[Hop, ...], fault: Fault) -> Hop:
    """The component that makes the answer; where the site has no such web server, who stands in front of the application does."""
    if fault.by in stack:
        return fault.by
    return stack[-2] if fault.by in {"nginx", "apache"} and len(stack) > 1 else stack[-1]


def failing(stack: tuple[Hop, ...], fault: Fault, seconds: float) -> dict[str, Seen]:
    """A request that meets the fault."""
    by = maker(stack, fault)
    found = passing(stack, fault.status, seconds, by)
    if by in found:
        found[by] = Seen(fault.status, seconds)
    for hop, (status, spent) in fault.inside.items():
        if hop in stack:
            took = spent if spent >= 0 else seconds
            found[hop] = Seen(status, took, late=seconds - took if fault.upload else 0.0)
    told = {hop: {**fault.fields.get(hop, {}), **(fault.fields.get(f"{hop}:maker", {}) if hop == by else {})} for hop in found}
    texts = {hop: {name: text.replace("{seconds}", f"{seconds:.3f}") for name, text in some.items()} for hop, some in told.items()}
    return {hop: replace(seen, fields=texts[hop]) for hop, seen in found.items()}
