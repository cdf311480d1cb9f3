"""What a person says they saw, as fields: pure reading of a sentence and of options, without input or output.

The sentence may be English or Japanese, in any order; every reader marks what it has read, so that no digit is taken twice. What was
understood and what was not are both echoed in the Symptom, because a misread sentence would send the investigation to the wrong minute.
Where two readings are possible (a zone such as IST, a date such as 2/6/2025) nothing is guessed: SymptomError says what to write instead.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

from kyumei.diagnose.spoken_names import METHODS
from kyumei.diagnose.spoken_pastes import without_boilerplate
from kyumei.diagnose.spoken_records import is_tool
from kyumei.diagnose.spoken_requests import (
    TRACE_ROOT,
    Target,
    read_browser,
    read_clients,
    read_hosts,
    read_labelled_ids,
    read_loose_ids,
    read_method,
    read_status,
    read_targets,
    with_ascii_addresses,
)
from kyumei.diagnose.spoken_text import cleaned, leftovers, uniform, without_quotes
from kyumei.diagnose.spoken_troubles import read_took, read_trouble
from kyumei.diagnose.spoken_windows import Spoken, read_time
from kyumei.diagnose.spoken_zones import zone_named
from kyumei.errors import SymptomError
from kyumei.model.status import FAILED
from kyumei.model.symptom import Symptom, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

LONGEST = 10_000
"""Characters that a symptom may have. Nobody says more than that; a whole log pasted by mistake is refused and not half understood."""
SLOW_SECONDS = 1.0
"""Who tells that an answer took so long, and nothing else, says that it was slow."""
LONGEST_OPTION = 4_000
"""Characters that an option may have; a path with its query may be long."""

OPTIONS = ("status", "method", "path", "host", "at", "zone", "client", "request_id")

_HOST_OPTION = re.compile(r"(?:[A-Za-z0-9_-]{1,63}\.){0,20}[A-Za-z0-9_-]{1,63}\.?(?::\d{1,5})?", re.ASCII)


class _Reading(NamedTuple):
    """All that was read of the sentence before a choice is made among what was said twice."""

    rest: str
    quotes: tuple[str, ...]
    ids: tuple[str, ...]
    targets: tuple[Target, ...]
    clients: tuple[str, ...]
    hosts: tuple[str, ...]
    statuses: tuple[int, ...]
    classes: tuple[int, ...]
    methods: tuple[str, ...]
    browsers: tuple[str, ...]
    passed: tuple[str, ...]
    time: Spoken | None
    trouble: Trouble | None
    took: float | None


def understand(text: str, *, now: datetime, default_zone: str | None = None, options: Mapping[str, str] | None = None) -> Symptom:
    """The symptom that the text and the options describe; an option replaces what the text says.

    ``now`` is an aware time, against which "yesterday" and a missing date are read. ``default_zone`` (an IANA name or an offset) is the
    zone of a time that states none, and is noted. SymptomError where something is impossible, ambiguous, or a zone is missing.
    """
    if now.tzinfo is None:
        message = "now must be an aware time"
        raise ValueError(message)
    if len(text) > LONGEST:
        message = f"the symptom has {len(text)} characters, more than {LONGEST}: {cleaned(text[:40])!r}..."
        raise SymptomError(message, "say in a sentence what was seen, when and where; the logs are read from the folder")
    chosen = _checked(options or {})
    reading = _read(text, now, default_zone, chosen)
    return _symptom(text, reading, chosen, default_zone)


def _read(text: str, now: datetime, default_zone: str | None, options: Mapping[str, str]) -> _Reading:
    """Every reader in turn, the ones with the plainest signs first."""
    quotes, rest = without_quotes(cleaned(without_boilerplate(text)))
    rest = with_ascii_addresses(uniform(rest))
    if len(rest) > LONGEST:  # one ligature can stand for eighteen letters
        message = f"the symptom has {len(rest)} characters when its ligatures are written out, more than {LONGEST}: {rest[:40]!r}..."
        raise SymptomError(message, "say in a sentence what was seen, when and where")
    labelled, rest = read_labelled_ids(rest)
    targets, rest = read_targets(rest)
    loose, rest = read_loose_ids(rest)
    clients, servers, rest = read_clients(rest)
    hosts, mails, rest = read_hosts(rest)
    took, rest = read_took(rest)
    time, rest = _time(rest, now, default_zone, options)
    statuses, classes, rest = read_status(rest)
    methods, rest = read_method(rest)
    browsers, rest = read_browser(rest)
    trouble, rest = read_trouble(rest)
    linked = [one.host + one.path for one in targets if is_tool(one.host)] + [host for host in hosts if is_tool(host)]
    targets = [one for one in targets if not is_tool(one.host)]
    hosts = [host for host in hosts if not is_tool(host)]
    ids = labelled + loose
    for quote in quotes:
        said = uniform(quote)
        ids += read_labelled_ids(said)[0] + read_loose_ids(said)[0]
        if not statuses:
            statuses, classes_said, _ = read_status(said)
            classes = classes or classes_said
        if trouble is None and not statuses:
            trouble = read_trouble(said)[0]
        if not targets:  # a path alone may be that of a file
            targets = [one for one in read_targets(said)[0] if one.method and not is_tool(one.host)]
    return _Reading(
        rest,
        tuple(quotes),
        tuple(dict.fromkeys(ids)),
        tuple(targets),
        tuple(clients),
        tuple(hosts),
        tuple(statuses),
        tuple(classes),
        tuple(methods),
        tuple(browsers),
        tuple(servers + mails + linked),
        time,
        trouble or (Trouble.SLOW if took is not None and took >= SLOW_SECONDS else None),
        took,
    )


def _time(rest: str, now: datetime, default_zone: str | None, options: Mapping[str, str]) -> tuple[Spoken | None, str]:
    """The time of the sentence, or that of ``--at``, which takes the zone from the sentence where it has none of its own."""
    zone = options.get("zone")
    if "at" not in options:
        return read_time(rest, now, default_zone, zone)
    spoken: Spoken | None = None
    with suppress(SymptomError):  # whatever is wrong with the time in the text, --at replaces it
        spoken, rest = read_time(rest, now, default_zone or "UTC", zone)
    stated = spoken.zone if spoken and not any(note.startswith("No zone was stated") for note in spoken.notes) else None
    at = uniform(cleaned(options["at"]))
    answer, left = read_time(at, now, stated or default_zone, zone)
    unread = leftovers(left)
    if answer is None or unread:
        message = f"--at {options['at']!r} is not a time" + (f": cannot read {unread[0]!r}" if unread else "")
        raise SymptomError(message, "write it as 2025-02-06 14:32 JST")
    notes = tuple(note for note in answer.notes if stated is None or not note.startswith("No zone was stated"))
    return answer._replace(notes=notes), rest


def _checked(options: Mapping[str, str]) -> dict[str, str]:
    """The options with every value checked and in its normal form; keys may have hyphens as on the command line."""
    checked: dict[str, str] = {}
    for key, value in options.items():
        name = key.lstrip("-").replace("-", "_")
        if name not in OPTIONS:
            message = f"there is no option {key!r} for a symptom"
            raise SymptomError(message, "options are " + ", ".join(f"--{option.replace('_', '-')}" for option in OPTIONS))
        if value is not None:
            checked[name] = _checked_value(name, value)
    return checked


def _checked_value(name: str, value: str) -> str:
    said = value.strip()
    if not said or len(said) > LONGEST_OPTION or cleaned(said) != said:
        raise _refused(name, value, "a value of one line")
    if name in _SHAPES:
        shape, wanted = _SHAPES[name]
        if not shape.fullmatch(said):
            raise _refused(name, value, wanted)
    if name == "zone":
        zone_named(said)
    return _NORMAL[name](said) if name in _NORMAL else said


def _host_of(said: str) -> str:
    """A host name or an address, without the port."""
    if _HOST_OPTION.fullmatch(said):
        return said.partition(":")[0].rstrip(".").lower()
    return _address_of("host", said.strip("[]"))


def _id_of(said: str) -> str:
    root = TRACE_ROOT.fullmatch(said)
    return root[1].lower() if root else said


def _address_of(name: str, said: str) -> str:
    try:
        return str(ip_address(said))
    except ValueError:
        raise _refused(
            name, said, "an IP address such as 203.0.113.9" if name == "client" else "a host name such as www.example.com"
        ) from None


def _refused(name: str, value: str, wanted: str) -> SymptomError:
    shown = value if len(value) <= 80 else value[:80] + "..."  # noqa: PLR2004 - as much as a line of a terminal shows
    return SymptomError(f"--{name.replace('_', '-')} {shown!r} is not understood", f"give {wanted}")


_SHAPES = {
    "status": (re.compile(r"[1-5][0-9]{2}|000|[45][xX]{2}"), "a status from 100 to 599, or 000, 4xx or 5xx"),
    "method": (re.compile("|".join(METHODS), re.IGNORECASE), "one of " + ", ".join(METHODS)),
    "path": (re.compile(r"/\S*"), "a path that starts with / and has no spaces"),
    "request_id": (re.compile(r"[^\s,]+(?:,[^\s,]+)*"), "ids without spaces, several with a comma between"),
}
_NORMAL: dict[str, Callable[[str], str]] = {
    "method": str.upper,
    "host": _host_of,
    "client": lambda said: _address_of("client", said),
    "request_id": lambda said: ",".join(_id_of(one) for one in said.split(",")),
}


def _symptom(text: str, reading: _Reading, options: Mapping[str, str], default_zone: str | None) -> Symptom:
    """The choice among what was read; options win, and what was said besides is noted."""
    targets = [one for one in reading.targets if not one.well] or list(reading.targets)
    target = next((one for one in targets if one.method), targets[0] if targets else None)
    path, _, query = options["path"].partition("?") if "path" in options else (target.path, "", target.query) if target else ("", "", "")
    targets += [one for one in reading.targets if one not in targets]
    hosts = [one.host for one in targets if one.host] + list(reading.hosts)
    methods = [one.method for one in targets if one.method] + list(reading.methods)
    statuses, classes = list(reading.statuses), list(reading.classes)
    if reading.trouble is Trouble.CROSS_ORIGIN:  # the browser tells the good status of an answer that it keeps from the page
        statuses = [one for one in statuses if one >= FAILED]
    if "status" in options:
        exact = options["status"].isdigit()
        statuses, classes = ([int(options["status"])], []) if exact else ([], [int(options["status"][0])])
    ids = tuple(options["request_id"].split(",")) if "request_id" in options else reading.ids
    spoken = reading.time
    zone = spoken.zone if spoken else None
    known = options.get("zone") or default_zone
    if zone is None and known:
        zone = zone_named(known).name
    symptom = Symptom(
        text=text,
        window=spoken.window if spoken else None,
        moment=spoken.moment if spoken else None,
        zone=zone,
        status=statuses[0] if statuses else None,
        status_class=classes[0] if classes and not statuses else None,
        kind=reading.trouble,
        took_seconds=reading.took,
        method=options.get("method") or (methods[0] if methods else None),
        host=options.get("host") or (hosts[0] if hosts else None),
        path=path or None,
        query=query or None,
        client=options.get("client") or (reading.clients[0] if reading.clients else None),
        request_ids=tuple(one for one in ids if one),
        error_text=reading.quotes[0] if reading.quotes else None,
        browser=bool(reading.browsers),
    )
    paths = [one.path for one in targets if one.path]
    said: dict[str, Sequence[int | str]] = {
        "status": statuses,
        "method": methods,
        "host": hosts,
        "path": paths,
        "client": list(reading.clients),
    }
    notes = (*(spoken.notes if spoken else ()), *_besides(symptom, said, options))
    ignored = tuple(dict.fromkeys((*leftovers(reading.rest), *reading.passed, *reading.quotes[1:])))
    return replace(symptom, understood=_echo(symptom, spoken, reading.browsers), ignored=ignored, notes=notes)


def _besides(symptom: Symptom, said: Mapping[str, Sequence[int | str]], options: Mapping[str, str]) -> list[str]:
    """A note for every field of which the sentence names more than the one that is used."""
    notes = []
    for name, values in said.items():
        used = getattr(symptom, name)
        others = [str(value) for value in dict.fromkeys(values) if value != used]
        if others:
            source = f"--{name} {used}" if name in options else used
            notes.append(f"The text names another {name} too, {', '.join(others)}: {source} is used.")
    return notes


def _echo(symptom: Symptom, spoken: Spoken | None, browsers: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The fields as they were read, in one order whatever the order of the words."""
    status = f"{symptom.status:03d}" if symptom.status is not None else f"{symptom.status_class}xx" if symptom.status_class else ""
    pairs = [
        ("time", spoken.says if spoken else ""),
        ("zone", symptom.zone or ""),
        ("status", status),
        ("kind", (symptom.kind or "").replace("_", " ")),
        ("took_seconds", f"{symptom.took_seconds:g}" if symptom.took_seconds is not None else ""),
        ("method", symptom.method or ""),
        ("host", symptom.host or ""),
        ("path", symptom.path or ""),
        ("query", symptom.query or ""),
        ("client", symptom.client or ""),
        *(("request_id", one) for one in symptom.request_ids),
        ("error_text", symptom.error_text or ""),
        ("browser", ", ".join(dict.fromkeys(browsers))),
    ]
    return tuple((name, value) for name, value in pairs if value)
