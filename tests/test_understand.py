"""What people say is read as it was meant: golden sentences, then hostile ones."""

from __future__ import annotations

import time
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyumei.diagnose.understand import LONGEST, OPTIONS, understand
from kyumei.errors import SymptomError
from kyumei.model.window import iso

if TYPE_CHECKING:
    from kyumei.model.symptom import Symptom

NOW = datetime.fromisoformat("2025-02-06T17:00:00+09:00")
FOLDER = Path(__file__).parent / "symptoms"


def cases() -> list[Any]:
    """Every case of every file, named by the file and the place in it."""
    return [
        pytest.param(case, id=f"{path.stem}-{number}")
        for path in sorted(FOLDER.glob("*.toml"))
        for number, case in enumerate(tomllib.loads(path.read_text("utf-8"))["case"])
    ]


def read(case: dict[str, Any]) -> Symptom:
    """The symptom of a case."""
    now = datetime.fromisoformat(case["now"]) if "now" in case else NOW
    return understand(case["text"], now=now, default_zone=case.get("zone"), options=case.get("options"))


def plain(symptom: Symptom, name: str) -> object:
    """A field as the golden files write it."""
    value = getattr(symptom, name)
    if name == "window" and value:
        return [iso(value.start), iso(value.end)]
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, tuple):
        return [list(one) if isinstance(one, tuple) else one for one in value]
    return "none" if value is None else value


def test_there_are_cases() -> None:
    """An empty folder would make every golden test pass."""
    assert len(cases()) > 120


@pytest.mark.parametrize("case", cases())
def test_golden(case: dict[str, Any]) -> None:
    """The fields that the case names are as it says, or it is refused with the value in the message."""
    if "refused" in case:
        with pytest.raises(SymptomError) as caught:
            read(case)
        assert case["refused"] in caught.value.message
        assert caught.value.hint
        return
    symptom = read(case)
    expected = dict(case["expect"])
    notes = expected.pop("notes", None)
    assert {name: plain(symptom, name) for name in expected} == expected
    if notes is not None:
        assert len(symptom.notes) == len(notes), symptom.notes
        assert all(part in note for part, note in zip(notes, symptom.notes, strict=True)), symptom.notes


def test_understood_is_in_one_order_whatever_the_order_of_the_words() -> None:
    """The same things said in two orders are echoed alike."""
    one = understand("403 on GET /a at 2025-02-06 14:32 JST from 203.0.113.9", now=NOW)
    other = understand("203.0.113.9 says: 2025-02-06 14:32 JST, GET /a, 403", now=NOW)
    assert one.understood == other.understood


def test_text_is_kept_as_it_was() -> None:
    """The reading may change the text, the echo of it may not."""
    text = "　４０３ \x1b[31m「x」 "  # noqa: RUF001 - full-width digits are the point
    assert understand(text, now=NOW).text == text


def test_no_control_character_reaches_the_echo() -> None:
    """What is shown on a terminal holds no escape sequence."""
    symptom = understand('403 on /a\x1b[2Jb "text \x1b[31m red" foo\x07bar \u202egnp', now=NOW)
    shown = [value for _, value in symptom.understood] + list(symptom.ignored) + list(symptom.notes)
    assert not [one for one in shown if any(ord(char) < 32 or char == "\u202e" for char in one)]


def test_a_secret_in_a_url_is_not_echoed() -> None:
    """A password in a pasted URL stays where it was."""
    symptom = understand("502 on https://user:hunter2@www.example.com/a", now=NOW)
    assert "hunter2" not in repr((symptom.understood, symptom.ignored, symptom.notes, symptom.host, symptom.path))


def test_too_long_is_refused() -> None:
    """Megabytes are refused at once, one more than the limit too, and the limit itself is read."""
    for text in ("x" * 5_000_000, "x" * (LONGEST + 1), "\ufdfa" * LONGEST):
        with pytest.raises(SymptomError, match="characters"):
            understand(text, now=NOW)
    assert understand("x" * LONGEST, now=NOW).text


def test_a_naive_now_is_a_mistake_of_the_caller() -> None:
    """Without a zone "yesterday" has no meaning."""
    with pytest.raises(ValueError, match="aware"):
        understand("403", now=datetime(2025, 2, 6))  # noqa: DTZ001 - naive on purpose


REPEATED = [
    "a.",
    "1:",
    "::",
    "/",
    "a/",
    "'a b",
    '"',
    "「",
    "2025-",
    "1-",
    "14:00 ",
    "14:00-",
    "Feb 6 ",
    "request id ",
    "a@",
    "((",
    "403 ",
    "www.a.",
]
REPEATED += [
    "since ",
    "昨日",
    "2001:db8::",
    "1.1.1.1 ",
    "a-",
    "https://",
    "GET ",
    "2 hours ago ",
    "Root=",
    "0",
    "~",
    "\x00",
    "あ",
    "from 14:00 to ",
]
REPEATED += ["<!-- ", "<script>", "<a", "<Message>", "* Trying ::1 ", "> a: ", "curl -H ", "curl https://a -m 'b", " HTTP/1.1 403 520"]
REPEATED += ["deployed ", "after release "]
REPEATED += ['{"a":', '"a":"', '{"status":502}', '{"status":200,"a":"', "datapoints [", "Alarm Arn: datapoint [", "Timestamp: ", '\\"']
REPEATED += [
    "https://ü.",
    "https://日本",
    "/ü",
    "/日",
    "x." * 30 + "console.aws.amazon.com ",
    "ERR_A This site ",
    "traceparent: 00-",
    'upstream: "',
]
REPEATED += ["1 hour and ", "10-", "last week ", "先週", "昼", "at lunch ", "tokyo time ", "vor 1 ", "hier ", "at 1432 hrs ", "5 and "]
REPEATED += ["/)", "error status ", "14:32 JST ", "[[", "%", "host ", "last ", "a" * 60 + "."]


@pytest.mark.parametrize("unit", REPEATED)
def test_hostile_repetition_takes_no_time(unit: str) -> None:
    """The longest text that is taken, made of one piece again and again, is read or refused within two seconds."""
    start = time.process_time()
    try:
        understand((unit * LONGEST)[:LONGEST], now=NOW, default_zone="UTC")
    except SymptomError as error:
        assert len(error.message) < 500  # noqa: PT017 - being refused is allowed, a wall of text is not
    assert time.process_time() - start < 2


WORDS = (FOLDER / "words.txt").read_text("utf-8").split()
SENTENCES = st.builds(
    lambda words, space: space.join(words), st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=10), st.sampled_from(["", " "])
)
ZONES = st.sampled_from([None, "Asia/Tokyo", "America/New_York", "+05:30", "UTC", "IST", "nowhere"])
NOWS = st.sampled_from([NOW, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)])


@given(
    text=SENTENCES | st.text(max_size=80), zone=ZONES, now=NOWS, options=st.dictionaries(st.sampled_from(OPTIONS), SENTENCES, max_size=2)
)
def test_only_symptom_errors_are_raised(text: str, zone: str | None, now: datetime, options: dict[str, str]) -> None:
    """Whatever is said, it is understood or refused; a message is one line, and a window is never empty."""
    try:
        symptom = understand(text, now=now, default_zone=zone, options=options)
    except SymptomError as error:
        assert "\n" not in error.message  # noqa: PT017 - being refused is one of the two right answers
        return
    assert symptom.text == text
    assert symptom.window is None or symptom.window.length > timedelta(0)
    assert symptom.moment is None or (symptom.window and symptom.moment in symptom.window)
    assert symptom.path is None or symptom.path.startswith("/")
