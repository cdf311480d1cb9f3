"""What monitors, browsers' consoles and download tools write around a failure, put so that the readers of a sentence take it rightly.

The measured values of an alert are no status, a probe's run has an id and no request, the address that a tool connected to is the
server's, and who corrects a status means the second one.

The shapes are those of Grafana's notification templates ("Value: A=1, C=1", "endsAt"), of Pingdom's webhook ("state_changed_utc_time"), of
EventBridge's events ("detail-type"), of wget's talk and of the consoles of Chrome and Firefox.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress

from kyumei.model.status import FAILED

_VALUES = re.compile(r"^Value:(?: [A-Z]\w{0,20}=-?[\d.e+-]{1,30},?){1,20}[ \t]*$", re.MULTILINE)
_NOT_YET_OVER = re.compile(r"\b0001-01-01T00:00:00(?:\.0{1,9})?Z?")
"""The time of what has not come yet, in programs that know no empty one."""
_IN_UTC = re.compile(
    r'("[A-Za-z_]{0,40}utc_?(?:time(?:stamp)?)?"\s{0,3}:\s{0,3}"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)"', re.IGNORECASE
)
_OF_EVENT_BRIDGE = re.compile(r'"detail-type"\s{0,3}:')
_NO_REQUEST = re.compile(
    r'"(?:id|(?:account|canary|canary-run|incident|monitor|alert|event|execution|check|test|run)[-_]?id)"\s{0,3}:\s{0,3}"[^"\n]{0,100}"',
    re.IGNORECASE,
)
"""Ids of an event and of what it is about."""
_SEEN = re.compile(r"\bfirst seen:?(?: at)? ([^,;|\n]{4,40}?)(?: ?[,;|/]| and|\n) ?last seen:?(?: at)? (?=\S{0,12}\d)", re.IGNORECASE)
_AT_LINE = re.compile(r"(https?://[^\s/]{1,255}/[^\s:]{0,2000}):\d{1,7}(?::\d{1,7})?(?=[\s)]|$)")
_OF_A_CONSOLE = re.compile(r"Failed to load resource|^\s{1,8}at \S{1,200} \(|\bUncaught\b|\bnet::ERR_", re.MULTILINE)
_XHR = re.compile(r"\bXHR ?(?=(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\b)")
_CONNECTING = re.compile(
    r"^Resolving \S{1,255}(?: \([^)\n]{1,255}\))?\.\.\. [\da-fA-F.:, ]{2,200}$"
    r"|^Connecting to (?:[^\s|]{1,255}(?: \([^)\n]{1,255}\))?\|)?[\da-fA-F.:\[\]]{3,50}\|?:\d{1,5}\.\.\.(?: connected\.)?",
    re.MULTILINE,
)
_CORRECTED = re.compile(
    # "502, no 504" says that there was none; who corrects himself stops after the "no", or says more.
    r"\b[45]\d\d[\s.,:;!?\u2026-]{1,8}(?:(?:no\b[\s.,:;!?\u2026-]{1,8})?(?:sorry|oops|wait|i mean|i meant|rather|actually|correction)\b"
    r"(?:[\s.,:;!?\u2026-]{1,8}(?:no|sorry)\b)?|no\b(?= ?[.,:;!?\u2026-]))[\s.,:;!?\u2026-]{1,4}(?=[45]\d\d\b(?! ?(?:m?s\b|milli|sec|min)))"
    r"|\b[45]\d\d ?(?:\.{2,4}|\u2026) ?no (?=[45]\d\d\b)"
    r"|(?<!\d)[45]\d\d ?(?:\u3067\u306f|\u3058\u3083)\u306a\u304f\u3066?[\u3001, ]{0,2}(?=[45]\d\d(?!\d))",
    re.IGNORECASE,
)
"""A failing status, and the one that it should be: "503, wait 120 seconds" and "503, no 200 at all" correct nothing."""
_SYSLOG_BEFORE = re.compile(
    r"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?=\S{1,100} [\w./-]{1,60}(?:\[\d{1,9}\])?: .{0,300}"
    r"(?:\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S{0,12}(?:Z|[+-]\d\d:?\d\d)\b))",
    re.MULTILINE,
)
"""The stamp of a syslog line, which states no zone, before one that states its own."""
_OF_AN_ARN = re.compile(r"(\barn:aws[\w-]{0,10}:[^\s\"']{1,300}[/:])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_SENT_AT = re.compile(
    r"(^[> ]{0,10}On .{3,40}?),? (?:at )?\d{1,2}:\d\d(?::\d\d)?(?:[ \u202f]?[AP]M)?(?= .{0,100}wrote:\s*$)"
    r"|(^[> ]{0,10}\d{4}\u5e74\d{1,2}\u6708\d{1,2}\u65e5.{0,5}) \d{1,2}:\d\d(?= .{0,100}<[^<>\s]{1,100}>:\s*$)",
    re.MULTILINE,
)
"""When a mail was written that is quoted: its day may be that of the failure, its clock is not."""
_CLOCK = re.compile(r"\d{1,2}:\d\d")


def _failed_entries(text: str) -> str:
    """A recording of a browser (HAR) with those of its entries that failed; the text itself where it is none."""
    start, end = text.find("{"), text.rfind("}") + 1
    with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
        entries = json.loads(text[start:end])["log"]["entries"]
        failed = [entry for entry in entries if int(entry["response"]["status"]) >= FAILED]
        if failed:
            return text[:start] + json.dumps(failed, ensure_ascii=False) + text[end:]
    return text


def without_monitors(text: str) -> str:
    """The text without the values, ids and addresses that are none of the failing request's.

    >>> without_monitors("a 409... no sorry, 422 on /a")
    'a 422 on /a'
    """
    if '"entries"' in text:
        text = _failed_entries(text)
    text = _NOT_YET_OVER.sub(" ", _VALUES.sub(" ", _CORRECTED.sub("", text)))
    text = _SEEN.sub(r"from \1 to ", _XHR.sub(" ", _CONNECTING.sub(" ", text)))
    if _OF_A_CONSOLE.search(text):
        text = _AT_LINE.sub(r"\1", text)
    if _OF_EVENT_BRIDGE.search(text):
        text = _NO_REQUEST.sub('"name": null', text)
    text = _OF_AN_ARN.sub(r"\1", _SYSLOG_BEFORE.sub("", text))
    if _CLOCK.search(bare := _SENT_AT.sub(r"\1\2", text)):
        text = bare
    return _IN_UTC.sub(r'\1Z"', text)
