"""Third-party sample lines of Apache's access and error logs, against what other projects' tests expect of them.

The corpus lies beside the repository, or where ``KYUMEI_CORPUS`` says; without it these tests are skipped.
Field names there are upstream's; they are mapped by meaning here, and every deviation is listed with its reason and must be there.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kyumei import discover
from kyumei.contracts import Refused
from kyumei.formats.apache_access import FORMAT as ACCESS
from kyumei.formats.apache_error import FORMAT as ERROR

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="there is no corpus; KYUMEI_CORPUS says where it lies")

NO_TIME = "a record without a time says nothing about when, so it is kept as unread"
UNREAD: dict[tuple[str, int], str] = {
    ("vrl-apache", 8): NO_TIME,
    ("vrl-apache", 9): NO_TIME,
    ("vrl-apache", 10): "a bare time with nothing behind it is no error line",
    ("vrl-clf", 2): NO_TIME,
    ("vrl-clf", 3): NO_TIME,
    ("vrl-clf", 4): "a time written by another format than the server's own",
}
"""Lines that upstream reads and these two formats must not."""
ELSEWISE: dict[tuple[str, int], dict[str, Any]] = {
    # Upstream reads six digits as nanoseconds; they are microseconds.
    ("vrl-apache", 6): {"timestamp": "2021-06-04T15:40:27.138633Z"},
    # Upstream keeps the system's error and the number in the text; here each is a column.
    ("vrl-apache", 7): {"message1": "(113)No route to host: AH00957: "},
}
"""Fields that mean the same and are written otherwise, and how."""


def cases(name: str) -> list[tuple[int, str, dict[str, Any] | None, str]]:
    """Line number, text, expected fields (null: upstream refuses the line) and sort of log."""
    if not CORPUS.is_dir():
        return []
    lines = (CORPUS / "apache" / f"{name}.log").read_text("utf-8").split("\n")
    expected = json.loads((CORPUS / "apache" / f"{name}.expected.json").read_text("utf-8"))["cases"]
    return [
        (case["line"], lines[case["line"] - 1], case["expected"] if case["ok"] else None, case["options"].get("format", "common"))
        for case in expected
    ]


def _request(row: dict[str, Any]) -> str | None:
    if row["method"] is None:
        raw: str | None = row["request"]
        return raw
    return f"{row['method']} {row['path']}{'' if row['query'] is None else '?' + row['query']} {row['http_version']}"


def _missing(value: Any) -> Any:  # noqa: ANN401 - values of any kind
    return None if value in {"-", ""} else value


ACCESS_FIELDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "host": lambda row: row["client_ip"],
    "identity": lambda row: (row["_extra"] or {}).get("ident"),
    "user": lambda row: row["user"],
    "timestamp": lambda row: row["time"].isoformat() + "Z",
    "message": _request,
    "method": lambda row: row["method"],
    "path": lambda row: row["path"],
    "protocol": lambda row: row["http_version"],
    "status": lambda row: row["status"],
    "size": lambda row: row["sent_bytes"],
    "referrer": lambda row: row["referrer"],
    "agent": lambda row: row["user_agent"],
}
ERROR_FIELDS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "timestamp": lambda row: row["time"].isoformat() + "Z",
    "module": lambda row: row["module"],
    "severity": lambda row: row["level"],
    "pid": lambda row: row["pid"],
    "thread": lambda row: str(row["tid"]),
    "client": lambda row: row["client_ip"],
    "port": lambda row: row["client_port"],
    "message": lambda row: row["message"],
    "message1": lambda row: f"({row['errno']}){row['error_text']}: {row['code']}: ",
    "message2": lambda row: row["message"],
}
PARAMETERS = [pytest.param(name, *case, id=f"{name}:{case[0]}") for name in ("vrl-apache", "vrl-clf") for case in cases(name)]


@pytest.mark.parametrize(("name", "line", "text", "expected", "sort"), PARAMETERS)
def test_lines_agree(name: str, line: int, text: str, expected: dict[str, Any] | None, sort: str) -> None:
    """Each field that upstream expects, we have with the same meaning; what upstream refuses, we refuse, too."""
    leaf, fields = (ERROR, ERROR_FIELDS) if sort == "error" else (ACCESS, ACCESS_FIELDS)
    row = leaf.layout.read(text)
    if expected is None or (name, line) in UNREAD:
        assert isinstance(row, Refused)
        assert not leaf.sniff(text, "httpd/log")
        return
    assert isinstance(row, dict), row
    assert leaf.sniff(text, "httpd/log")
    wanted = expected | ELSEWISE.get((name, line), {})
    got = {field: (fields[field](row), value) for field, value in wanted.items()}
    assert {field: pair for field, pair in got.items() if pair[0] != _missing(pair[1])} == {}


@pytest.mark.parametrize(
    ("name", "read", "unread"),
    # Unread is a line cut off inside its user agent, as upstream has it. A line without ident and user, which upstream refuses, tells
    # all that a row needs.
    [("plaso-apache_access.log", 14, 1), ("lnav-bad_access.log", 3, 0), ("lnav-shop_access.log.gz", 1000, 0)],
)
def test_lines_of_real_logs_are_read(name: str, read: int, unread: int) -> None:
    """Logs of servers in the wild, with quotes inside requests and hosts in front, by the format and by no other."""
    raw = (CORPUS / "apache" / name).read_bytes()
    lines = [line for line in (gzip.decompress(raw) if name.endswith(".gz") else raw).decode().split("\n") if line.strip()]
    refused = [line for line in lines if isinstance(ACCESS.layout.read(line), Refused)]
    assert (len(lines) - len(refused), len(refused)) == (read, unread), refused[:3]
    claims = Counter(leaf.name for line in lines for leaf in discover.formats().values() if leaf.sniff(line, "apache/access.log"))
    assert claims == {"apache_access": len(lines)}


def test_hosts_in_front_are_taken() -> None:
    """The lines of upstream's that begin with ``name:port``."""
    text = (CORPUS / "apache" / "plaso-apache_access.log").read_text("utf-8")
    rows = [row for line in text.split("\n") if line.startswith("plaso") and isinstance(row := ACCESS.layout.read(line), dict)]
    assert Counter((row["host"], row["port"]) for row in rows) == {
        ("plaso.log2timeline.net", 443): 2,
        ("plaso-2.log2timeline.net", 443): 2,
    }


def test_logs_of_others_are_not_claimed() -> None:
    """No line of any other sample is an error line of Apache, and no line of nginx's in a file named for it an access line."""
    claims = [
        (path.relative_to(CORPUS).as_posix(), leaf.name, line[:120])
        for path in sorted(CORPUS.glob("*/*.log"))
        if path.parent.name != "apache"
        for line in path.read_text("utf-8", "backslashreplace").split("\n")[:500]
        for leaf in (ACCESS, ERROR)
        if line.strip() and leaf.sniff(line, path.relative_to(CORPUS).as_posix())
    ]
    assert claims == []
