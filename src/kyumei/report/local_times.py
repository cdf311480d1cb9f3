"""Tells the times inside the sentences of an answer in the zone of the person who asked, with UTC beside them.

The rules write ``05:32:10 UTC``, as every log is read; whoever said "14:32 JST" must not have to add nine hours at night. Commands and the
cited lines stay as they are, and so does the JSON report.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from kyumei.report.moments import in_zone, zone_of
from kyumei.report.tables import centre

if TYPE_CHECKING:
    from kyumei.model.finding import Finding, Investigation

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = rf"(?:{_DATE} )?[0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]{{1,6}})?)?"
_TOLD = re.compile(rf"(?<![\w'\"(.:/+-]){_CLOCK}(?: (?:to|and) {_CLOCK})* UTC(?![\w+'\"-]| \()")
"""One time or several, in UTC. What stands in quotation marks is a log's or a command's; what a bracket follows has its zone already."""
_ONE = re.compile(rf"(?:({_DATE}) )?([0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}})?)(\.[0-9]{{1,6}})?")
_HALF_DAY = timedelta(hours=12)
_DAY = timedelta(days=1)


def told_locally(investigation: Investigation) -> Investigation:
    """The same answer, its sentences with local times; unchanged where the person's zone is UTC or not known."""
    zone, near = investigation.symptom.zone, centre(investigation)
    if not zone or near is None or zone_of(zone) is UTC:
        return investigation

    def local(text: str) -> str:
        """A sentence with its times in both zones."""
        return in_both_zones(text, zone, near)

    def finding(one: Finding) -> Finding:
        """A finding whose sentences are told so."""
        chain = tuple(replace(evidence, says=local(evidence.says)) for evidence in one.chain)
        return replace(one, title=local(one.title), chain=chain, message=local(one.message))

    return replace(
        investigation,
        sentence=local(investigation.sentence),
        findings=tuple(finding(one) for one in investigation.findings),
        ruled_out=tuple(replace(one, why=local(one.why)) for one in investigation.ruled_out),
        hops=tuple(replace(one, why=local(one.why)) for one in investigation.hops),
        gaps=tuple(replace(one, missing=local(one.missing), would_decide=local(one.would_decide)) for one in investigation.gaps),
        notes=tuple(local(note) for note in investigation.notes),
        message=local(investigation.message),
    )


def in_both_zones(text: str, zone: str, near: datetime) -> str:
    """``at 05:32:10 UTC`` as ``at 14:32:10 JST (05:32:10 UTC)``; a time without a date is the one nearest to ``near``.

    Dates are repeated in the bracket only where they differ.

    >>> in_both_zones("from 05:31 to 05:32:10 UTC", "Asia/Tokyo", datetime(2025, 2, 6, 5, tzinfo=UTC))
    'from 14:31 to 14:32:10 JST (05:31 to 05:32:10 UTC)'
    """

    def both(told: re.Match[str]) -> str:
        """The times of one match, here and in UTC."""
        times = told[0].removesuffix(" UTC")
        moments = [_moment(one, near) for one in _ONE.finditer(times)]
        if None in moments:
            return told[0]
        names = {in_zone(moment, zone).tzname() for moment in moments if moment}
        if len(names) != 1 or names == {"UTC"}:
            return told[0]
        local = _ONE.sub(lambda one: _local(one, zone, near), times)
        same = re.findall(_DATE, local) == re.findall(_DATE, times)
        return f"{local} {names.pop()} ({re.sub(f'{_DATE} ', '', times) if same else times} UTC)"

    return _TOLD.sub(both, text)


def _moment(told: re.Match[str], near: datetime) -> datetime | None:
    """The moment of one time; null where it is none (25:61)."""
    day, clock, _ = told.groups()
    try:
        moment = datetime.fromisoformat(f"{day or near.astimezone(UTC).date()}T{clock}+00:00")
        if not day:
            moment += _DAY if near - moment > _HALF_DAY else -_DAY if moment - near > _HALF_DAY else timedelta(0)
    except (ValueError, OverflowError):
        return None
    return moment


def _local(told: re.Match[str], zone: str, near: datetime) -> str:
    """One time in the zone, in the shape in which it was told; with its date where it had one."""
    day, clock, fraction = told.groups()
    moment = _moment(told, near)
    if moment is None:
        return told[0]
    form = ("%Y-%m-%d " if day else "") + ("%H:%M:%S" if clock.count(":") > 1 else "%H:%M")
    return in_zone(moment, zone).strftime(form) + (fraction or "")
