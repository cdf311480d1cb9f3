"""What an S3 key tells of its records: account, Region, resource and time, so that a window opens only the files that it needs.

A key's time is the end of an interval, the moment of delivery, or the hour of the events: for records of a window from a to b the keys from
a - ``early`` to b + ``late`` are needed. A key that fits no pattern, or whose name and folder contradict each other, is always needed.
Keys may be percent-encoded, as in inventories and notifications, and their folders may be written as Hive does, ``day=06``.

Follows the pages on log files of the services: "Flow log files", "Access log files" of the load balancers, "Configure standard logging"
(CloudFront), "Logging web ACL traffic", "CloudTrail log file name format", "Resolver query logging", "Amazon S3 server access log format",
"Exporting GuardDuty findings" and "Firewall logging destinations".
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from kyumei.model.window import Window

_NO, _MINUTE, _HOUR, _DAY = timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Told(NamedTuple):
    """What a key tells.

    ``log`` is the sort of log: flow, balancer, classic, cloudfront, waf, cloudtrail, resolver, s3, firewall or guardduty. ``moment`` is the
    key's time in UTC, true to ``grain``; null where it tells none. ``log`` and words are empty where they are not told.
    """

    log: str = ""
    account: str = ""
    region: str = ""
    resource: str = ""
    organization: str = ""
    moment: datetime | None = None
    grain: timedelta = _MINUTE
    early: timedelta = _NO
    late: timedelta = _NO


MARGINS: dict[str, tuple[timedelta, timedelta]] = {
    "flow": (_NO, timedelta(minutes=15)),
    "s3": (_NO, _DAY),
    "balancer": (_NO, timedelta(minutes=60)),
    "classic": (_NO, timedelta(minutes=75)),
    "cloudfront": (_HOUR, _NO),
    "waf": (timedelta(minutes=10), timedelta(minutes=10)),
    "cloudtrail": (_NO, timedelta(minutes=30)),
    "resolver": (_NO, timedelta(minutes=15)),
    "firewall": (timedelta(minutes=10), timedelta(minutes=20)),
    "guardduty": (_NO, timedelta(hours=6)),
}
"""How far before and after a window the time of a needed key may lie; later addenda of CloudTrail, days late, are not counted in."""
_SERVICES = {
    "vpcflowlogs": "flow",
    "elasticloadbalancing": "classic",
    "CloudFront": "cloudfront",
    "WAFLogs": "waf",
    "CloudTrail": "cloudtrail",
    "vpcdnsquerylogs": "resolver",
    "network-firewall": "firewall",
    "GuardDuty": "guardduty",
}
"""The folder of a service below the account; a folder does not tell the kinds of load balancers apart, so the widest margin holds."""

_REGION_NAME = r"(?:[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}|cloudfront)"
_ACCOUNT, _REGION = "(?P<account>[0-9]{11,12})", f"(?P<region>{_REGION_NAME})"
_STAMP = r"(?P<moment>[0-9]{8}T?[0-9]{4})(?:[0-9]{2})?Z?(?=[_.]|\Z)"
_NAMES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (log, re.compile(pattern, re.ASCII))
    for log, pattern in (
        ("flow", rf"{_ACCOUNT}_vpcflowlogs_{_REGION}_(?P<resource>[A-Za-z0-9-]+)_{_STAMP}"),
        ("balancer", rf"{_ACCOUNT}_elasticloadbalancing_{_REGION}_(?P<resource>(?:app|net|gwy)\.[^_/]+)_{_STAMP}"),
        ("classic", rf"{_ACCOUNT}_elasticloadbalancing_{_REGION}_(?P<resource>[^_/.]+)_{_STAMP}"),
        ("waf", rf"{_ACCOUNT}_waflogs_{_REGION}_(?P<resource>[^/]+)_{_STAMP}"),
        ("cloudtrail", rf"{_ACCOUNT}_CloudTrail(?:-[A-Za-z]+)?_{_REGION}(?:_[^/]+)?_{_STAMP}"),
        ("resolver", rf"(?P<resource>vpc-[0-9a-z]+)_vpcdnsquerylogs_{_ACCOUNT}_{_STAMP}"),
        ("firewall", rf"{_ACCOUNT}_network-firewall_[a-z]+_{_REGION}_(?P<resource>[^/]+)_{_STAMP}"),
        ("cloudfront", r"(?P<resource>E[A-Z0-9]{11,14})\.(?P<moment>[0-9]{4}(?:-[0-9]{2}){3})\.[0-9A-Za-z-]{8,}(?:\.|\Z)"),
        ("s3", r"(?P<moment>[0-9]{4}(?:-[0-9]{2}){5})-[0-9A-F]{16}(?:\.|\Z)"),
    )
)
_FOLDERS = re.compile(
    rf"(?:^|/)AWSLogs/(?:(?P<organization>o-[a-z0-9]{{4,32}})/)?{_ACCOUNT}/(?P<service>[A-Za-z-]+)/(?P<rest>.*)\Z", re.ASCII | re.DOTALL
)
_BUCKET = re.compile(rf"(?:^|/){_ACCOUNT}/{_REGION}/(?P<resource>[a-z0-9][a-z0-9.-]+)/[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}}/[^/]*\Z", re.ASCII)
_BROKER = re.compile(r"(?P<resource>[^/]+)-[0-9]+/[0-9]{4}(?:-[0-9]{2}){3}/Broker-")
_HIVE = re.compile(r"(?:^|/)(aws-account-id|aws-service|aws-region|year|month|day|hour)=([^/]*)(?=/)", re.ASCII)
_DATE = re.compile(r"(?:^|/)([0-9]{4})/([0-9]{2})/([0-9]{2})(?:/([0-9]{2})(?:/([0-9]{2}))?)?/[^/]*\Z", re.ASCII)
_LEADING = re.compile(rf"(?:[a-z]+/)?{_REGION}/")
_APART = timedelta(hours=50)
"""A folder's day and a name's minute that lie further apart contradict each other."""
_MIDNIGHT = timedelta(hours=1)
"""A window that comes so near to midnight needs the day beyond it, too."""


@lru_cache(maxsize=65536)
def told_by(name: str) -> Told:
    """What the key, or the path of a file that was copied from there, tells."""
    key = unquote_plus(name) if "%" in name or "+" in name else name
    folder = _of_folders(key)
    last = key.rsplit("/", 1)[-1]
    for log, pattern in _NAMES:
        found = pattern.search(last)
        moment = _moment(found["moment"]) if found else None
        if found and moment:
            return _joined(log, found.groupdict(), moment, folder, key)
    if folder.log and folder.moment:
        early, late = MARGINS[folder.log]
        return Told(
            folder.log, folder.account, folder.region, folder.resource, folder.organization, folder.moment, folder.grain, early, late
        )
    return Told("", folder.account, folder.region, folder.resource, folder.organization)


def needed(name: str, window: Window) -> bool:
    """Whether a file of this name may hold records of the window."""
    told = told_by(name)
    if told.moment is None:
        return True
    aside = _MIDNIGHT if told.grain >= _DAY else _NO
    first = _floor(window.start.astimezone(UTC) - told.early - aside, told.grain)
    return first <= told.moment <= window.end.astimezone(UTC) + told.late + aside


def _joined(log: str, found: dict[str, str | None], moment: datetime, folder: Told, key: str) -> Told:
    """What the name tells, and beside it what the folders do."""
    early, late = MARGINS[log]
    grain = _HOUR if log == "cloudfront" else _MINUTE
    bucket = _BUCKET.search(key) if log == "s3" else None
    if bucket and (moment.hour, moment.minute, moment.second) == (0, 0, 0):
        grain, late = _DAY, _DAY  # the day of the events, or by chance a delivery at midnight
    resource = (bucket["resource"] if bucket else None) or found.get("resource") or folder.resource
    if log == "balancer":
        resource = resource.replace(".", "/")
    contradicts = folder.moment is not None and not -_DAY * 2 < folder.moment - moment < _APART
    return Told(
        log,
        found.get("account") or (bucket["account"] if bucket else "") or folder.account,
        found.get("region") or (bucket["region"] if bucket else "") or folder.region,
        resource,
        folder.organization,
        None if contradicts else moment,
        grain,
        early,
        late,
    )


def _of_folders(key: str) -> Told:
    """What the folders tell: those of AWS's own order, or in the form of Hive."""
    hive = dict(_HIVE.findall(key))
    if "aws-account-id" in hive or "aws-service" in hive:
        log = _SERVICES.get(hive.get("aws-service", ""), "")
        parts = [hive.get(part, "") for part in ("year", "month", "day", "hour")]
        moment, grain = _of_parts(parts)
        return Told(log, hive.get("aws-account-id", ""), hive.get("aws-region", ""), moment=moment, grain=grain)
    found = _FOLDERS.search(key)
    if not found:
        return Told()
    rest = found["rest"]
    region, date, broker = _LEADING.match(rest), _DATE.search(rest), _BROKER.search(rest)
    moment, grain = _of_parts([part or "" for part in date.groups()]) if date else (None, _DAY)
    return Told(
        _SERVICES.get(found["service"], ""),
        found["account"],
        region["region"] if region else "",
        broker["resource"] if broker else "",
        found["organization"] or "",
        moment,
        grain,
    )


def _of_parts(parts: list[str]) -> tuple[datetime | None, timedelta]:
    """The moment that year, month, day, perhaps hour and minute make, and how long the last of them lasts."""
    told = [part for part in parts if part]
    if len(told) < len(("year", "month", "day")) or not all(part.isascii() and part.isdigit() for part in told):
        return None, _DAY
    grain = (_DAY, _HOUR, _MINUTE)[len(told) - 3]
    try:
        return datetime(*map(int, told), tzinfo=UTC), grain  # type: ignore[arg-type,misc]  # year to minute
    except ValueError:
        return None, _DAY


def _moment(written: str) -> datetime | None:
    """The time in a name: digits from the year down to the hour, minute or second."""
    digits = re.sub("[^0-9]", "", written)
    ends = (4, 6, 8, 10, 12, 14)
    parts = [digits[start:end] for start, end in zip((0, *ends), ends, strict=False) if end <= len(digits)]
    return _of_parts(parts[:5])[0]


def _floor(moment: datetime, grain: timedelta) -> datetime:
    """The beginning of the minute, hour or day."""
    return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % grain
