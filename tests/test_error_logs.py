"""What the logs tell of errors where none of them has requests, or where all requests are well; and so of large folders."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from kyumei.api import investigate
from kyumei.cli.main import main
from kyumei.model.finding import Investigation, Verdict
from kyumei.store import case

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2025, 3, 20, tzinfo=UTC)
START = datetime(2025, 3, 11, tzinfo=UTC)
STEPS = 900
"""Lines of each log, ten seconds apart; every other one of those from 100 to 129 minutes tells an error."""


def _log(usual: Callable[[datetime], str], failed: Callable[[datetime], str], failing: range = range(600, 780, 2)) -> str:
    moments = [START + timedelta(seconds=10 * number) for number in range(STEPS)]
    return "\n".join(failed(moment) if number in failing else usual(moment) for number, moment in enumerate(moments)) + "\n"


def _answer(tmp_path: Path, name: str, text: str, symptom: str | None = None, **more: str) -> Investigation:
    folder = tmp_path / "case"
    folder.mkdir()
    for file, content in {name: text, **{key.replace("_", "."): value for key, value in more.items()}}.items():
        (folder / file).write_text(content, encoding="utf-8")
    return investigate(folder, symptom, now=NOW, cache=tmp_path / "cache")


def _postgres(moment: datetime, said: str) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC:10.0.1.5(51234):app@orders:[4711]:{said}"


def _lambda(moment: datetime, *said: str) -> str:
    return "\n".join(f"{moment:%Y-%m-%dT%H:%M:%S}.000Z {line}" for line in said)


POSTGRES = _log(
    lambda moment: _postgres(moment, "LOG:  checkpoint complete: wrote 17 buffers (0.1%); 0 WAL file(s) added"),
    lambda moment: _postgres(moment, "FATAL:  remaining connection slots are reserved for non-replication superuser connections"),
)
GO = _log(
    lambda moment: f"{moment:%Y/%m/%d %H:%M:%S} order {moment:%H%M%S} saved",
    lambda moment: (
        f"{moment:%Y/%m/%d %H:%M:%S} http: panic serving 10.0.1.7:51234: runtime error: invalid memory address or nil pointer dereference\n"
        "goroutine 1187 [running]:\nmain.(*Server).order(0xc000112000)\n\t/srv/orders/main.go:77 +0x1f"
    ),
)
JAVA = _log(
    lambda moment: f"{moment:%Y-%m-%d %H:%M:%S},123 INFO [http-nio-8080-exec-7] c.e.orders.OrderService - order {moment:%H%M%S} saved",
    lambda moment: (
        f"{moment:%Y-%m-%d %H:%M:%S},123 ERROR [http-nio-8080-exec-7] c.e.orders.OrderService - Could not save order\n"
        "org.springframework.dao.DataAccessResourceFailureException: Unable to acquire JDBC Connection\n"
        "\tat com.example.orders.OrderService.save(OrderService.java:42)\n"
        "Caused by: java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available\n\t... 24 more"
    ),
)


def _trail(failing: range) -> str:
    records = [
        {
            "eventVersion": "1.08",
            "userIdentity": {"type": "AssumedRole", "accountId": "123456789012"},
            "eventTime": f"{START + timedelta(seconds=10 * number):%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "awsRegion": "ap-northeast-1",
            "sourceIPAddress": "10.0.1.5",
            "eventID": f"{number:08x}-1111-4222-8333-123456789abc",
            "eventType": "AwsApiCall",
            "recipientAccountId": "123456789012",
        }
        | ({"errorCode": "AccessDenied", "errorMessage": "no identity-based policy allows it"} if number in failing else {})
        for number in range(STEPS)
    ]
    return json.dumps({"Records": records})


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("postgresql.log", POSTGRES, "90 lines like “remaining connection slots are reserved"),
        ("orders.log", GO, "90 lines like “http: panic serving 10.0.1.7:51234: runtime error: invalid memory address"),
        (
            "orders.log",
            JAVA,
            "“Could not save order (java.sql.SQLTransientConnectionException: HikariPool-1 - Connection is not available)”",
        ),
        ("trail.json", _trail(range(600, 780, 2)), "90 lines like “s3.amazonaws.com GetObject: AccessDenied, no identity-based policy"),
    ],
    ids=["postgres", "go", "java", "trail"],
)
def test_what_began_to_go_wrong_is_told_without_requests(tmp_path: Path, name: str, text: str, said: str) -> None:
    """With when it began and the error under it; that no request tells of it is said as well."""
    answer = _answer(tmp_path, name, text)
    assert answer.verdict is Verdict.CANNOT_TELL
    assert "No log in the folder records requests" in answer.sentence
    assert "from 2025-03-11 01:40:00 to 02:09:40 UTC" in answer.sentence
    assert said in answer.sentence


def test_runs_of_a_function_that_timed_out_are_told(tmp_path: Path) -> None:
    """Their lines have no level, and begin with the time and the id of the run."""
    run = "6f3a2b1c-1111-4222-8333-123456789abc"
    text = _log(
        lambda moment: _lambda(moment, f"START RequestId: {run} Version: $LATEST", f"END RequestId: {run}"),
        lambda moment: _lambda(
            moment, f"START RequestId: {run} Version: $LATEST", f"{moment:%Y-%m-%dT%H:%M:%S}.003Z {run} Task timed out after 3.00 seconds"
        ),
    )
    assert "90 lines like “Task timed out after 3.00 seconds”" in _answer(tmp_path, "function.log", text).sentence


def _kernel(moment: datetime, *said: str) -> str:
    return "\n".join(f"{moment:%b %d %H:%M:%S} web-1 {line}" for line in said)


SYSLOG = _log(
    lambda moment: _kernel(moment, "CRON[812]: (root) CMD (test)", "sshd[99]: error: kex_exchange_identification: Connection closed"),
    lambda moment: _kernel(
        moment,
        "kernel: [1234.5] java invoked oom-killer: gfp_mask=0x100cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0",
        "kernel: [1234.5] Out of memory: Killed process 4242 (java) total-vm:7340032kB, anon-rss:3801088kB",
        "systemd[1]: orders.service: Main process exited, code=killed, status=9/KILL",
    ),
    failing=range(600, 601),
)


def test_one_kill_for_want_of_memory_is_told(tmp_path: Path) -> None:
    """One line is no spike, but there is nothing else to go on; what knocks at the door of SSH all day is not told."""
    answer = _answer(tmp_path, "syslog", SYSLOG)
    assert "1 line like “[1234.5] Out of memory: Killed process 4242 (java)" in answer.sentence
    assert "-03-11 01:40:00 UTC: 1 line" in answer.sentence  # the year is that of the file
    assert not [note for note in answer.notes if "kex" in note]


def test_what_is_asked_about_a_moment_is_answered_with_its_error_lines(tmp_path: Path) -> None:
    """No log has the request; of two hours only the asked-for minutes are told."""
    answer = _answer(tmp_path, "syslog", SYSLOG, "502 at 2025-03-11 01:40 UTC")
    assert any(note.startswith("at that time: ") and "Out of memory" in note for note in answer.notes)
    later = investigate(tmp_path / "case", "502 at 2025-03-11 02:10 UTC", now=NOW, cache=tmp_path / "cache")
    assert not any(note.startswith("at that time: ") for note in later.notes)


def _requests(moment: datetime) -> str:
    return f'203.0.113.{moment:%S} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET /orders HTTP/1.1" 200 512 "-" "Mozilla/5.0"'


def test_where_all_requests_are_well_a_kill_is_noted_and_calls_of_others_do_not_count(tmp_path: Path) -> None:
    """What an auditor is refused says nothing of the site."""
    answer = _answer(tmp_path, "access.log", _log(_requests, _requests), syslog=SYSLOG, trail_json=_trail(range(600, 780, 2)))
    assert answer.verdict is Verdict.HEALTHY
    assert "none failed with a 5xx and none with a 4xx" in answer.sentence
    assert any("AccessDenied" in note for note in answer.notes)


def test_of_a_kill_beside_requests_that_are_well_there_is_a_note(tmp_path: Path) -> None:
    """It may have cost nobody anything, and is worth knowing all the same."""
    answer = _answer(tmp_path, "access.log", _log(_requests, _requests), syslog=SYSLOG)
    assert answer.verdict is Verdict.HEALTHY
    assert any("Out of memory: Killed process 4242" in note for note in answer.notes)


def test_a_large_folder_without_requests_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It used to end in an internal error: nothing had been counted."""
    monkeypatch.setattr(case, "WHOLE", 1)
    assert "90 lines like “remaining connection slots" in _answer(tmp_path, "postgresql.log", POSTGRES).sentence


def test_a_large_folder_with_requests_of_a_function_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It used to end in an internal error: the log of a function does not tell who asked."""
    monkeypatch.setattr(case, "WHOLE", 1)
    text = _log(
        lambda moment: _lambda(moment, "START RequestId: 6f3a2b1c-1111-4222-8333-123456789abc Version: $LATEST"),
        lambda moment: _lambda(moment, "END RequestId: 6f3a2b1c-1111-4222-8333-123456789abc"),
    )
    answer = _answer(tmp_path, "function.log", text, access_log=_log(_requests, _requests))
    assert "of 900 requests at nginx" in answer.sentence


def test_an_empty_path_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A shell's variable that is not set must not mean the folder one happens to be in."""
    assert main(["investigate", ""]) == 2
    assert "no path" in capsys.readouterr().err
