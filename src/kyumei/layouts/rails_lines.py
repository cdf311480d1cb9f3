r"""The lines of Rails where no formatter puts time and level before them, as Rails 8 leaves them and every Rails in development.

``Started`` opens a request and has the only time; what Rails does for it stands in lines below, up to ``Completed`` with the status, and
the error with its backtrace under that. Several threads write into one file: with ``config.log_tags`` the id of the request stands before
each line, and only a line with the same one tells of the request. Where each line is an event of its own (a container's, in CloudWatch
Logs), each is a record.

Follows "Rails::Rack::Logger", "ActionController::LogSubscriber" and "ActiveSupport::TaggedLogging" of the Rails API.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kyumei.layouts.app_shapes import UUID
from kyumei.layouts.casts import TEXT, Cast, Take, quoted
from kyumei.layouts.clocks import ISO_TIME, TIME_NAIVE
from kyumei.layouts.text_shapes import Shape

if TYPE_CHECKING:
    from collections.abc import Callable

_TAGS = r"(?:\[[^\]\n]*\] )*"
_STARTED = rf'{_TAGS}Started [A-Z]{{3,8}} "/[^"\n]*" (?:\[[A-Za-z -]+\] )?for [^ \n]+ at '
_LOGRAGE = rf"{_TAGS}method=[A-Z]{{3,8}} path=/"
RAILS_HEAD = rf"{_STARTED}|{_LOGRAGE}"
"""The first line of a record, the tags before it."""
_TYPE = r"(?:[A-Z]\w*(?:::[A-Z]\w*)+|[A-Z]\w*(?:Error|Exception|Timeout|Interrupt))"
_TAGGED = rf"\[{UUID}\] {_TAGS}"
RAILS_WITHIN = rf"{_TAGGED}(?:Completed [1-5][0-9]{{2}} |{_TYPE} \([^\n]*\): *(?:\r?\n|$))"
"""Lines that say by their tag which request they close, or whose error they are; those of others may stand in between."""
_OPENED = re.compile(_TAGS, re.ASCII)
_COMPLETED = re.compile(r"Completed ([1-5][0-9]{2}) [^\n]* in ([0-9]{1,9}(?:\.[0-9]{1,6})?)ms\b", re.ASCII)


_RAISED = re.compile(rf"{_TAGS}({_TYPE}) \(([^\n]*)\): *$", re.ASCII)


def _own(text: str) -> tuple[str, list[str]]:
    """The tags of the request that the text opens, and the lines that have them."""
    opened = _OPENED.match(text)
    tags = opened[0] if opened else ""
    return tags, [line for line in text.split("\n") if line.startswith(tags)]


def _completed(text: str) -> re.Match[str] | None:
    """What closes the request that the text opens; null where it does not stand in it, or more than one does."""
    tags, lines = _own(text)
    closing = [line for line in lines if line.startswith("Completed ", len(tags))]
    return _COMPLETED.match(closing[0], len(tags)) if len(closing) == 1 else None


def _raised(text: str) -> re.Match[str] | None:
    """The first error of the request that the text opens."""
    return next((found for line in _own(text)[1] if (found := _RAISED.match(line))), None)


_TAGS_OF = f"regexp_extract({{x}}, {quoted(f'^{_TAGS}')})"
_LINES = f"list_filter(string_split({{x}}, chr(10)), lambda line: starts_with(line, concat({_TAGS_OF}, 'Completed ')))"
_FOUND = f"CASE WHEN len({_LINES}) = 1 THEN regexp_extract(({_LINES})[1], {quoted(f'^{_TAGS}{_COMPLETED.pattern}')}, "
_ERRORS = (
    f"list_filter(string_split({{x}}, chr(10)), lambda line: starts_with(line, {_TAGS_OF}) "
    f"AND regexp_matches(line, {quoted(f'^{_RAISED.pattern}')}))[1]"
)


def _cast(name: str, found: Callable[[str], re.Match[str] | None], group: int, of: Callable[[str], Any], sql: str) -> Cast:
    """A part of what was found in a record of several lines."""
    return Cast(name, lambda raw: of(match[group]) if (match := found(raw)) else None, sql)


STATUS = _cast("status of a Rails request", _completed, 1, int, f"TRY_CAST(NULLIF({_FOUND}1) END, '') AS BIGINT)")
SECONDS = _cast(
    "seconds of a Rails request", _completed, 2, lambda raw: float(raw) / 1000, f"TRY_CAST(NULLIF({_FOUND}2) END, '') AS DOUBLE) / 1000"
)
RAISED = _cast("error of a Rails request", _raised, 1, str, f"regexp_extract({_ERRORS}, {quoted(f'^{_RAISED.pattern}')}, 1)")
SAID = _cast("what it says", _raised, 2, str, f"regexp_extract({_ERRORS}, {quoted(f'^{_RAISED.pattern}')}, 2)")

_LINE, _WHOLE = Take("_line", "text", TEXT), Take("message", "text", TEXT)
_REQUEST_ID = Take("request_id", "request_id", TEXT)
_ERROR = (Take("error_type", "type", TEXT), Take("error_text", "text_of", TEXT))
_NAMED = rf"(?P<type>{_TYPE}) \((?P<text_of>[^\n]*)\):"
_OWN = (
    *(Take("status", "text", STATUS, optional=True), Take("request_seconds", "text", SECONDS, optional=True)),
    *(Take("error_type", "text", RAISED, optional=True), Take("error_text", "text", SAID, optional=True)),
)
RAILS_OPENINGS = (
    Shape(
        "rails request",
        rf"^{_STARTED}(?P<time>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}} [+-][0-9]{{4}})",
        (
            *(_LINE, _WHOLE, Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE)),
            *_OWN,
        ),
        starts="[S",
    ),
    Shape("lograge", rf"^{_LOGRAGE}", (_LINE, _WHOLE), starts="[m"),
    Shape(
        "rails line",
        rf"^{_TAGS}(?:Processing by [A-Z][\w:]*#\w+ as |Completed [1-5][0-9]{{2}} [A-Z][^\n]* in [0-9.]+ms|Filter chain halted as )",
        (_LINE, _WHOLE, *_OWN),
        starts="[PCF",
    ),
    Shape("rails error", rf"^{_TAGS}{_NAMED} *(?:\n|$)", (_LINE, _WHOLE, *_ERROR), starts="[ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    Shape("tagged with a request", rf"^\[(?P<request_id>{UUID})\] ", (_LINE, _WHOLE, _REQUEST_ID), starts="["),
)
"""The lines that tell something of a request; the last one takes all others of a request whose id is told."""
RAILS_ERROR = Shape("rails", rf"^{_TAGS}{_NAMED} *(?:\n|$)", _ERROR)
"""The error in a message of its own."""
