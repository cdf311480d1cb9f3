"""S3 access logs: quotes and backslashes that S3 does not escape come out as the client sent them."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei.contracts import Refused
from kyumei.formats.s3_access import FORMAT
from tests.test_formats import assert_equal

FRONT = "79a5 example-bucket [06/Feb/2025:05:32:10 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT a/b"
COUNTS = "200 - 113 4406 41 38"
TAILS = (
    "",
    " -",
    " V3rs10n HOSTID=",
    " - HOSTID= SigV4 ECDHE AuthHeader example-bucket.s3.amazonaws.com TLSv1.2 - - us-east-1",
    " - HOSTID= SigV4 ECDHE AuthHeader example-bucket.s3.amazonaws.com TLSv1.2 - Yes us-east-1 new",
)
WORDS = st.lists(
    st.sampled_from(['"', "\\", "\\x22", "'", "a", "(", ") ", ", ", "/", "?", "é", "200", "]", "[", "-", " "]), max_size=12
).map("".join)


def field(text: str) -> str:
    """As S3 writes a header: in quotes, or a dash where there is none."""
    return f'"{text or "-"}"'


def row_of(request: str, referrer: str, agent: str, tail: str) -> dict[str, Any]:
    """The row of a line with these three fields."""
    text = f"{FRONT} {request} {COUNTS} {referrer} {agent}{tail}"
    row = FORMAT.layout.read(text)
    assert not isinstance(row, Refused), text
    assert_equal(FORMAT, [text])
    return row


@settings(max_examples=150, deadline=None)
@given(path=WORDS, referrer=WORDS, agent=WORDS, tail=st.sampled_from(TAILS))
def test_what_the_client_sent_comes_out(path: str, referrer: str, agent: str, tail: str) -> None:
    """A request target has no spaces; a referrer does not hold what looks like its own end."""
    target = "/" + path.replace(" ", "")
    if re.search('" ["-]', f'{referrer}"') or referrer.endswith('" '):
        referrer = ""
    row = row_of(field(f"GET {target} HTTP/1.1"), field(referrer), field(agent), tail)
    assert row["request"] is None
    assert "?".join(part for part in (row["path"], row["query"]) if part is not None) == target
    assert row["referrer"] == (referrer if referrer not in {"", "-"} else None)
    assert row["user_agent"] == (agent if agent not in {"", "-"} else None)
    assert (row["status"], row["sent_bytes"], row["request_seconds"]) == (200, 113, 0.041)
    assert (row["_extra"] or {}).get("fields", []) == (["new"] if tail.endswith(" new") else [])


@pytest.mark.parametrize("tail", TAILS[1:])
@pytest.mark.parametrize(
    ("request_", "referrer", "agent"),
    [("-", "-", "-"), ("-", '"a "b" c"', "-"), ("-", "-", '"a "b" c"'), ('"GET / HTTP/1.1"', "-", '"a" b"'), ('"GET /"', '"a" b"', "-")],
)
def test_bare_dashes_stand_among_quotes(request_: str, referrer: str, agent: str, tail: str) -> None:
    """As lifecycle rules, checksum jobs and copies write them."""
    row = row_of(request_, referrer, agent, tail)
    assert row["referrer"] == (None if referrer == "-" else referrer[1:-1])
    assert row["user_agent"] == (None if agent == "-" else agent[1:-1])
    assert (row["method"], row["path"]) == ((None, None) if request_ == "-" else ("GET", "/"))


def test_forged_end_of_a_field_is_not_believed() -> None:
    """A user agent that looks like the rest of the line does not change the status."""
    row = row_of('"GET / HTTP/1.1"', '"-"', '"x" 500 - 1 2 3 4 "-" "y" - HOST"', TAILS[3])
    assert (row["status"], row["user_agent"]) == (200, 'x" 500 - 1 2 3 4 "-" "y" - HOST')


@pytest.mark.parametrize("piece", ['"', '" "', '" 200 - ', '" 200 - 1 1 1 1 ', "\\", "- ", '" -', "x "])
def test_hostile_line_takes_linear_time(piece: str) -> None:
    """A hundred thousand pieces of what ends a field, with and without an end."""
    hostile = piece * (400_000 // len(piece))
    began = time.monotonic()
    for text in (
        *(
            f'{FRONT} "GET /{hostile} HTTP/1.1" {COUNTS} "-" "x"{TAILS[3]}',
            f'{FRONT} "GET / HTTP/1.1" {COUNTS} "{hostile}" "{hostile}"{TAILS[3]}',
        ),
        *(f'{FRONT} "GET / HTTP/1.1" {COUNTS} "{hostile}', f"{FRONT} {hostile}", hostile),
    ):
        FORMAT.layout.read(text)
        FORMAT.sniff(text, "x")
    assert time.monotonic() - began < 10
