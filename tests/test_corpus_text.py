"""The readers of text logs against sample logs of others, where they lie beside the repository.

The samples are not part of the repository: set ``KYUMEI_CORPUS`` to their folder, or put it at ``../shared/corpus``. Without it these
tests are skipped. Every difference from the expected output is listed here with its reason, and must be there: one that no longer differs
fails, too.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kyumei import discover
from kyumei.contracts import Refused

CORPUS = Path(os.environ.get("KYUMEI_CORPUS") or Path(__file__).resolve().parents[2] / "shared" / "corpus")

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus: set KYUMEI_CORPUS to the folder of sample logs")


def _lines(path: str) -> list[str]:
    return (CORPUS / path).read_text("utf-8").splitlines()


def _read(name: str, text: str) -> dict[str, Any] | None:
    answer = discover.formats()[name].layout.read(text)
    return None if isinstance(answer, Refused) else answer


def _records(name: str, path: str) -> list[str]:
    """The lines of a file joined from head to head, blank ones left out."""
    head = re.compile(discover.formats()[name].layout.head or "", re.ASCII)
    found: list[str] = []
    for line in _lines(path):
        if not found or head.match(line):
            found.append(line)
        elif line.strip():
            found[-1] += "\n" + line
    return [text for text in found if text.strip()]


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None)


# nginx error log


def test_nginx_error_agrees() -> None:
    """Every error line of the nginx sample, field by field; empty values are null here."""
    lines = _lines("nginx/vrl-nginx.log")
    cases = [
        case
        for case in json.loads((CORPUS / "nginx/vrl-nginx.expected.json").read_text("utf-8"))["cases"]
        if case["options"]["format"] == "error"
    ]
    assert len(cases) == 9
    names = {"severity": "level", "cid": "connection", "client": "client_ip", "referer": "referrer"}
    for case in cases:
        row = _read("nginx_error", lines[case["line"] - 1])
        assert row, case["case"]
        expected = dict(case["expected"])
        assert row["time"] == _iso(expected.pop("timestamp"))
        method, path, version = (expected.pop("request", None) or "  ").split(" ")
        assert (row["method"], row["path"], row["http_version"]) == (method or None, path or None, version or None)
        for name in ("excess", "zone"):  # the sample takes these out of the message; here they stay in it
            if name in expected:
                assert str(expected.pop(name)) in row["message"]
                expected["message"] = row["message"] if row["message"].startswith(expected["message"]) else ""
        assert {names.get(name, name): None if value == "" else value for name, value in expected.items()} == {
            names.get(name, name): row[str(names.get(name, name))] for name in expected
        }


# Syslog

OLD_DEVIATIONS = {
    # An invalid priority costs the priority only, not the line.
    "<3444>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
}


def test_rfc_3164_agrees() -> None:
    """Every line of the RFC 3164 sample: priority, date, host, tag, text."""
    lines = [line for line in _lines("syslog/jc-3164.log") if line.strip()]
    expected = json.loads((CORPUS / "syslog/jc-3164.expected.json").read_text("utf-8"))
    assert len(lines) == len(expected)
    for line, wanted in zip(lines, expected, strict=True):
        row = _read("syslog", line)
        if "unparsable" in wanted:
            assert (row is None) is (line not in OLD_DEVIATIONS), line
            continue
        assert row, line
        moment = datetime.strptime("2000 " + wanted["date"], "%Y %b %d %H:%M:%S")  # noqa: DTZ007 - readers answer naive times
        assert (row["time"], row["_naive"], row["host"]) == (moment, 2, wanted["hostname"])
        _assert_priority(row, wanted["priority"])
        # The sample leaves "[pid]: " in the text and ends the tag before a bracket; here the process is a column and "(pam_unix)" part of
        # the tag.
        content = re.fullmatch(r"(?:(?P<more>\([^)]*\))?\[(?P<pid>[0-9]+)\]: )?(?P<text>.*)", wanted["content"])
        assert content
        assert row["program"] == (wanted["tag"] and wanted["tag"] + (content["more"] or ""))
        assert row["pid"] == (content["pid"] and int(content["pid"]))
        assert row["message"].rstrip() == content["text"]


def test_rfc_5424_agrees() -> None:
    """Every line of the RFC 5424 sample: priority, time, names, structured data, text."""
    lines = [line for line in _lines("syslog/jc-5424.log") if line.strip()]
    expected = json.loads((CORPUS / "syslog/jc-5424.expected.json").read_text("utf-8"))
    assert len(lines) == len(expected)
    for line, wanted in zip(lines, expected, strict=True):
        row = _read("syslog", line)
        if "unparsable" in wanted:
            assert row is None, line
            continue
        assert row, line
        _assert_priority(row, wanted["priority"])
        assert row["time"] == (wanted["timestamp"] and _iso(wanted["timestamp"]))
        found = (row["host"], row["program"], row["pid"], row["message_id"], row["message"])
        assert found == (wanted["hostname"], wanted["appname"], wanted["proc_id"], wanted["msg_id"], wanted["message"])
        data = {part["identity"]: part["parameters"] for part in wanted["structured_data"] or ()}
        assert (json.loads(row["structured"]) if row["structured"] else {}) == data


def _assert_priority(row: dict[str, Any], priority: int | None) -> None:
    facilities = [
        "kern",
        "user",
        "mail",
        "daemon",
        "auth",
        "syslog",
        "lpr",
        "news",
        "uucp",
        "cron",
        "authpriv",
        "ftp",
        "ntp",
        "audit",
        "alert",
        "clock",
    ]
    facilities += [f"local{number}" for number in range(8)]
    severities = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
    wanted = (None, None) if priority is None else (facilities[priority // 8], severities[priority % 8])
    assert (row["facility"], row["severity"]) == wanted


VRL_DEVIATIONS = {
    # A tag without a colon cannot be told from the first word of a text; nothing is lost, it stays in the message.
    "non_structured_data_in_message",
}


def test_mixed_syslog_agrees() -> None:
    """Every case of the mixed sample: both RFCs, missing host, missing priority, structured data with escapes."""
    lines = _lines("syslog/vrl-syslog.log")
    known = {"severity", "facility", "timestamp", "hostname", "appname", "procid", "msgid", "message", "version"}
    for case in json.loads((CORPUS / "syslog/vrl-syslog.expected.json").read_text("utf-8"))["cases"]:
        row = _read("syslog", lines[case["line"] - 1])
        if not case["ok"]:
            assert row is None, case["case"]
            continue
        wanted = case["expected"]
        assert row, case["case"]
        found = {name: row[name] for name in ("facility", "severity", "host", "program", "pid", "message_id", "message")}
        names = {"hostname": "host", "appname": "program", "procid": "pid", "msgid": "message_id"}
        expected = {
            **dict.fromkeys(found),
            **{names.get(name, name): value for name, value in wanted.items() if name in known - {"timestamp", "version"}},
        }
        if case["case"] in VRL_DEVIATIONS:
            assert row["message"] == f"{expected['program']} {expected['message']}"
            assert row["program"] is None
            continue
        assert found == expected, case["case"]
        assert (json.loads(row["structured"]) if row["structured"] else {}) == {
            name: value for name, value in wanted.items() if name not in known
        }
        stamp = wanted["timestamp"].replace("YYYY(current year)", "2000")
        assert row["time"] == _iso(stamp)


@pytest.mark.parametrize(
    ("path", "records", "unread"),
    [
        ("syslog/lnav-syslog.3.log", 7, 0),
        ("syslog/lnav-syslog_with_access_log.0.log", 5, 0),
        ("syslog/lnav-syslog_with_header.0.log", 6, 2),
        ("syslog/lnav-syslog_with_mixed_times.0.log", 13, 0),
        # The sample calls "Nov  3 09:23:38 veridian lookup for opt failed" bad for it has no tag; RFC 3164 allows that, so it is read.
        ("syslog/lnav-bad_syslog.0.log", 4, 0),
    ],
)
def test_syslog_records_are_joined(path: str, records: int, unread: int) -> None:
    """Continuation lines belong to the record above; lines of a header are unread, each for itself."""
    texts = _records("syslog", path)
    assert len(texts) == records
    assert sum(_read("syslog", text) is None for text in texts) == unread


# Applications


def test_python_samples_are_read() -> None:
    """One line each of openstack, SQLAlchemy, OpenTelemetry, uWSGI and vSphere logging: time, level, logger, request."""
    cases = json.loads((CORPUS / "app_python/lnav-python-samples.json").read_text("utf-8"))["cases"]
    rows = [_read("app_log", case["line"]) for case in cases]
    assert None not in rows
    found = [(str(row["time"]), row["level"], row["logger"], row["status"]) for row in rows if row]
    assert found == [
        ("2014-10-28 10:42:22.772000", "INFO", "neutron.wsgi", 200),
        ("2021-04-27 06:25:32.122000", "INFO", "sqlalchemy.orm.mapper.Mapper", None),
        ("2021-04-28 16:37:00.355000", "DEBUG", "sqlalchemy.pool.QueuePool", None),
        ("2025-04-24 22:09:15.968000", "INFO", "main", None),
        ("2012-01-03 05:01:31", None, None, 200),
        ("2015-04-24 21:09:29.296000", "INFO", "somemodule", None),
        ("2022-06-01 13:23:25.515000", "DEBUG", "vmware.vherd.base.detwist", None),
        ("2022-06-01 13:23:25.310000", "DEBUG", "com.vmware.vherd.base.detwist", None),
        ("2023-07-19 02:47:11", "DEBUG", "firewall-reload", None),
    ]


def test_application_servers_are_read() -> None:
    """Every line of the gunicorn and uWSGI samples, with process, level, request and time spent."""
    for line in _lines("app_python/gunicorn-error-docs.log"):
        row = _read("app_log", line)
        assert row
        assert (row["server"], row["level"], row["_naive"]) == ("gunicorn", "INFO", 1)
        assert f"[{row['pid']}]" in line
    for line in _lines("app_python/lnav-uwsgi.log"):
        row = _read("app_log", line)
        assert row
        assert (row["server"], row["method"], row["status"], row["client_ip"]) == ("uwsgi", "POST", 200, "127.0.0.1")
        number, unit = re.findall(r" in ([0-9]+) (msecs|micros) ", line)[0]
        assert row["request_seconds"] == pytest.approx(int(number) / {"msecs": 1e3, "micros": 1e6}[unit])


OURS = {"app_python", "nginx", "syslog"}


def test_logs_of_others_are_not_claimed() -> None:
    """No line of any other sample is claimed by these readers."""
    claims = [
        (path.relative_to(CORPUS).as_posix(), name, line[:120])
        for path in sorted(CORPUS.glob("*/*.log"))
        if path.parent.name not in OURS
        for line in path.read_text("utf-8", "backslashreplace").split("\n")[:500]
        for name in ("app_log", "nginx_error", "syslog")
        if line.strip() and discover.formats()[name].sniff(line, path.name)
    ]
    assert claims == []
