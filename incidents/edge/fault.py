"""What goes wrong on the way from the browser to the application, as data: the words in which the causes of this package are written."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the fields of a dataclass
from dataclasses import dataclass, field, replace
from typing import Literal, TypedDict

Hop = Literal["cloudfront", "alb", "clb", "apigateway", "nginx", "apache", "gunicorn", "lambda"]
Log = Literal[
    "cloudfront",
    "waf",
    "alb",
    "connection",
    "health_check",
    "clb",
    "apigateway",
    "execution",
    "nginx",
    "nginx_error",
    "apache",
    "apache_error",
    "gunicorn_access",
    "gunicorn",
    "application",
    "syslog",
    "lambda",
    "metrics",
    "answers",
    "trail",
]
"""The logs of a folder. ``answers`` are the snapshots of settings, ``trail`` is what CloudTrail says of changes."""
Variant = Literal["guilty", "innocent", "undecidable"]
Verdict = Literal["cause_found", "healthy", "cannot_tell"]
Scope = Literal["path", "all", "some", "client"]
"""Who else fails while the trouble lasts: who asks for the same path, everybody, a few requests here and there, nobody else."""
Complaint = Literal["status", "slow", "connect"]

STACKS: dict[str, tuple[Hop, ...]] = {
    "alb-nginx": ("alb", "nginx", "gunicorn"),
    "alb-app": ("alb", "gunicorn"),
    "alb-apache": ("alb", "apache", "gunicorn"),
    "alb-lambda": ("alb", "lambda"),
    "cdn-nginx": ("cloudfront", "alb", "nginx", "gunicorn"),
    "cdn-app": ("cloudfront", "alb", "gunicorn"),
    "clb-nginx": ("clb", "nginx", "gunicorn"),
    "nginx": ("nginx", "gunicorn"),
    "apache": ("apache", "gunicorn"),
    "api-lambda": ("apigateway", "lambda"),
}
"""The sites that there are, from the client inwards."""
BALANCED = ("alb-nginx", "alb-app", "cdn-nginx", "cdn-app")
BEHIND_ALB = ("alb-nginx", "alb-app")
WITH_NGINX = ("alb-nginx", "nginx", "clb-nginx")


@dataclass(frozen=True)
class Said:
    """A line that a program writes of the trouble.

    ``after`` are seconds from the arrival of the request at that program; with ``ending`` they count from when the answer was made.
    ``once`` is written when the trouble begins and not for every request. In ``text`` stand {path}, {pid}, {peer} and the like.
    ``shows`` says whether an answer may cite it as the cause.
    """

    log: Log
    text: str
    after: float = 0.0
    level: str = "error"
    ending: bool = False
    once: bool = False
    shows: bool = True


@dataclass(frozen=True)
class Ask:
    """How the request that fails looks. ``tails`` are endings of its path, ``received`` its size in bytes."""

    methods: tuple[str, ...] = ("GET", "POST")
    tails: tuple[str, ...] = ("/reports/monthly", "/exports", "/audit/entries", "/statements", "/schedule/week", "/inventory/check")
    query: str = ""
    received: tuple[int, int] = (420, 1900)
    agent: Literal["browser", "program", "probe"] = "browser"
    protocol: str = ""


@dataclass(frozen=True)
class Fault:
    """A trouble, and what each component does and writes because of it.

    ``by`` makes the answer; who stands in front hands it on. ``status`` is what the client gets (0: nothing), ``seconds`` how long the
    answer takes. ``inside`` are components further in that saw the request nevertheless: their status (null: they write no line) and
    the seconds until then. ``fields`` sets fields of a log by their own names; {seconds} in them is the time it took.
    ``codes`` are the findings of which one must come first, ``true`` others that would be no lie. ``settings`` are what the snapshots
    show, ``metrics`` those that count the failing requests.
    """

    by: Hop
    status: int
    codes: tuple[str, ...] = ()
    true: tuple[str, ...] = ()
    seconds: tuple[float, float] = (0.001, 0.03)
    fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    inside: Mapping[str, tuple[int | None, float]] = field(default_factory=dict)
    said: tuple[Said, ...] = ()
    ask: Ask = field(default_factory=Ask)
    scope: Scope = "path"
    minutes: float = 9
    settings: Mapping[str, str] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    verdict: Verdict = "cause_found"
    complaint: Complaint = "status"
    missing: tuple[Log, ...] = ()
    """Where the verdict is "cannot tell": the logs of which one would decide."""
    drop: tuple[Log, ...] = ()
    """Logs that are not in the folder."""
    others: tuple[Fault, ...] = ()
    """Further faults of the same folder, which other clients meet on other paths at the same time."""
    upload: bool = False
    """Whether the components further in take the request only after a long upload."""
    weaker: bool = False
    """Whether "cannot tell" would do as well, since the log is missing that would name the cause behind this one."""
    shift: Mapping[str, float] = field(default_factory=dict)
    """Seconds by which the clock behind a log is wrong."""
    zone: str = ""
    """The host's zone, where it matters."""
    when: str = ""
    """The local moment (ISO) in the host's zone, where it matters."""


class Changes(TypedDict, total=False):
    """Fields of a fault that a table sets by their names."""

    by: Hop
    true: tuple[str, ...]
    seconds: tuple[float, float]
    fields: Mapping[str, Mapping[str, str]]
    inside: Mapping[str, tuple[int | None, float]]
    ask: Ask
    scope: Scope
    minutes: float
    settings: Mapping[str, str]
    metrics: tuple[str, ...]
    complaint: Complaint
    drop: tuple[Log, ...]
    weaker: bool


class LineChanges(Changes, total=False):
    """As above, and the lines that are written."""

    said: tuple[Said, ...]


class AllChanges(LineChanges, total=False):
    """As above, and the codes that are right."""

    codes: tuple[str, ...]


@dataclass(frozen=True)
class Cause:
    """One id of the failure knowledge base, with the incident that it explains and the one that only looks like it.

    ``layer`` is where the cause lies. ``innocent`` changes what the record's EXCLUDE names, or is its nearest rival. In the undecidable
    variant the logs ``without`` are gone, and any of ``decides`` would tell.
    """

    id: str
    what: str
    layer: Hop
    stacks: tuple[str, ...]
    guilty: tuple[Fault, ...]
    innocent: tuple[Fault, ...]
    without: tuple[Log, ...]
    decides: tuple[Log, ...]
    innocent_stacks: tuple[str, ...] = ()


def cause(  # noqa: PLR0913 - a row of a table
    identity: str,
    what: str,
    stacks: tuple[str, ...],
    guilty: Fault | tuple[Fault, ...],
    innocent: Fault | tuple[Fault, ...],
    *,
    without: tuple[Log, ...] = (),
    decides: tuple[Log, ...] = (),
    layer: Hop | None = None,
    innocent_stacks: tuple[str, ...] = (),
) -> Cause:
    """A row. Without more, the layer is the one that answers, and in the undecidable variant its own logs are missing.

    The id itself is always right for its guilty incidents, even where another one says more; but for a trap of clocks, which is no cause.
    """
    faults = guilty if isinstance(guilty, tuple) else (guilty,)
    own = f"EDGE-{identity}"
    if identity.isdigit() and not "120" <= identity <= "127":
        faults = tuple(one if own in one.codes or one.verdict != "cause_found" else replace(one, codes=(own, *one.codes)) for one in faults)
    rivals = innocent if isinstance(innocent, tuple) else (innocent,)
    where = layer or faults[0].by
    gone = without or LOGS_OF[faults[0].by]
    return Cause(own, what, where, stacks, faults, rivals, gone, decides or gone[:1], innocent_stacks)


LOGS_OF: dict[Hop, tuple[Log, ...]] = {
    "cloudfront": ("cloudfront", "metrics"),
    "alb": ("alb", "health_check", "metrics"),
    "clb": ("clb", "metrics"),
    "apigateway": ("apigateway", "execution", "metrics"),
    "nginx": ("nginx", "nginx_error"),
    "apache": ("apache", "apache_error"),
    "gunicorn": ("gunicorn", "gunicorn_access", "application", "syslog"),
    "lambda": ("lambda",),
}
"""Which logs a component writes; the first is the one that says what it answered."""
