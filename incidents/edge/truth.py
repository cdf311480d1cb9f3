"""What is true of an incident, and how a person would report it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from incidents.edge.call import maker
from incidents.plan import draw
from incidents.truth import Cited

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from incidents.edge.call import Call
    from incidents.edge.fault import Fault, Log, Variant, Verdict
    from incidents.edge.place import Place
    from incidents.edge.written import File

LABELS = {"UTC": "UTC", "Asia/Tokyo": "JST"}


@dataclass(frozen=True)
class Truth:
    """The truth of one incident.

    The first finding must carry one of ``codes`` and cite one of ``cited``; no proven or likely one may carry one of ``forbidden``.
    With ``weaker`` the verdict may also be "cannot tell", because a clock is wrong. ``missing`` are the logs of which one would decide
    where the verdict is "cannot tell". ``all_codes`` are groups of codes; of each some finding must be there (two failures at once).
    """

    cause: str
    variant: Variant
    seed: int
    sentence: str
    moment: datetime
    status: int
    method: str
    path: str
    client: str
    verdict: Verdict
    weaker: bool
    codes: tuple[str, ...]
    forbidden: tuple[str, ...]
    cited: tuple[Cited, ...]
    missing: tuple[str, ...]
    answered_by: str
    stack: tuple[str, ...]
    all_codes: tuple[tuple[str, ...], ...] = ()


NOTES = ("EDGE-120", "EDGE-121", "EDGE-122", "EDGE-123", "EDGE-124", "EDGE-125", "EDGE-126", "EDGE-127", "EDGE-155", "EDGE-156", "EDGE-157")
"""Warnings and clues about the site, which accuse nobody."""


def forbidden(place: Place, fault: Fault, every: Sequence[str]) -> tuple[str, ...]:
    """Every id but those that are true: what a fault says, what relaying it looks like in front, and mere notes."""
    allowed = {*fault.codes, *fault.true, *NOTES}
    for other in fault.others:
        allowed |= {*other.codes, *other.true}
    order = [str(hop) for hop in place.stack]
    by = maker(place.stack, fault)
    if "alb" in order and order.index(by) > order.index("alb"):
        allowed.add("EDGE-008" if place.inner("alb") == "lambda" else "EDGE-001")
    if "clb" in order and order.index(by) > order.index("clb"):
        allowed.add("EDGE-001")
    if order[0] == "cloudfront" and by != "cloudfront":
        allowed.add("EDGE-086")
    return tuple(code for code in every if code not in allowed)


def cited(fault: Fault, files: Sequence[File], calls: Sequence[Call]) -> tuple[Cited, ...]:
    """The lines of which the first finding must cite one: those that show the cause, and of the component that answered."""
    if fault.verdict != "cause_found":
        return ()
    del calls
    return tuple(Cited(file.name, line) for file in files for line in file.shown)


def missing_of(fault: Fault, variant: Variant, decides: tuple[Log, ...]) -> tuple[str, ...]:
    """The logs of which one would decide, where the verdict is "cannot tell"."""
    return decides if variant == "undecidable" else fault.missing


def sentence(place: Place, fault: Fault, one: Call) -> str:
    """What the person says, in one of several wordings."""
    local = place.moment.astimezone(place.speaker)
    zone = LABELS.get(str(place.speaker), str(place.speaker))
    offset = local.strftime("%z")
    when = f"{local:%Y-%m-%d %H:%M}"
    day = f"{local.year}年{local.month}月{local.day}日 {local.hour}時{local.minute}分頃"
    chance = draw(place.plan, "wording")
    if fault.others:  # of two troubles the person names neither path
        return chance.choice((f"users get {fault.status} at {when} {zone}", f"{day} ({zone}) {fault.status} エラーが出ています"))
    if fault.complaint == "connect":
        return chance.choice(
            (
                f"TLS handshake with {place.domain} fails from {one.client} at {when} {zone}",
                f"{one.client} cannot connect to {place.domain} (TLS handshake error) around {local.isoformat(timespec='minutes')}",
            )
        )
    if fault.complaint == "slow":
        return chance.choice(
            (
                f"{one.method} {one.path} was very slow at {when} {zone}",
                f"{day} ({zone}) {one.path} がとても遅い",
            )
        )
    status = f"{one.seen[place.stack[0]].status or 0:03d}"
    return chance.choice(
        (
            f"{status} on {one.method} {one.path} at {when} {zone}",
            f"{one.method} {one.path} answered {status} around {local.isoformat(timespec='minutes')}",
            f"at about {place.moment:%Y-%m-%d %H:%M} UTC we got {status} on {one.path}",
            f"{day} ({zone}) {one.path} で {status} エラーになりました",
            f"users see {status} on {one.path}, first noticed {when} UTC{offset[:3]}:{offset[3:]}",
            f"{status} on {one.method} {one.path} at {when} {zone} from {one.client}",
        )
    )
