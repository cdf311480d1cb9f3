"""What tools write and people hand on: records in JSON, mails of alarms, what a browser's developer tools show, lines of error logs.

A key of a record names its value and is no quotation; a link into a console is no request; the address of the server is not the client's;
the threshold of an alarm is no status. Put into words that the readers of a sentence take rightly, or left out.

The names are those of the HAR 1.2 format, of CloudWatch's alarm notifications ("Alarm events and notifications"), of nginx's error log
and of the W3C's Trace Context (traceparent).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from kyumei.diagnose.spoken_monitors import without_monitors
from kyumei.diagnose.spoken_names import listed

if TYPE_CHECKING:
    from collections.abc import Callable

_PAIR = re.compile(
    r'"(?P<key>[A-Za-z_@][\w.@ -]{0,60})"\s{0,5}:\s{0,5}(?P<value>"(?:[^"\\\n]|\\.){0,2000}"|-?\d[\d.eE+-]{0,30}|true\b|false\b|null\b)?',
    re.ASCII,
)
_RECORD = re.compile(r'[{,\n]\s{0,20}"[A-Za-z_@][\w.@ -]{0,60}"\s{0,5}:', re.ASCII)
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?", re.ASCII)
_KEYS: dict[str, frozenset[str]] = {
    "status": frozenset(listed("status statuscode httpstatus httpstatuscode responsestatus responsestatuscode responsecode elbstatuscode")),
    "id": frozenset(listed("requestid xrequestid traceid reqid correlationid xamzntraceid xamznrequestid awsrequestid xedgerequestid")),
    "place": frozenset(listed("path uri url requesturi requesturl requestpath rawpath urlpath cleanpath endpoint httppath")),
    "method": frozenset(listed("method requestmethod httpmethod verb")),
    "host": frozenset(listed("host hostname httphost domainname vhost serverhost")),
    "client": frozenset(listed("clientip remoteaddr remoteip sourceip client ip realip xforwardedfor xrealip httpxforwardedfor")),
    "words": frozenset(listed("message msg error errormessage detail reason description statustext title exception")),
    "time": frozenset(
        listed(
            "time timestamp ts date datetime starteddatetime requesttime requesttimeepoch eventtime lastseen timelocal"
            " statechangedutctime occurredat"
        )
    ),
    "milliseconds": frozenset(listed("durationms latencyms elapsedms responsetimems tookms responselatency integrationlatency")),
    "agent": frozenset(listed("useragent httpuseragent")),
}
"""Keys without their capitals and marks, by what they name. A number under any other key counts something."""
_FLAT = re.compile(r"\{[^{}]{0,5000}\}")
_STATUS_OF = re.compile(r'"(?:http_?)?status(?:_?code)?"\s{0,5}:\s{0,5}"?([1-5])\d\d\b', re.IGNORECASE)
_EPOCH = re.compile(r"1\d{9}(?:\d{3})?(?:\.\d{1,9})?", re.ASCII)

_ALARM = re.compile(r"\bAmazon CloudWatch Alarm\b|^\W{0,3}(?:Reason for State Change|State Change|MetricName|Alarm Arn): ", re.MULTILINE)
_NO_PART_OF_AN_ALARM = re.compile(
    r"\bdatapoints? \[[^\]\n]{0,500}\]|\bthreshold \([\d.]{1,20}\)|\(minimum \d{1,3} datapoints?[^)\n]{0,60}\)"
    r"|^.{0,5}The alarm is in the ALARM state when .{0,300}$|\d{1,4} out of the last \d{1,4}|\barn:aws[\w-]*:\S{1,300}"
    r"|^.{0,5}(?:AWS Account|Period|Statistic|Unit|TreatMissingData|Description): .{0,200}$",
    re.MULTILINE,
)
_ALARMED_AT = re.compile(r"(?:\bat \"|^.{0,5}Timestamp: )(\w{6,9} \d{2} \w{3,9}, \d{4} \d{2}:\d{2}:\d{2} UTC)\"?", re.MULTILINE)

_NOT_THE_REQUEST = re.compile(
    r", (?:upstream|subrequest): \"[^\"\n]{0,2000}\"|\d{1,9}#\d{1,9}: (?:\*\d{1,20} )?|, server: [^,\s]{0,255}(?=, request: )"
    r"|^[ \t]*Remote Address:?\s{0,3}\S{1,60}|\"serverIPAddress\"\s{0,3}:\s{0,3}\"[^\"\n]{0,60}\",?",
    re.MULTILINE,
)
"""In a line of nginx's error log the server behind it, in the developer tools the server that was asked."""
_TRACE_PARENT = re.compile(r"\btraceparent\"?\s{0,3}[:=]\s{0,3}\"?00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\"?", re.IGNORECASE)

_TOOL = re.compile(
    r"(?:.{1,200}\.)?(?:console\.aws(?:\.amazon)?\.com|signin\.aws\.amazon\.com|datadoghq\.(?:com|eu)|pagerduty\.com|sentry\.io|slack\.com"
    r"|atlassian\.net|opsgenie\.com|newrelic\.com|grafana\.net|zendesk\.com|teams\.microsoft\.com|github\.com|service-now\.com"
    r"|uptimerobot\.com|statuspage\.io|backlog\.(?:com|jp)|chatwork\.com|splunkcloud\.com|honeycomb\.io|mackerel\.io)",
    re.IGNORECASE,
)


def is_tool(host: str) -> bool:
    """Whether the host is that of a console, a chat or a tracker, to which a report links, and not the one that failed.

    >>> is_tool("ap-northeast-1.console.aws.amazon.com"), is_tool("console.example.com")
    (True, False)
    """
    return bool(_TOOL.fullmatch(host))


def in_words(text: str) -> str:
    """The text with what tools wrote put into words, and without what in it tells nothing of the request."""
    text = _NOT_THE_REQUEST.sub(" ", _TRACE_PARENT.sub(r" request id: \1 ", without_monitors(text)))
    if _ALARM.search(text):
        # An alarm tells of the minutes before it.
        text = _NO_PART_OF_AN_ALARM.sub(" ", _ALARMED_AT.sub(r" around \1 ", text)).replace('"', " ")
    if _RECORD.search(text):
        if any(found[1] in "45" for found in _STATUS_OF.finditer(text)):  # of several records those that failed are meant
            text = _FLAT.sub(lambda found: " " if (status := _STATUS_OF.search(found[0])) and status[1] in "123" else found[0], text)
        in_archive = '"startedDateTime"' in text
        text = _PAIR.sub(lambda found: _of_pair(found, in_archive=in_archive), text)
    return text


def _of_pair(found: re.Match[str], *, in_archive: bool) -> str:
    """A key and its value as words. Without a value (an object or a list follows) nothing is left of the key."""
    key = re.sub(r"[^a-z]", "", found["key"].lower())
    said = found["value"]
    if said is None or said in {"true", "false", "null"}:
        return " "
    value = _text_of(said) if said.startswith('"') else said
    if in_archive and key == "time":  # HAR: "total elapsed time of the request in milliseconds"
        return f" took {float(value):.0f} ms " if _NUMBER.fullmatch(value) and abs(float(value)) < 1e9 else " "  # noqa: PLR2004 - ten days
    kind = next((kind for kind, keys in _KEYS.items() if key in keys), "")
    if kind:
        return _SAID[kind](value)
    return " " if _NUMBER.fullmatch(value) else f" {value.replace(chr(34), ' ')} "


def _text_of(said: str) -> str:
    """The text of a JSON string; one with an escape that JSON does not know stays as it is."""
    try:
        return str(json.loads(said))
    except ValueError:
        return said[1:-1]


def _status(value: str) -> str:
    return f" status {value} " if re.fullmatch(r"[1-5]\d\d", value, re.ASCII) else f" {value} " if not _NUMBER.fullmatch(value) else " "


def _time(value: str) -> str:
    return " " if _NUMBER.fullmatch(value) and not _EPOCH.fullmatch(value) else f" {value} "


_SAID: dict[str, Callable[[str], str]] = {
    "status": _status,
    "id": lambda value: f" request id: {value} ",
    "place": lambda value: f" {value} ",
    "method": lambda value: f" {value.upper()} " if value.isalpha() else " ",
    "host": lambda value: f" host: {value} ",
    "client": lambda value: f" client {value.partition(',')[0]} ",
    "words": lambda value: f' "{value.replace(chr(34), " ")}" ' if not _NUMBER.fullmatch(value) else " ",
    "time": _time,
    "milliseconds": lambda value: f" took {float(value):.0f} ms " if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value, re.ASCII) else " ",
    "agent": lambda value: " browser " if value.startswith("Mozilla/") else " ",
}
