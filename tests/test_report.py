"""The reports: the same investigation for a terminal, Markdown, JSON and HTML, and nothing of a log ever acting."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kyumei.model.finding import Certainty, Citation, Finding, Impact, Investigation, Moment
from kyumei.model.symptom import Symptom, Trouble
from kyumei.report.compose import to_document
from kyumei.report.diagram import hop_diagram
from kyumei.report.escape import code_block, code_span, for_html, for_json, for_markdown, visible
from kyumei.report.extent import impact_words
from kyumei.report.html import POLICY, to_html
from kyumei.report.json_document import to_json, to_json_text
from kyumei.report.markdown import to_markdown
from kyumei.report.moments import shown_moment, shown_span, zone_of
from kyumei.report.plot import timeline_plot
from kyumei.report.quote import SHOWN_CHARACTERS, Part, proving, quote
from kyumei.report.tables import SHOWN_MOMENTS, hop_grid
from kyumei.report.terminal import show, to_text
from tests.report.sample import AT, CANNOT_TELL, CAUSE, HEALTHY, HOPS, HOSTILE_TEXT, MINUTE, RICH, SYMPTOM, WAF_CITATION, hostile
from tests.report.shape import violations

if TYPE_CHECKING:
    from collections.abc import Callable

GOLDEN = Path(__file__).parent / "report"
SAMPLES = {"rich": RICH, "cannot_tell": CANNOT_TELL, "healthy": HEALTHY, "hostile": hostile(), "empty": replace(HEALTHY, symptom=Symptom())}
EVERY_SAMPLE = pytest.mark.parametrize("investigation", SAMPLES.values(), ids=SAMPLES)

# Golden: read the difference before you accept it with --update-golden


@pytest.mark.parametrize(
    ("name", "investigation", "draw"),
    [
        ("rich.txt", RICH, to_text),
        ("cannot_tell.txt", CANNOT_TELL, to_text),
        ("healthy.txt", HEALTHY, to_text),
        ("rich.md", RICH, to_markdown),
        ("cannot_tell.md", CANNOT_TELL, to_markdown),
        ("rich.json", RICH, lambda investigation: to_json_text(investigation) + "\n"),
        ("hostile.txt", hostile(), to_text),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_golden(name: str, investigation: Investigation, draw: Callable[[Investigation], str], *, update_golden: bool) -> None:
    """The report as a reader sees it."""
    drawn = draw(investigation)
    if update_golden:
        (GOLDEN / name).write_text(drawn, "utf-8")
    assert drawn == (GOLDEN / name).read_text("utf-8")


# What the reader sees first


def test_what_was_seen_instead_of_a_status_is_echoed() -> None:
    """A misread trouble or duration must be seen, as a misread status is."""
    symptom = replace(RICH.symptom, status=None, kind=Trouble.TLS, took_seconds=30.5)
    read = dict(to_document(replace(RICH, symptom=symptom)).asked)["Read as"]
    assert "TLS: handshake or certificate · took 30.5 s" in read
    assert "TLS" not in dict(to_document(RICH).asked)["Read as"]


def test_one_request_is_no_stretch_of_time() -> None:
    """It has a moment, and says nothing of what came later."""
    impact = Impact(requests=1, clients=1, paths=1, first=AT, last=AT, share=1.0, since=0, ongoing=True, sql="SELECT 1")
    said = impact_words(impact, None)
    assert "at 2025-02-06 05:32:10.123 UTC" in said
    assert said.endswith("nothing later shows whether it goes on")
    over = impact_words(replace(impact, requests=2, last=AT + MINUTE, since=1, ongoing=False), None)
    assert "from 2025-02-06 05:32:10.123 UTC to" in over
    assert over.endswith("over: 1 request since was not answered so")


def test_a_paste_is_told_in_one_line_by_its_beginning() -> None:
    """Nobody needs a page of a mail above the answer; the JSON has it whole."""
    text = "< HTTP/2 403\n< server: awselb/2.0\n" + "x" * 1000
    answer = replace(RICH, symptom=replace(RICH.symptom, text=text))
    told = dict(to_document(answer).asked)["Symptom"]
    assert told.startswith("< HTTP/2 403 < server: awselb/2.0 xxx")
    assert told.endswith("[…634 characters…]")
    assert to_document(answer).title == told
    assert to_json(answer)["symptom"]["text"] == text


def test_blank_words_are_no_symptom() -> None:
    """Spaces alone are shown as what they say."""
    assert dict(to_document(replace(RICH, symptom=replace(RICH.symptom, text="  "))).asked)["Symptom"] == "none was given"


def test_who_answered_is_not_called_unknown_beside_a_proof() -> None:
    """A bucket or a handshake is no hop of the table; the proven cause says it. Where nothing is proven, it stays unknown."""
    hops = tuple(replace(hop, answered=None) for hop in RICH.hops)
    assert "Answered by" not in dict(to_document(replace(RICH, hops=hops)).glance.facts)
    likely = replace(RICH.findings[0], certainty=Certainty.LIKELY)
    assert dict(to_document(replace(RICH, hops=hops, findings=(likely,))).glance.facts)["Answered by"] == "not known"


@pytest.mark.parametrize("draw", [to_text, to_markdown])
def test_the_first_screenful_holds_the_answer(draw: Callable[[Investigation], str]) -> None:
    """Verdict, who answered, the rule, the proving line and the first command stand within thirty lines."""
    screen = "\n".join(draw(RICH).splitlines()[:30]).replace("\n", "")
    assert "proven" in screen.lower()
    for part in ("AWS WAF answered the 403", "admin-path-allow-list", "shop-edge", WAF_CITATION.file + ":1717", "BLOCK"):
        assert part in screen
    assert "aws wafv2 update-web-acl --name shop-edge" in screen


def test_what_is_missing_comes_first_where_nothing_can_be_told() -> None:
    """Without a verdict the reader needs the missing log, and the command that gets it, at once."""
    document = to_document(CANNOT_TELL)
    assert [section.key for section in document.sections][:2] == ["gaps", "finding-1"]
    assert document.glance.command.startswith("aws wafv2 get-logging-configuration")
    assert not {"fix", "check"} & {section.key for section in document.sections}


def test_sections_come_in_the_order_of_a_reader() -> None:
    """From the evidence to what to do, to what is uncertain, to the words for the reporter."""
    keys = [section.key for section in to_document(RICH).sections]
    assert keys == ["evidence", "hops", "ruled-out", "fix", "check", "gaps", "coverage", "unread", "timeline", "notes", "message"]


def test_a_second_finding_is_shown_after_the_first() -> None:
    """Nothing that was found is left out."""
    other = replace(CAUSE, code="EDGE-096", title="a managed rule counted it")
    titles = [section.title for section in to_document(replace(RICH, findings=(CAUSE, other))).sections]
    assert titles[:2] == ["Evidence", "Also found: a managed rule counted it"]


def test_the_proving_line_names_most_of_the_subject() -> None:
    """Neither the first nor the last line of the chain, but the one that shows rule, web ACL, client and path at once."""
    found = proving(CAUSE, SYMPTOM)
    assert found
    assert found[0] == WAF_CITATION
    assert proving(replace(CAUSE, chain=()), SYMPTOM) is None


def test_a_long_timeline_shows_what_is_near_and_counts_the_rest() -> None:
    """No silent truncation: what is left out is counted, and what is shown is nearest to the symptom."""
    moments = tuple(Moment(AT + number * MINUTE, "nginx", f"moment {number}") for number in range(-100, 100))
    text = to_text(replace(RICH, timeline=moments))
    assert "moment 0\n" in text
    assert "moment -100\n" not in text
    assert f"{200 - SHOWN_MOMENTS} moments further from the symptom not shown here" in text
    assert len(to_json(replace(RICH, timeline=moments))["timeline"]) == 200


# JSON


@EVERY_SAMPLE
def test_json_has_the_shape_of_the_design(investigation: Investigation) -> None:
    """Every key, with its type."""
    assert violations(to_json(investigation)) == []


@EVERY_SAMPLE
def test_json_text_is_the_value_and_safe_to_print(investigation: Investigation) -> None:
    """Reading it back gives the same value; no character in it acts on a terminal."""
    text = to_json_text(investigation)
    assert json.loads(text) == to_json(investigation)
    assert visible(text, lines=True) == text


def test_json_is_never_shortened() -> None:
    """People see a long line shortened; programs get it whole, and people are told so."""
    line = "x" * 500_000 + " admin-path-allow-list " + "y" * 500_000
    chain = (replace(CAUSE.chain[0], citations=(Citation("big.log", 1, line),)),)
    investigation = replace(RICH, findings=(replace(CAUSE, chain=chain),))
    assert to_json(investigation)["findings"][0]["chain"][0]["citations"][0]["text"] == line
    for drawn in (to_text(investigation), to_markdown(investigation), to_html(investigation)):
        assert len(drawn) < 60_000
        assert "the JSON report holds them whole" in drawn


def test_the_shape_can_be_violated() -> None:
    """The check of the shape is able to fail."""
    value = to_json(RICH)
    assert violations({**value, "schema": "1"}) == ["$.schema: '1' is not int"]
    assert violations({**value, "hops": [{**value["hops"][0], "answered": 1}]}) == ["$.hops[0].answered: 1 is not bool"]
    assert violations({**value, "timeline": [{**value["timeline"][0], "time": "2025-02-06T05:32:10+00:00"}]}) != []
    assert violations({key: item for key, item in value.items() if key != "gaps"}) == ["$.gaps: missing"]


# Hostile text

SGR = re.compile(r"\x1b\[[0-9;]*m")


def test_no_character_of_a_log_acts_on_a_terminal() -> None:
    """Escapes, overrides and markup are written out, in the plain report and in the coloured one."""
    plain = to_text(hostile())
    assert visible(plain, lines=True) == plain
    for shown in (r"\x1b[31m", r"\x1b]0;title\x07", "‹U+202E›gnp.exe‹U+200B›", "[bold red]no[/]", r"\x9b31m", r"\x80"):
        assert shown in plain


def test_a_terminal_gets_colour_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the only escapes are Rich's own colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = _Terminal()
    show(hostile(), stream)
    drawn = stream.getvalue()
    assert SGR.search(drawn)
    bare = SGR.sub("", drawn)
    assert visible(bare, lines=True) == bare


class _Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@EVERY_SAMPLE
def test_markdown_holds_no_html_and_no_foreign_link(investigation: Investigation) -> None:
    """Read by a CommonMark parser that lets HTML through, there is none, and every cited line stands in a block of its own."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(to_markdown(investigation))
    inner = [child for token in tokens for child in (token.children or [])]
    assert not {"html_block", "html_inline", "link_open", "image"} & {token.type for token in [*tokens, *inner]}
    assert sum(token.type == "heading_open" for token in tokens) == len(to_document(investigation).sections) + 2


def test_markdown_keeps_hostile_lines_in_their_fences() -> None:
    """A line with runs of backticks does not end its block: each block holds a whole quote."""
    tokens = MarkdownIt("commonmark").parse(to_markdown(hostile()))
    blocks = [token.content for token in tokens if token.type == "fence" and token.info == "text"]
    assert blocks
    assert all(block.endswith("\n") and "</pre>" in block for block in blocks)


class _Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in {"meta", "link"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


OURS = """
html head meta link title style body header main footer nav section div h1 h2 h3 p a ul li ol dl dt dd pre code figure figcaption mark span
table thead tbody tr th td details summary blockquote svg desc g rect text line polygon circle
"""
"""Every element that a report may hold."""


@EVERY_SAMPLE
def test_html_holds_only_our_own_marks(investigation: Investigation) -> None:
    """Every tag is one of ours and closed, no attribute runs a script or names another place, and the policy forbids both."""
    page = _Page(to_html(investigation))
    assert set(page.tags) <= set(OURS.split())
    assert page.open == []
    assert ("meta", "content", POLICY) in page.attributes
    assert [item for item in page.attributes if item[1].startswith("on") or item[1] in {"src", "srcset", "action", "formaction"}] == []
    links = [value for _, name, value in page.attributes if name in {"href", "xlink:href"}]
    assert [value for value in links if not value.startswith(("#", "data:,"))] == []
    identities = [value for _, name, value in page.attributes if name == "id"]
    assert len(identities) == len(set(identities))
    assert {value[1:] for value in links if value.startswith("#")} <= set(identities)


def test_html_shows_hostile_text_as_text() -> None:
    """What the log says is there to read, letter by letter."""
    page = _Page(to_html(hostile()))
    assert visible(HOSTILE_TEXT) in page.text
    assert "script" not in page.tags
    assert "img" not in page.tags


def test_the_style_sheet_asks_for_nothing() -> None:
    """No font, image or sheet from elsewhere; dark, narrow and printed are provided for."""
    style = to_html(HEALTHY).partition("<style>")[2].partition("</style>")[0]
    assert not re.search(r"url\(|@import|@font-face|https?:", style)
    for query in ("prefers-color-scheme: dark", "max-width: 44rem", "@media print"):
        assert query in style


# Diagram and plot


def test_the_diagram_marks_who_answered_who_never_saw_it_and_who_is_blind() -> None:
    """Each hop by its own class and its own word; the response goes back from the one that answered."""
    for down in (False, True):
        drawn = hop_diagram(HOPS, down=down, response="403")
        states = re.findall(r'class="hop (\w+)".*?class="state"[^>]*>([^<]*)<', drawn)
        assert states == [
            ("client", "asked"),
            ("answered", "answered 403"),
            ("seen", "saw it"),
            ("absent", "never saw it"),
            ("blind", "blind"),
            ("absent", "never saw it"),
        ]
        assert drawn.count("way response") == 1
        assert drawn.count("way reached") == 2
        assert drawn.count("way unreached") == 3


def test_a_blind_hop_before_one_that_saw_it_was_passed() -> None:
    """What reached the load balancer went through what stands before it."""
    assert hop_diagram(CANNOT_TELL.hops, down=False).count("way reached") == 2


def test_the_plot_has_a_mark_for_each_moment_and_bars_for_counts() -> None:
    """Diamonds for what matters, dots for the rest, a bar for each minute that is given."""
    plot = timeline_plot(RICH, {"nginx": [(AT - 5 * MINUTE, 10), (AT - 4 * MINUTE, 5)]})
    assert plot.count('class="mark loud"') == 3
    assert plot.count('class="mark"') == 2
    assert re.findall(r'class="bar"[^>]* height="([0-9.]+)"', plot) == ["26.0", "13.0"]
    assert ">14:30<" in plot
    assert timeline_plot(replace(RICH, timeline=())) == ""


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "+05:45", None])
@pytest.mark.parametrize("moment", [datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), AT])
def test_moments_at_the_ends_of_the_calendar_are_drawn(moment: datetime, zone: str | None) -> None:
    """A log may hold any date."""
    investigation = replace(RICH, symptom=replace(SYMPTOM, zone=zone), timeline=(Moment(moment, "nginx", "x"), Moment(AT, "nginx", "y")))
    assert "<svg" in to_html(investigation)
    assert to_text(investigation)


def test_a_name_is_not_said_twice() -> None:
    """The chain of hops names a web ACL with its sort; the report has the sort already."""
    waf, alb, nginx = (replace(HOPS[0], hop=hop, name=name) for hop, name in NAMED)
    rows = [row[0] for row in hop_grid((waf, alb, nginx)).rows]
    assert rows == ["AWS WAF\nshop-edge", "Load balancer (ALB)\nshop", "nginx"]
    assert to_document(replace(RICH, hops=(waf,))).glance.facts[0] == ("Answered by", "AWS WAF (shop-edge)")


NAMED = (("waf", "AWS WAF shop-edge"), ("alb", "Application Load Balancer shop"), ("nginx", "nginx"))

# Quotes


def _words(citation: Citation, *words: str) -> str:
    return quote(citation, words).text


def test_a_short_line_is_whole() -> None:
    """Nothing is done to a line that fits."""
    shown = quote(Citation("a.log", 7, "GET /x 403"), ("403", "/x"))
    assert (shown.place, shown.text, shown.shortened) == ("a.log:7", "GET /x 403", False)
    assert [piece.text for piece in shown.pieces if piece.part is Part.TELLING] == ["/x", "403"]


def test_a_number_inside_a_longer_one_does_not_tell() -> None:
    """403 is not marked in 1403 or 4031."""
    assert [piece.part for piece in quote(Citation("a", 1, "1403 4031"), ("403",)).pieces] == [Part.PLAIN]


def test_a_long_line_keeps_its_head_and_what_tells() -> None:
    """The parts that the sentence speaks of are in view, wherever in the line they stand."""
    line = "2025-02-06T05:32:10Z " + "a" * 3000 + " rule=too-strict " + "b" * 3000 + " action=BLOCK " + "c" * 3000
    shown = quote(Citation("a", 1, line), ("too-strict", "BLOCK"))
    assert shown.shortened
    for part in ("2025-02-06T05:32:10Z", "rule=too-strict", "action=BLOCK"):
        assert part in shown.text
    assert len(shown.text) < SHOWN_CHARACTERS + 200


def test_a_long_record_keeps_both_ends_and_the_lines_that_tell() -> None:
    """A traceback ends with its cause; a setting may stand in the middle."""
    lines = ["Traceback (most recent call last):", *(f"  frame {number}" for number in range(500)), "ValueError: boom"]
    shown = quote(Citation("a", 1, "\n".join(lines)), ("frame 250",))
    assert shown.text.startswith("Traceback")
    assert shown.text.endswith("ValueError: boom")
    assert "  frame 250\n" in shown.text
    assert shown.shortened


@given(st.text(max_size=3000), st.lists(st.text(min_size=1, max_size=12), max_size=5))
def test_what_a_quote_leaves_out_is_counted(text: str, words: list[str]) -> None:
    """For one line: the pieces shown and the counts in the gaps make up the whole line; nothing is made up."""
    line = text.replace("\n", " ")
    shown = quote(Citation("a", 1, line), words)
    kept = "".join(piece.text for piece in shown.pieces if piece.part is not Part.GAP)
    notes = [piece.text for piece in shown.pieces if piece.part is Part.GAP]
    gaps = [int(note.split("…")[1].split()[0].replace(",", "")) for note in notes]
    assert len(kept) + sum(gaps) == len(line)
    assert shown.shortened == bool(gaps)
    for piece in shown.pieces:
        assert piece.part is Part.GAP or piece.text in line


@given(st.text(max_size=200, alphabet=st.characters()))
def test_any_text_can_be_shown(text: str) -> None:
    """Whatever a log holds: the visible form has no character that acts, and each report takes it."""
    shown = visible(text)
    assert visible(shown) == shown
    assert "\n" not in shown
    assert not re.search(r"[<>\"']", for_html(text))
    assert json.loads(for_json(json.dumps(text, ensure_ascii=False))) == text
    assert MarkdownIt("commonmark", {"html": True}).render(f"- x: {for_markdown(text)}").count("<") == 4
    for fenced in (code_block(text), code_span(text)):
        tokens = MarkdownIt("commonmark", {"html": True}).parse(fenced)
        assert [token.type for token in tokens] in (["fence"], ["paragraph_open", "inline", "paragraph_close"])


def test_visible_leaves_ordinary_text_alone() -> None:
    """Letters of any script, wide spaces and signs are not touched."""
    for text in ("GET /app/admin 403", "2025年2月6日　14時32分頃", "naïve café — 10 €", "管理画面で403", ""):
        assert visible(text) == text
    assert visible("a\tb\r\nc", lines=True) == "a\\tb\\r\nc"


# Times


def test_times_are_shown_in_the_zone_of_the_person_and_in_utc() -> None:
    """Both, with the date again where it differs."""
    assert shown_moment(AT, "Asia/Tokyo") == "2025-02-06 14:32:10.123 JST (05:32:10.123 UTC)"
    assert shown_moment(AT, "+09:00") == "2025-02-06 14:32:10.123 UTC+09:00 (05:32:10.123 UTC)"
    assert shown_moment(datetime(2025, 2, 6, 20, tzinfo=UTC), "Asia/Tokyo") == "2025-02-07 05:00:00 JST (2025-02-06 20:00:00 UTC)"
    assert shown_moment(AT, None) == "2025-02-06 05:32:10.123 UTC"
    late = datetime(2025, 2, 6, 14, 50, tzinfo=UTC)
    assert shown_span(late, late + timedelta(minutes=20), "Asia/Tokyo") == "2025-02-06 23:50 to 2025-02-07 00:10 JST (14:50 to 15:10 UTC)"
    assert zone_of("No/Such_Zone") is UTC
    assert zone_of("+99:99") is UTC


def test_subjects_without_words_do_no_harm() -> None:
    """A finding may have no subject, no chain, no remedy."""
    bare = Finding("EDGE-022", "waf_rule_blocked", "a rule blocked it", CAUSE.certainty, ())
    for draw in (to_text, to_markdown, to_html):
        assert "a rule blocked it" in draw(replace(RICH, findings=(bare,), sentence=""))
