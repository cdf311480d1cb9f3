"""The tables of a report: hops, coverage, unread lines, timeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.report.document import Grid, Tone
from kyumei.report.moments import in_zone, shown_span

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from kyumei.model.artifact import Coverage
    from kyumei.model.finding import Hop, Investigation, Moment

SHOWN_MOMENTS = 60
"""So many lines of a timeline a person reads; the JSON has all."""

_HOPS = {
    "alb": "Load balancer (ALB)",
    "apache": "Apache httpd",
    "apigateway": "API Gateway",
    "app": "Application",
    "balancer": "Load balancer",
    "client": "Client",
    "clb": "Load balancer (CLB)",
    "cloudfront": "CloudFront",
    "ingress": "Proxy (Envoy, Traefik, Caddy)",
    "lambda": "Lambda",
    "nlb": "Load balancer (NLB)",
    "server": "Application server",
    "sidecar": "Sidecar proxy (Envoy)",
    "waf": "AWS WAF",
}
_LONG_TITLES = ("Application Load Balancer", "Classic Load Balancer", "Network Load Balancer", "load balancer or proxy")
_SAW = {"yes": "saw it", "no": "did not", "blind": "blind"}
_ANSWERED = {True: "yes", False: "no", None: "not known"}


def hop_label(hop: str) -> str:
    """What people call the component; a component without such a name keeps its own (nginx, gunicorn)."""
    return _HOPS.get(hop, hop)


def hop_name(hop: Hop) -> str:
    """Which one of its sort the hop is (the name of a web ACL), without its sort; empty where that is all that is known."""
    name = hop.name
    for title in (hop_label(hop.hop), *_LONG_TITLES, hop.hop):
        if name.lower() == title.lower():
            return ""
        if name.lower().startswith(title.lower() + " "):
            return name[len(title) + 1 :]
    return name


def hop_tone(hop: Hop) -> Tone:
    """Answered, saw it, never saw it, or blind."""
    if hop.answered:
        return Tone.ANSWERED
    return {"yes": Tone.SEEN, "no": Tone.ABSENT}.get(hop.saw_it, Tone.BLIND)


def hop_grid(hops: Sequence[Hop]) -> Grid:
    """Each hop: did it see the request, did it answer, why we say so and where that stands."""
    rows = []
    for hop in hops:
        places = "\n".join(f"{citation.file}:{citation.line}" for citation in hop.citations)
        which = hop_name(hop)
        name = hop_label(hop.hop) + (f"\n{which}" if which else "")
        why = hop.why + (f"\n{places}" if places else "")
        rows.append((name, _SAW.get(hop.saw_it, hop.saw_it), _ANSWERED[hop.answered], why))
    return Grid(("Hop", "Saw it?", "Answered?", "Why"), tuple(rows), tuple(hop_tone(hop) for hop in hops))


def coverage_grid(coverage: Sequence[Coverage], zone: str | None) -> Grid:
    """Each table: its files and rows, from when to when, and whether it covers the symptom."""
    rows = []
    for item in coverage:
        span = shown_span(item.start, item.end, zone) if item.start and item.end else ""
        covers = "yes" if item.covers_symptom else "no"
        rows.append((item.table, f"{item.files:,}", f"{item.rows:,}", covers, "\n".join(part for part in (item.why, span) if part)))
    tones = tuple(Tone.SEEN if item.covers_symptom else Tone.BLIND for item in coverage)
    return Grid(("Table", "Files", "Rows", "Covers it?", "Why, and from when to when"), tuple(rows), tones)


def unread_grid(files: Sequence[tuple[str, int]]) -> Grid:
    """Files with lines that could not be read."""
    return Grid(("File", "Unread lines"), tuple((file, f"{lines:,}") for file, lines in files))


def timeline_grid(investigation: Investigation) -> tuple[Grid, int]:
    """The moments nearest to the symptom in order of time, and how many others there are."""
    zone = investigation.symptom.zone
    shown = shown_moments(investigation)
    dated = len({in_zone(moment.time, zone).date() for moment in shown}) > 1
    form = "%Y-%m-%d %H:%M:%S" if dated else "%H:%M:%S"
    rows = []
    for moment in shown:
        place = f"{moment.citation.file}:{moment.citation.line}" if moment.citation else ""
        says = moment.says + (f"\n{place}" if place else "")
        rows.append((f"{in_zone(moment.time, zone).strftime(form)}.{moment.time.microsecond // 1000:03d}", hop_label(moment.hop), says))
    tones = tuple(Tone.ANSWERED if moment.kind in {"symptom", "failure"} else Tone.PLAIN for moment in shown)
    label = in_zone(shown[0].time, zone).tzname()
    return Grid((f"Time ({label})", "Where", "What"), tuple(rows), tones), len(investigation.timeline) - len(shown)


def shown_moments(investigation: Investigation) -> tuple[Moment, ...]:
    """The moments of the timeline that are shown to people, oldest first."""
    moments = investigation.timeline
    if len(moments) > SHOWN_MOMENTS:
        middle = centre(investigation)
        moments = (
            tuple(sorted(moments, key=lambda moment: abs(moment.time - middle))[:SHOWN_MOMENTS]) if middle else moments[:SHOWN_MOMENTS]
        )
    return tuple(sorted(moments, key=lambda moment: moment.time))


def centre(investigation: Investigation) -> datetime | None:
    """The moment of the symptom, as near as it is known."""
    symptom = investigation.symptom
    return symptom.moment or (symptom.window.middle if symptom.window else None)
