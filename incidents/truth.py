"""What is true of an incident: what the person says, what the answer must be, what it must not be, and which lines show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from incidents.plan import draw
from incidents.verdicts import on_reported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from incidents.entry import Written
    from incidents.plan import Fate, Plan, Wording
    from incidents.request import Request
    from incidents.site import Site

Verdict = Literal["cause_found", "healthy", "cannot_tell"]

WAF_CODES = ("EDGE-002", "EDGE-022", "EDGE-084", "EDGE-096", "EDGE-097", "EDGE-098", "EDGE-099")
INNER_CODES = ("EDGE-001", "EDGE-003", "EDGE-134", "EDGE-135", "EDGE-137")
CODES: dict[Fate, tuple[str, ...]] = {
    "custom_rule": ("EDGE-022",),
    "managed_size": ("EDGE-096",),
    "managed_xss": ("EDGE-096",),
    "rate": ("EDGE-097",),
    "ip_set": ("EDGE-099",),
    "geo": ("EDGE-099",),
    "default_action": ("EDGE-099",),
    "captcha": ("EDGE-084",),
    "challenge": ("EDGE-084",),
    "custom_response": ("EDGE-022",),
    "oversize": ("EDGE-098",),
    "balancer_fixed": ("EDGE-003",),
    "nginx_rule": ("EDGE-137",),
    "nginx_index": ("EDGE-134",),
    "nginx_permission": ("EDGE-135",),
    "app": ("EDGE-001",),
    "app_counted": ("EDGE-001",),
    "fine": (),
}
"""Ids of the failure knowledge base: the first finding carries one of these."""

LOGS = {"waf": ("waf",), "alb": ("alb",), "nginx": ("nginx",), "app": ("app", "syslog")}
"""Which logs a component writes."""

ZONE_WORDS = {"Asia/Tokyo": "JST", "UTC": "UTC"}


@dataclass(frozen=True)
class Cited:
    """A line that an answer may cite; ``line`` counts from 1 in the decompressed text, and is where the record begins."""

    file: str
    line: int


@dataclass(frozen=True)
class Truth:
    """The truth of one incident.

    ``codes`` are the ids of which the first finding must carry one; ``forbidden`` those that no proven or likely finding may carry.
    ``rule`` and ``inner_rule`` are as the WAF log names them. ``cited`` must all be among the evidence: the record, nearest to the
    moment, of the component that made the answer. ``also`` are other records of the same requests that may be cited.
    ``missing`` is the log that would decide where the verdict is "cannot tell". ``silent`` are the components in the folder that did
    not see the request, ``seen`` those that did.
    """

    variant: str
    sentence: str
    moment: datetime
    status: int
    method: str
    path: str
    client: str
    verdict: Verdict
    codes: tuple[str, ...]
    forbidden: tuple[str, ...]
    answered_by: str
    rule: str
    inner_rule: str
    web_acl: str
    cited: tuple[Cited, ...]
    also: tuple[Cited, ...]
    missing: str
    silent: tuple[str, ...]
    seen: tuple[str, ...]


def truth_of(site: Site, plan: Plan, requests: Sequence[Request], files: Mapping[str, Sequence[Written]]) -> Truth:
    """The truth, from the plan and from what was written."""
    tries = sorted((one for one in requests if one.role == "reported"), key=lambda one: abs(one.ended - site.moment))
    nearest = tries[0]
    verdict, missing = _verdict(plan, site.fate, nearest, files)
    decision = on_reported(site)
    by_waf = nearest.answered_by == "waf"
    cited = _answering_lines(files, nearest)
    every = {line for group in files.values() for line in _lines(group, tries)}
    hops = [hop for hop in ("waf", "alb", "nginx", "app") if any(files.get(log) for log in LOGS[hop])]
    wrote = [hop for hop in hops if any(_lines(files.get(log, ()), [nearest]) for log in LOGS[hop])]
    return Truth(
        variant=plan.variant,
        sentence=sentence(site, plan),
        moment=site.moment,
        status=site.status,
        method=site.method,
        path=site.path,
        client=site.reporter,
        verdict=verdict,
        codes=CODES[site.fate] if verdict == "cause_found" else (),
        forbidden=_forbidden(site, plan, verdict, nearest.answered_by),
        answered_by=nearest.answered_by if site.fate != "fine" else "",
        rule=decision.rule if by_waf else "",
        inner_rule=decision.inner,
        web_acl=site.web_acl,
        cited=cited if verdict == "cause_found" else (),
        also=tuple(sorted(every - set(cited), key=lambda line: (line.file, line.line))),
        missing=missing,
        silent=tuple(hop for hop in hops if hop not in wrote and hop not in {"waf", "alb"}),
        seen=tuple(wrote),
    )


def _lines(group: Sequence[Written], requests: Sequence[Request]) -> list[Cited]:
    wanted = set(requests)
    return [Cited(file.name, line) for file in group for one, line in file.marks if one in wanted]


def _answering_lines(files: Mapping[str, Sequence[Written]], one: Request) -> tuple[Cited, ...]:
    """The lines of the component that made the answer: for nginx access and error line, for the application what it logged first."""
    found = _lines(files.get(one.answered_by, ()), [one])
    return tuple(found[:1]) if one.answered_by == "app" else tuple(found)


def _verdict(plan: Plan, fate: Fate, nearest: Request, files: Mapping[str, Sequence[Written]]) -> tuple[Verdict, str]:
    """The right verdict, and the log that is missing: the answerer's own log must be there and must hold the request."""
    if fate == "fine":
        return "healthy", ""
    log = nearest.answered_by
    if not files.get(log) or not _lines(files[log], [nearest]):
        return "cannot_tell", log if log != "waf" or {"answers", "alb"} & plan.logs or files.get("waf") else "alb"
    return "cause_found", ""


def _forbidden(site: Site, plan: Plan, verdict: Verdict, answered_by: str) -> tuple[str, ...]:
    """What no proven or likely finding may say. That the target answered (EDGE-001) is no lie where nginx, the target, did."""
    allowed = set(CODES[site.fate]) if verdict == "cause_found" else set()
    if answered_by == "waf" and (verdict == "cause_found" or "alb" in plan.logs):
        allowed |= {"EDGE-002", "EDGE-022"}
    if answered_by == "waf" and plan.wording == "plain":
        allowed.add("EDGE-096")  # a sentence without a path may also mean the scanner that a managed rule blocked
    if answered_by == "nginx":
        allowed.add("EDGE-001")
    return tuple(code for code in (*WAF_CODES, *INNER_CODES) if code not in allowed)


def sentence(site: Site, plan: Plan) -> str:
    """What the person says; the wording is fixed by the plan or drawn from the seed."""
    local = site.moment.astimezone(ZoneInfo(plan.reporter_zone))
    zone = ZONE_WORDS.get(plan.reporter_zone, plan.reporter_zone)
    status = site.status
    wordings: tuple[Wording, ...] = ("path", "iso", "utc", "japanese", "client")
    words = {403: " Forbidden in the browser", 405: " Method Not Allowed", 404: " Not Found in the browser"}.get(status, "")
    when, request = f"{local:%Y-%m-%d %H:%M} {zone}", f"{site.method} {site.path}"
    japanese = f"{local.year}年{local.month}月{local.day}日 {local.hour}時{local.minute}分頃"
    sentences: dict[Wording, str] = {
        "plain": f"{status}{words} on {local:%Y-%m-%d} around {local:%H:%M} {zone}",
        "path": f"{status} on {request} at {when}",
        "iso": f"{request} answered {status} around {local.isoformat(timespec='minutes')}",
        "utc": f"at about {site.moment:%Y-%m-%d %H:%M} UTC we got {status} on {request}",
        "japanese": f"{japanese} ({zone}) {site.path} で {status} になりました",
        "client": f"{status} on {request} at {when} from {site.reporter}",
    }
    wording: Wording = plan.wording if plan.wording is not None else draw(plan, "wording").choice(wordings)
    return sentences[wording]
