"""What a tired reader stumbles over: words said twice, times in one zone, titles cut off, commands that do not run as they are copied."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from kyumei.model.finding import Citation, Evidence, Gap, Impact, Investigation
from kyumei.model.symptom import Symptom, Trouble
from kyumei.model.window import Window
from kyumei.report.compose import to_document
from kyumei.report.document import Facts
from kyumei.report.html import to_html
from kyumei.report.json_document import to_json_text
from kyumei.report.local_times import in_both_zones
from kyumei.report.markdown import to_markdown
from kyumei.report.quote import AGAIN, SHOWN_LINES, quote
from kyumei.report.terminal import to_text
from tests.report.sample import ALB_CITATION, AT, CANNOT_TELL, CAUSE, HEALTHY, RICH

NEAR = datetime(2025, 2, 6, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("GET /x at 2025-02-06 05:32:10 UTC: status 502", "GET /x at 2025-02-06 14:32:10 JST (05:32:10 UTC): status 502"),
        ("its records are of 05:18:46 and 05:21:03 UTC", "its records are of 14:18:46 and 14:21:03 JST (05:18:46 and 05:21:03 UTC)"),
        ("from 2025-02-05 22:50 to 23:10 UTC", "from 2025-02-06 07:50 to 08:10 JST (2025-02-05 22:50 to 23:10 UTC)"),
        ("of 05:22:01.250 UTC", "of 14:22:01.250 JST (05:22:01.250 UTC)"),
    ],
)
def test_a_sentence_tells_its_times_in_both_zones(told: str, shown: str) -> None:
    """Whoever said 14:32 JST need not add nine hours."""
    assert in_both_zones(told, "Asia/Tokyo", NEAR) == shown


@pytest.mark.parametrize(
    "told",
    [
        "at 05:12:00 UTC (14:12:00 Asia/Tokyo)",
        "journalctl --since '2025-02-06 05:31 UTC'",
        'the log says "05:31:00 UTC"',
        "25:61 UTC",
        "2025-02-30 05:32 UTC",
        "05:32 UTC+9",
        "05:32 JST",
        "13:05:32:10 UTC",
    ],
)
def test_what_is_no_time_of_ours_stays(told: str) -> None:
    """A command, a quotation, what has its zone already, what is no time."""
    assert in_both_zones(told, "Asia/Tokyo", NEAR) == told


def test_a_time_without_a_date_is_that_of_the_day_nearest() -> None:
    """Where clocks were changed between, the offset is that of the day meant."""
    change = datetime(2025, 3, 9, 23, 50, tzinfo=UTC)
    assert in_both_zones("at 00:30:00 UTC", "America/New_York", change) == "at 20:30:00 EDT (00:30:00 UTC)"
    assert in_both_zones("at 00:30:00 UTC", "America/New_York", change.replace(hour=2)) == "at 19:30:00 EST (00:30:00 UTC)"


def test_the_sentences_of_a_report_are_told_in_both_zones_and_the_json_as_it_was() -> None:
    """In the chain, in what was ruled out, at the hops; machines read UTC."""
    chain = (Evidence("nginx wrote at 05:31:00 UTC", (ALB_CITATION,)),)
    answer = replace(RICH, findings=(replace(CAUSE, chain=chain),), hops=(replace(RICH.hops[0], why="it has it at 05:32:10 UTC"),))
    for draw in (to_text, to_markdown, to_html):
        drawn = draw(answer)
        assert "nginx wrote at 14:31:00 JST (05:31:00 UTC)" in drawn
        assert "it has it at 14:32:10 JST (05:32:10 UTC)" in " ".join(drawn.split())
        assert "nginx wrote at 05:31:00 UTC" in draw(replace(answer, symptom=replace(answer.symptom, zone=None)))
    assert "nginx wrote at 05:31:00 UTC" in to_json_text(answer)


def test_a_line_is_quoted_once() -> None:
    """What the same chain has quoted is named, not written out again; the same line with other parts shown is."""
    chain = (Evidence("the row of it", (ALB_CITATION,)), Evidence("all failed so", (ALB_CITATION,)))
    answer = replace(RICH, findings=(replace(CAUSE, chain=chain),), ruled_out=(), hops=())
    for draw in (to_text, to_markdown, to_html):
        drawn = draw(answer)
        assert drawn.count(AGAIN) == 1
        assert draw(replace(answer, findings=(replace(CAUSE, chain=chain[:1]),))).count(AGAIN) == 0
    telling = (*chain, Evidence("the certificate of AES128-GCM-SHA256", (Citation("a.log", 1, "x"),)))
    assert to_text(replace(answer, findings=(replace(CAUSE, chain=telling),))).count(AGAIN) == 1


def test_the_verdict_is_not_said_twice() -> None:
    """Where the banner has the cause's words, the fact below it names the code; where it has others, the words stand there."""
    said = f"{CAUSE.title[0].upper()}{CAUSE.title[1:]}."
    assert dict(to_document(replace(RICH, sentence=said)).glance.facts)["Cause"] == "EDGE-022 waf_rule_blocked"
    assert dict(to_document(RICH).glance.facts)["Cause"] == f"EDGE-022 waf_rule_blocked: {CAUSE.title}"


def test_a_long_title_is_wrapped_and_not_cut_off() -> None:
    """The end of a title may be the status."""
    title = "what lies behind sent the client round in a circle: it answered 301 to GET /, where it already was, 20 times in 2 s"
    drawn = to_text(replace(RICH, findings=(CAUSE, replace(CAUSE, title=title))), 80)
    assert f"Also found: {title}" in " ".join(drawn.split())


@pytest.mark.parametrize(
    ("how", "command", "words"),
    [
        (
            "aws wafv2 get-x --id 1, then copy the files of that hour",
            "aws wafv2 get-x --id 1",
            "run this, then copy the files of that hour",
        ),
        (
            "aws elbv2 get-x > aws/elbv2/get-x.json",
            "mkdir -p aws/elbv2 && aws elbv2 get-x > aws/elbv2/get-x.json",
            "run this in the case folder",
        ),
        ("aws elbv2 get-x > now.json", "aws elbv2 get-x > now.json", ""),
    ],
)
def test_how_to_get_what_is_missing_runs_as_it_is_copied(how: str, command: str, words: str) -> None:
    """Words after a command stand beside it, and the folder that it writes to is made."""
    answer = replace(CANNOT_TELL, gaps=(Gap("the log", "who answered", how),))
    document = to_document(answer)
    assert document.glance.command == command
    assert document.glance.command_title == f"get what is missing{words.removeprefix('run this')}:"
    gaps = next(section for section in document.sections if section.key == "gaps")
    assert command in [getattr(block, "text", "") for block in gaps.blocks]
    told = [value for block in gaps.blocks if isinstance(block, Facts) for name, value in block.pairs if name == "How"]
    assert told == ([words] if words else [])


def test_a_query_is_called_one() -> None:
    """SQL under the impact is no command of a shell."""
    impact = Impact(requests=2, clients=1, paths=1, first=AT, last=AT, share=1.0, since=0, ongoing=True, sql="SELECT 1")
    answer = replace(RICH, findings=(replace(CAUSE, impact=impact),))
    assert "The query:\nSELECT 1\n" in to_text(answer)
    assert "The query:\n\n```sql\nSELECT 1\n```" in to_markdown(answer)
    assert "<summary>The query</summary>" in to_html(answer)


@pytest.mark.parametrize(
    ("kind", "words"), [(Trouble.SLOW, "3 slow requests"), (Trouble.TLS, "3 failing connections"), (None, "3 failing requests")]
)
def test_what_is_explained_is_called_what_it_is(kind: Trouble | None, words: str) -> None:
    """A slow request did not fail, and a handshake that failed was no request."""
    answer = replace(RICH, symptom=replace(RICH.symptom, kind=kind), findings=(replace(CAUSE, explains=3, impact=None),))
    assert dict(to_document(answer).glance.facts)["Explains"] == words


def test_a_column_that_asks_has_no_colon() -> None:
    """On a phone the name of the column stands before the cell."""
    page = to_html(RICH)
    assert 'data-label="Saw it?"' in page
    assert 'data-label="Why:"' in page


def test_an_answer_without_a_zone_or_a_moment_is_drawn() -> None:
    """Nothing is near then, and times stay as they are."""
    answer: Investigation = replace(HEALTHY, symptom=Symptom(zone="Asia/Tokyo"), sentence="All well until 05:32 UTC.")
    assert "All well until 05:32 UTC." in to_text(answer)


@pytest.mark.parametrize(("before", "after", "said"), [(3, 0, True), (0, 600, True), (0, 0, False)])
def test_a_failure_that_reaches_beyond_the_time_looked_at_says_which_part_the_verdict_counts(before: int, after: int, said: bool) -> None:  # noqa: FBT001 - a row of a table
    """The title tells of the requests in that time, the impact of all: two numbers without a word look like a mistake."""
    window = Window(AT, AT + timedelta(minutes=10))
    did = Impact(13, 1, 1, AT - timedelta(minutes=before), AT + timedelta(seconds=after), 1.0, 0, ongoing=True, sql="SELECT 1")
    answer = replace(RICH, symptom=replace(RICH.symptom, window=window), findings=(replace(CAUSE, impact=did, explains=11),))
    words = dict(to_document(answer).glance.facts)["Impact"]
    assert ("; of these the verdict counts the 11 in the time looked at" in words) is said
    whole = replace(answer, findings=(replace(CAUSE, impact=did, explains=13),))
    assert "of these" not in dict(to_document(whole).glance.facts)["Impact"]


def test_of_pretty_printed_json_the_lines_that_tell_are_quoted() -> None:
    """Its first bracket shows nothing, and its last ones as little."""
    rules = [{"Name": f"rule-{number}", "Priority": number, "Action": {"Block": {}}} for number in range(40)]
    record = json.dumps({"Name": "web-acl", "Rules": rules}, indent=4)
    cited = Citation("get-web-acl.json", 2, '    "WebACL": {', record.replace("\n", "\n    "))
    shown = quote(cited, ("rule-27", "web-acl")).text.split("\n")
    assert shown[0] == "{"
    assert '            "Name": "rule-27",' in shown
    assert shown[shown.index('            "Name": "rule-27",') + 1] == '            "Priority": 27,'
    assert shown[-1].startswith("[…")
    assert len(shown) <= SHOWN_LINES + 4
    # What tells nothing is shown by its first members; one line is no gap.
    assert [line for line in quote(cited, ()).text.split("\n") if "…1 line" in line] == []
    assert '"Name": "rule-0"' in quote(cited, ()).text
