"""The command line: what goes where, how it ends, and that nobody ever sees a traceback."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import kyumei
from kyumei.cli import progress as waiting
from kyumei.cli.main import main
from kyumei.errors import KyumeiError, PathError, SymptomError, UnreachableError
from kyumei.report.terminal import to_text
from kyumei.store.case import cache_folder
from tests.report.sample import CANNOT_TELL, HEALTHY, RICH, hostile

if TYPE_CHECKING:
    from collections.abc import Callable

    from kyumei.model.finding import Investigation

SOURCE = Path(kyumei.__file__).parent.parent
TABLES = [
    {"table": "waf", "files": 2, "rows": 5120, "unread": 1, "lines": 5121, "start": "2025-02-06T04:32:10Z", "end": "2025-02-06T06:32:10Z"}
    | {"zone": "UTC", "zone_inferred": False},
    {"table": "metric", "files": 0, "rows": 0, "unread": 0, "lines": 0, "start": "2025-02-06T04:40:00Z", "end": "2025-02-06T06:30:00Z"}
    | {"zone": "UTC", "zone_inferred": False, "inner_rows": 1413},
    {"table": None, "files": 1, "rows": 0, "unread": 2, "lines": 2, "start": None, "end": None, "zone": None, "zone_inferred": False},
]
UNREAD = [{"file": "syslog\x1b[31m", "line": 7, "text": "x" * 5000, "why": "no time"}]


class FakeApi:
    """Stands for kyumei.api: answers what the test says and remembers what it was asked."""

    def __init__(self, answer: Investigation | BaseException) -> None:
        self.answer = answer
        self.asked: dict[str, Any] = {}

    def investigate(self, path: object, symptom: object, **options: object) -> Investigation:
        """The verb, which answers as it was told to."""
        self.asked = {"path": path, "symptom": symptom, **options}
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def module(self) -> SimpleNamespace:
        """What stands for the module."""
        return SimpleNamespace(
            investigate=self.investigate,
            tables=lambda _path, *, cache: TABLES,  # noqa: ARG005 - the signature of the verb
            unread=lambda _path, *, cache: UNREAD,  # noqa: ARG005 - the signature of the verb
            demo_case=lambda name="waf-403": Path("examples") / name,
        )


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Callable[[Investigation | BaseException], FakeApi]:
    """Puts an api in place that gives this answer."""

    def place(answer: Investigation | BaseException) -> FakeApi:
        fake = FakeApi(answer)
        monkeypatch.setitem(sys.modules, "kyumei.api", fake.module())
        monkeypatch.setattr(kyumei, "api", fake.module(), raising=False)
        return fake

    return place


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real command in a process of its own."""
    return subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-m", "kyumei", *arguments],
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment},
    )


# Verdicts and exit codes


@pytest.mark.parametrize(("answer", "code"), [(RICH, 1), (HEALTHY, 0), (CANNOT_TELL, 0)], ids=["cause", "healthy", "cannot tell"])
def test_the_exit_code_says_whether_a_cause_was_found(
    answer: Investigation, code: int, api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    """1 for a cause, 0 for nothing found; the report on standard output, nothing else."""
    api(answer)
    assert main(["investigate", "logs", "--symptom", "403"]) == code
    assert capsys.readouterr() == (to_text(answer), "")


def test_the_symptom_may_stand_behind_the_folder(api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """As one types it in a hurry; but not twice."""
    fake = api(HEALTHY)
    assert main(["investigate", "logs", "403 at 14:32 UTC"]) == 0
    assert fake.asked["symptom"] == "403 at 14:32 UTC"
    capsys.readouterr()
    assert main(["investigate", "logs", "403", "--symptom", "502"]) == 2
    assert "told twice" in capsys.readouterr().err


def test_the_demo_ends_with_zero(api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """A cause is found, and all is well: it is only an example. What it runs is said, so that one can run the like."""
    fake = api(RICH)
    assert main(["demo"]) == 0
    out, err = capsys.readouterr()
    assert out == to_text(RICH)
    assert err.startswith("kyumei investigate ")
    assert "2025-02-06" in fake.asked["symptom"]
    assert main(["demo", "worker-timeout-502"]) == 0
    assert "worker-timeout-502" in capsys.readouterr().err
    assert "502 Bad Gateway on 2025-03-12" in fake.asked["symptom"]


def test_a_demo_that_there_is_not_names_those_that_there_are(
    api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and a hint, as for any wrong input."""
    api(RICH)
    assert main(["demo", "teapot-418"]) == 2
    assert "waf-403, worker-timeout-502" in capsys.readouterr().err


def test_every_option_reaches_the_investigation(api: Callable[[Investigation], FakeApi], tmp_path: Path) -> None:
    """Nothing that a person says is lost on the way."""
    fake = api(HEALTHY)
    options = "--status 403 --method GET --path /x --host shop.example.com --at 14:32 --zone Asia/Tokyo --client 203.0.113.9"
    assert (
        main(
            [
                "investigate",
                "logs",
                *options.split(),
                "--request-id",
                "1-a",
                "--now",
                "2025-02-07T00:00:00Z",
                "--top",
                "3",
                "--cache",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert fake.asked == {
        "path": "logs",
        "symptom": None,
        "now": datetime(2025, 2, 7, tzinfo=UTC),
        "cache": tmp_path,
        "top": 3,
        "options": {
            "status": "403",
            "method": "GET",
            "path": "/x",
            "host": "shop.example.com",
            "at": "14:32",
            "zone": "Asia/Tokyo",
            "client": "203.0.113.9",
            "request_id": "1-a",
        },
    }


# Where reports go


def test_json_on_standard_output(api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: nothing but JSON."""
    api(hostile())
    assert main(["investigate", "logs", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["schema"] == 1


def test_html_beside_the_terminal_report(
    api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The file is written, what was there before is replaced, and the report is printed all the same."""
    api(RICH)
    page = tmp_path / "report.html"
    page.write_text("old", "utf-8")
    assert main(["investigate", "logs", "--html", str(page)]) == 1
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert capsys.readouterr() == (to_text(RICH), f"wrote {page}\n")


@pytest.mark.parametrize(
    ("arguments", "start"),
    [
        (["-o", "{}/a.json"], "{"),
        (["-o", "{}/a.md"], "# "),
        (["-o", "{}/a.html"], "<!doctype"),
        (["-o", "{}/a.txt"], "Symptom"),
        (["-o", "{}/a"], "Symptom"),
        (["--json", "-o", "{}/a.2025"], "{"),
        (["--markdown", "--output", "{}/a.txt"], "# "),
        (["--json", "-o", "{}/a.md"], "{"),
    ],
)
def test_a_report_into_a_file(
    arguments: list[str], start: str, api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """An option says the form, else the ending of the name does."""
    api(RICH)
    given = [argument.format(tmp_path) for argument in arguments]
    assert main(["investigate", "logs", *given]) == 1
    assert Path(given[-1]).read_text("utf-8").startswith(start)
    assert capsys.readouterr() == ("", f"wrote {given[-1]}\n")


@pytest.mark.parametrize(
    ("arguments", "start"), [(["--html", "-"], "<!doctype"), (["--markdown", "-o", "-"], "# "), (["--json", "-o", "-"], "{")]
)
def test_a_dash_is_standard_output(
    arguments: list[str], start: str, api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the report that was asked for goes there."""
    api(RICH)
    assert main(["investigate", "logs", *arguments]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(start)
    assert out.count(out[:20]) == 1
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--json", "--markdown"], "two forms"),
        (["--html", "-", "--json"], "two reports want standard output"),
        (["--html", "a.html", "-o", "a.html"], "two reports want a.html"),
        (["--html", "no-such-folder/a.html"], "there is no folder no-such-folder"),
        (["-o", "."], ". is a folder"),
        (["-o", "report.pdf"], "no report can be written as .pdf: report.pdf"),
        (["-o", "report.JSON.gz"], "written as .gz"),
        (["--html", "a.html", "-o", "./a.html"], "two reports want ./a.html"),
        (["--now", "yesterday"], "'yesterday' is not a time"),
        (["--now", "2025-02-06T06:00:00"], "has no zone"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    arguments: list[str], complaint: str, api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and a hint; the logs are not even opened."""
    fake = api(RICH)
    assert main(["investigate", "logs", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert_line_and_hint(err, complaint)
    assert fake.asked == {}


def assert_line_and_hint(err: str, complaint: str) -> None:
    """Exactly two lines: what is wrong, and what to do."""
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["kyumei", "hint"], err
    assert complaint in lines[0]
    assert lines[1] != "hint: "


# Errors


@pytest.mark.parametrize(
    ("error", "code", "complaint"),
    [
        (PathError("there is no folder 'logs'", "check the spelling"), 2, "there is no folder 'logs'"),
        (SymptomError("“14:32” has no zone", "add --zone Asia/Tokyo"), 2, "has no zone"),
        (UnreachableError("Athena did not answer", "check the network"), 3, "Athena"),
        (PathError("no file a\x1b]0;owned\x07\nb", "look again"), 2, r"no file a\x1b]0;owned\x07 b"),
        (RuntimeError("boom\nand more"), 2, "internal error: RuntimeError: boom and more"),
        (OSError(28, "No space left on device", "cache.duckdb"), 2, "No space left on device: cache.duckdb"),
    ],
)
def test_an_error_is_one_line_and_a_hint(
    error: Exception, code: int, complaint: str, api: Callable[[BaseException], FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a traceback, never an escape sequence from a file name."""
    api(error)
    assert main(["investigate", "logs"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert_line_and_hint(err, complaint)


def test_an_error_without_a_hint_is_one_line(api: Callable[[BaseException], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """No empty hint."""
    api(KyumeiError("it does not work"))
    assert main(["investigate", "logs"]) == 2
    assert capsys.readouterr().err == "kyumei: it does not work\n"


def test_verbose_shows_where_an_internal_error_happened(
    api: Callable[[BaseException], FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only for who asks."""
    api(RuntimeError("boom"))
    assert main(["investigate", "logs", "--verbose"]) == 2
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "kyumei: internal error: RuntimeError: boom\n" in err


def test_what_the_database_raises_where_it_is_interrupted_is_quiet(
    api: Callable[[BaseException], FakeApi], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C that meets DuckDB at work comes as a RuntimeError."""
    api(RuntimeError("Query interrupted"))
    assert main(["investigate", "logs"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [KeyboardInterrupt(), BrokenPipeError(32, "closed")])
def test_an_interruption_is_quiet(error: BaseException, api: Callable[[BaseException], FakeApi], tmp_path: Path) -> None:
    """Ctrl-C and a closed pipe end with 130 and without a word. In a process of its own, for standard output is given up."""
    del api
    script = tmp_path / "interrupted.py"
    script.write_text(
        "import sys, types, kyumei\n"
        f"def investigate(*a, **k): raise {type(error).__name__}(32, 'closed')\n"
        "kyumei.api = sys.modules['kyumei.api'] = types.SimpleNamespace(investigate=investigate)\n"
        "from kyumei.cli.main import main\n"
        "sys.exit(main(['investigate', 'logs']))\n",
        "utf-8",
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, check=False, env={**os.environ, "PYTHONPATH": str(SOURCE)})  # noqa: S603 - our own script
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")


def test_a_pipe_that_nobody_reads_is_no_error() -> None:
    """`kyumei … | head -0` leaves no complaint behind."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as pipe:
        ended = subprocess.run(
            [sys.executable, "-m", "kyumei", "--version"],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
    assert (ended.returncode, ended.stderr) == (130, b"")


@pytest.mark.parametrize(("arguments", "code"), [("formats", 0), ("nosuch", 2)])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_a_closed_stream_is_no_fault(arguments: str, code: int, closed: str) -> None:
    """Whoever closes one wants nothing from it, least of all a traceback."""
    ended = subprocess.run(  # noqa: S603 - our own interpreter and words
        ["/bin/sh", "-c", f'"$0" -m kyumei {arguments} {closed}', sys.executable],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    assert ended.returncode == code
    assert b"Traceback" not in ended.stderr
    assert b"internal error" not in ended.stderr


# Progress


class _Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """It is one, it says."""
        return True


def test_progress_is_shown_only_after_a_while_and_only_to_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing for what is quick, nothing into a file, and no escape sequence from a name."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setenv("TERM", "xterm-256color")
    for stream, pause, seen in ((_Terminal(), 0.4, True), (_Terminal(), 0.0, False), (io.StringIO(), 0.2, False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with waiting.progress("reading a\x1b]0;owned\x07b"):
            time.sleep(pause)
        assert (r"reading a\x1b]0;owned\x07b" in stream.getvalue()) == seen
        assert "\x1b]0;" not in stream.getvalue()


# The other verbs


def test_tables_for_people(api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """One line a table; files that no format claims are not forgotten, nor are records that lie inside those of another table."""
    api(RICH)
    assert main(["tables", "logs"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "TABLE        FILES  ROWS   UNREAD  START                 END                   ZONE",
        "waf          2      5,120  1       2025-02-06T04:32:10Z  2025-02-06T06:32:10Z  UTC",
        "metric       0      1,413  0       2025-02-06T04:40:00Z  2025-02-06T06:30:00Z  UTC",
        "(no format)  1      0      2",
    ]


def test_tables_for_programs(api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """The very value of the api."""
    api(RICH)
    assert main(["tables", "logs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == TABLES
    assert main(["tables", "logs", "--unread", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == UNREAD


def test_unread_lines_for_people(api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """Where, why, and as much of the text as one can look over, made visible."""
    api(RICH)
    assert main(["tables", "logs", "--unread"]) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.startswith(r"syslog\x1b[31m:7  no time  xxx")
    assert line.endswith("[…4,880 characters…]")


def test_formats_and_rules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Each leaf of both shelves, for people and for programs."""
    for verb, shelf in (("formats", "formats"), ("rules", "rules")):
        names = sorted(path.stem for path in (SOURCE / "kyumei" / shelf).glob("[a-z]*.py"))
        assert main([verb]) == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == names
        assert main([verb, "--json"]) == 0
        assert [leaf["name"] for leaf in json.loads(capsys.readouterr().out)] == names


def test_one_format_shows_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """With the name that the log itself gives each field."""
    assert main(["formats", "waf"]) == 0
    out = capsys.readouterr().out
    assert "Follows: " in out
    assert "terminatingRuleId" in out


def test_a_wrong_name_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """And with how to see all."""
    assert main(["formats", "wafs"]) == 2
    assert capsys.readouterr().err == "kyumei: there is no format 'wafs'\nhint: did you mean waf? kyumei formats lists them all\n"


def test_a_user_without_a_home_has_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container neither HOME nor the list of users may name one: nothing is kept then, and all else goes on."""

    def homeless() -> Path:
        message = "Could not determine home directory."
        raise RuntimeError(message)

    for name in ("XDG_CACHE_HOME", "KYUMEI_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folder() is None


def test_a_file_is_no_cache(api: Callable[[Investigation], FakeApi], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who names a file by mistake learns it at once, and nothing is read."""
    asked = api(RICH)
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    assert main(["investigate", "logs", "403", "--cache", str(file)]) == 2
    assert (
        capsys.readouterr().err == f"kyumei: --cache {file} is a file, not a folder\nhint: name a folder; it is made where there is none\n"
    )
    assert asked.asked == {}
    assert file.read_text() == "mine"


def test_a_cache_that_cannot_be_written_is_told(
    api: Callable[[Investigation], FakeApi], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, and the answer all the same."""
    api(RICH)
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["tables", "logs", "--cache", str(tmp_path / "notes.txt" / "cache")]) == 0
    said = capsys.readouterr().err
    assert said.startswith(f"note: --cache {tmp_path / 'notes.txt' / 'cache'} cannot be written (")
    assert said.count("\n") == 1


# The real process


@pytest.mark.parametrize("arguments", [["--help"], [], ["investigate", "--help"], ["tables", "--help"], ["demo", "--help"]])
def test_help_ends_with_an_example(arguments: list[str]) -> None:
    """On standard output, with exit code 0."""
    ended = run(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "Example" in ended.stdout


def test_help_loads_no_engine() -> None:
    """The help is there at once, for neither Rich nor an engine nor the verbs themselves are loaded (timed in ``bench``)."""
    loaded = (
        "import sys, io; sys.stdout = io.StringIO(); from kyumei.cli.main import main; main(['--help']); "
        "sys.exit(bool({'rich', 'duckdb', 'kyumei.api', 'zstandard'} & set(sys.modules)))"
    )
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    assert subprocess.run([sys.executable, "-c", loaded], check=False, env=env).returncode == 0  # noqa: S603 - our own interpreter and code


def test_the_version_is_the_package_s() -> None:
    """`kyumei --version`."""
    assert run("--version").stdout == f"kyumei {kyumei.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["investigate"], "PATH"),
        (["investigate", ".", "--no-such-option"], "--no-such-option"),
        (["investigat", "."], "investigat"),
        (["investigate", "no-such-folder", "--symptom", "403 at 2025-02-06 14:32 JST"], "no-such-folder"),
        (["tables", "no-such-folder"], "no-such-folder"),
    ],
)
def test_a_wrong_command_is_one_line_and_a_hint(arguments: list[str], complaint: str) -> None:
    """Exit code 2, nothing on standard output."""
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert_line_and_hint(ended.stderr, complaint)
    assert "internal error" not in ended.stderr


def test_an_ascii_terminal_is_no_obstacle() -> None:
    """Where the stream cannot write a letter, an escape stands for it."""
    ended = run("investigate", "no-such-folder-é", "--symptom", "403 at 2025-02-06 14:32 JST", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert ended.returncode == 2
    assert "\\xe9" in ended.stderr


def test_the_sample_is_not_changed_by_being_shown(api: Callable[[Investigation], FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs give the same bytes."""
    api(replace(RICH, case="x"))
    main(["investigate", "logs"])
    first = capsys.readouterr().out
    main(["investigate", "logs"])
    assert capsys.readouterr().out == first


def test_an_interruption_while_the_command_is_loaded() -> None:
    """No traceback either: the one who pressed Ctrl-C wants the prompt."""
    loaded = (
        "import sys\n"
        "class Pressed:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'kyumei.cli.main':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Pressed())\n"
        "from kyumei.__main__ import run\n"
        "run()\n"
    )
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ended = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=False, env=env)  # noqa: S603 - our own interpreter and code
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"", b"")
