"""Logs that contradict each other: of the same incident the verdict may become weaker for it, and never another one.

Each test writes an incident whose truth is known, spoils its folder in one way, and compares the answer with the truth.
"""

from __future__ import annotations

import gzip
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from incidents import SCENARIOS, generate
from incidents import edge as incidents_edge
from kyumei.api import investigate
from kyumei.model.finding import Certainty

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from incidents import Truth
    from incidents.edge import Truth as EdgeTruth
    from kyumei.model.finding import Investigation

INCIDENTS = ("with_alb_log", "healthy_day", "EDGE-114", "EDGE-150")
"""A scenario of the first generator for WAF and one for a healthy day, and causes of the second: nginx alone, and a chain of layers."""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ISO = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)(?P<between>[T \t])(?P<time>\d\d:\d\d:\d\d)")
_SLASHES = re.compile(r"(?P<date>\d{4}/\d\d/\d\d) (?P<time>\d\d:\d\d:\d\d)")
_CLF = re.compile(r"(?P<date>\d\d/[A-Z][a-z]{2}/\d{4}):(?P<time>\d\d:\d\d:\d\d)")
_SYSLOG = re.compile(r"^(?P<month>[A-Z][a-z]{2}) (?P<day>[ \d]\d) (?P<time>\d\d:\d\d:\d\d)", re.MULTILINE)
_EPOCH = re.compile(r'(?P<name>"timestamp": ?)(?P<stamp>\d{13})')
ANOTHER_ACCOUNT = "123456789012"[::-1]
CERTAINTY = {Certainty.POSSIBLE: 1, Certainty.LIKELY: 2, Certainty.PROVEN: 3}


def write(name: str, folder: Path) -> Truth | EdgeTruth:
    """The incident of that name, in a folder."""
    if name in SCENARIOS:
        return generate(SCENARIOS[name](0), folder)
    return incidents_edge.generate(name, "guilty", 0, folder)


def logs(folder: Path, *, hosts_only: bool = False) -> list[Path]:
    """The log files of a case, without answers of AWS; on demand without the logs that AWS writes."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and "aws" not in path.relative_to(folder).parts)
    aws = ("AWSLogs", "waf", "cdn-logs", "aws-waf-logs")
    return [path for path in found if not hosts_only or not any(mark in str(path.relative_to(folder)) for mark in aws)]


def text_of(path: Path) -> str:
    """The text of a log, decompressed where it is packed."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode()


def put(path: Path, text: str) -> None:
    """Write a log, packed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def shifted(text: str, by: timedelta) -> str:
    """A log with all its times moved, in whatever shape they are written."""

    def moved(shape: str) -> Callable[[re.Match[str]], str]:
        return lambda one: (datetime.strptime(one.group(), shape).replace(tzinfo=UTC) + by).strftime(shape)

    def without_year(one: re.Match[str]) -> str:
        month = MONTHS.index(one["month"]) + 1
        at = datetime.strptime(f"2025 {month} {one['day'].strip()} {one['time']}", "%Y %m %d %H:%M:%S").replace(tzinfo=UTC) + by
        return f"{MONTHS[at.month - 1]} {at.day:2d} {at:%H:%M:%S}"

    text = _ISO.sub(lambda one: moved(f"%Y-%m-%d{one['between']}%H:%M:%S")(one), text)
    text = _SLASHES.sub(moved("%Y/%m/%d %H:%M:%S"), text)
    text = _CLF.sub(moved("%d/%b/%Y:%H:%M:%S"), text)
    text = _SYSLOG.sub(without_year, text)
    return _EPOCH.sub(lambda one: f"{one['name']}{int(one['stamp']) + int(by.total_seconds() * 1000)}", text)


def twice(folder: Path) -> None:
    """Every log lies in the folder a second time."""
    for path in logs(folder):
        put(folder / "backup" / path.relative_to(folder), text_of(path))


def a_part_twice(folder: Path) -> None:
    """The first part of every log lies in the folder a second time, as copies of growing files do."""
    for path in logs(folder):
        lines = text_of(path).splitlines(keepends=True)
        put(folder / "earlier" / path.relative_to(folder), "".join(lines[: len(lines) * 7 // 10]))


def another_day(folder: Path) -> None:
    """The logs of the day before lie among those of the day, with the same failures at the same time of day."""
    for path in logs(folder):
        put(folder / "mixed" / path.relative_to(folder), shifted(text_of(path), timedelta(days=-1)))


def another_account(folder: Path, by: timedelta = timedelta(hours=2)) -> None:
    """The logs of AWS are there from a second account, too, with resources of the same names, whose traffic is two hours off."""
    for path in set(logs(folder)) - set(logs(folder, hosts_only=True)):
        name = str(path.relative_to(folder)).replace("123456789012", ANOTHER_ACCOUNT)
        text = shifted(text_of(path), by).replace("123456789012", ANOTHER_ACCOUNT)
        text = re.sub(r"(app/[\w-]+/)[0-9a-f]{12}", r"\g<1>0123456789ab", text)
        put(folder / "second" / name, re.sub(r"1-[0-9a-f]{8}-(?=[0-9a-f]{24})", "1-00000000-", text))


def another_account_at_once(folder: Path) -> None:
    """As above, but the second site has the same requests within the minute, and its servers' logs are not here."""
    another_account(folder, timedelta(seconds=40))


def forged_chain(folder: Path) -> None:
    """Every client has put addresses of others in front of its own into X-Forwarded-For."""
    for path in logs(folder, hosts_only=True):
        text = re.sub(r'"((?:\d{1,3}\.){3}\d{1,3})"$', r'"192.0.2.66, 10.9.9.9, \1"', text_of(path), flags=re.MULTILINE)
        put(path, text)


def an_hour_off(folder: Path) -> None:
    """The clocks of the hosts run an hour fast, and write it as if it were so."""
    for path in logs(folder, hosts_only=True):
        put(path, shifted(text_of(path), timedelta(hours=1)))


def half_an_hour_slow(folder: Path) -> None:
    """The clock of the first host alone runs half an hour slow."""
    hosts = sorted({path.relative_to(folder).parts[0] for path in logs(folder, hosts_only=True)})
    for path in logs(folder, hosts_only=True):
        if path.relative_to(folder).parts[0] == hosts[0]:
            put(path, shifted(text_of(path), timedelta(minutes=-30)))


def cut(folder: Path) -> None:
    """Every log ends in the middle of a line, before or after the moment."""
    for path in logs(folder):
        text = text_of(path)
        put(path, text[: len(text) * 6 // 10])


def damaged(folder: Path) -> None:
    """Packed files end before their end, and other logs have a hole."""
    for path in logs(folder):
        if path.suffix == ".gz":
            path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
        else:
            lines = text_of(path).splitlines(keepends=True)
            put(path, "".join((*lines[: len(lines) * 4 // 10], *lines[len(lines) * 7 // 10 :])))


SPOILED: tuple[Callable[[Path], None], ...] = (
    twice,
    a_part_twice,
    another_day,
    another_account,
    another_account_at_once,
    forged_chain,
    an_hour_off,
    half_an_hour_slow,
    cut,
    damaged,
)


HARMLESS = (twice, a_part_twice, forged_chain)
"""A copy counts nothing twice, and a forged header hides nobody: the answer and its counts stay as they were."""


def counted(answer: Investigation) -> tuple[object, ...]:
    """The verdict, the first code, and how many requests it explains."""
    return (answer.verdict, *((one.code, one.explains) for one in answer.findings[:1]))


def asked(folder: Path, truth: Truth | EdgeTruth, cache: Path) -> Investigation:
    """The answer for a case."""
    return investigate(folder, truth.sentence, now=truth.moment + timedelta(hours=8), cache=cache)


def wrong(truth: Truth | EdgeTruth, plain: Investigation, answer: Investigation) -> Iterator[str]:
    """What an answer over spoiled logs says that is not true, or more surely than before."""
    # Logs that are all an hour off show the failure an hour off: that is then said, and nobody is accused.
    elsewhere = answer.verdict == "healthy" and "are its hour, zone and date right?" in answer.sentence
    if answer.verdict not in {truth.verdict, "cannot_tell"} and not elsewhere:
        yield f"verdict {answer.verdict}, not {truth.verdict}: {answer.sentence}"
    sure = [finding for finding in answer.findings if finding.certainty is not Certainty.POSSIBLE]
    yield from (f"accuses {finding.code}: {finding.title}" for finding in sure if finding.code in truth.forbidden)
    if answer.verdict == "cause_found" == truth.verdict:
        first = answer.findings[0]
        if first.code not in truth.codes and first.code in truth.forbidden:
            yield f"first is {first.code}, not {truth.codes}: {first.title}"
        if first.code == plain.findings[0].code and CERTAINTY[first.certainty] > CERTAINTY[plain.findings[0].certainty]:
            yield f"{first.certainty}, and without the contradiction only {plain.findings[0].certainty}"
    if answer.verdict == "cannot_tell" and not answer.gaps:
        yield "nothing is said of what would decide"


@pytest.mark.parametrize("name", INCIDENTS)
def test_contradicting_logs_make_the_verdict_weaker_and_never_wrong(name: str, tmp_path: Path) -> None:
    """Copies, other days, other accounts, forged headers, wrong clocks and damaged files lead to no false answer."""
    truth = write(name, tmp_path / "plain")
    plain = asked(tmp_path / "plain", truth, tmp_path / "cache")
    assert list(wrong(truth, plain, plain)) == []
    problems = {}
    for spoil in SPOILED:
        folder = tmp_path / spoil.__name__
        write(name, folder)
        spoil(folder)
        answer = asked(folder, truth, tmp_path / "cache")
        problems[spoil.__name__] = list(wrong(truth, plain, answer))
        if spoil in HARMLESS and counted(answer) != counted(plain):
            problems[spoil.__name__].append(f"{counted(answer)}, and without the contradiction {counted(plain)}")
    assert {spoil: found for spoil, found in problems.items() if found} == {}
