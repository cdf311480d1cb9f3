"""Bad input ends in a clear line and the designed exit code; what lies beside it is still read and still gives the right answer.

Every kind of bad file is met twice: alone in its folder, and beside the log that holds the cause.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

import kyumei
from kyumei.cli.main import main
from kyumei.store import unpack
from kyumei.store.walk import walk

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = Path(__file__).parent / "cases" / "no_status_told" / "case" / "waf.log"
SYMPTOM = "403 on GET /admin/orders at 2025-03-11 14:20 JST"
NOW = "2025-03-11T14:00:00Z"
ACCESS = b'10.0.1.12 - - [11/Mar/2025:14:%02d:10 +0900] "GET /items/%d HTTP/1.1" 200 12 "-" "Mozilla/5.0"\n'
LOG = b"".join(ACCESS % (minute, minute) for minute in range(60))
SOURCE = Path(kyumei.__file__).parent.parent


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KYUMEI_CACHE", str(tmp_path_factory.mktemp("cache")))


class Ran:
    """How a command ended, and what it said where."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in err, err
        assert "internal error" not in err, err

    @property
    def json(self) -> Any:  # noqa: ANN401 - any JSON
        """Standard output as JSON."""
        return json.loads(self.out)


Command = "Callable[..., Ran]"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command in this process."""

    def command(*arguments: str | Path) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return command


@pytest.fixture
def investigated(run: Callable[..., Ran]) -> Callable[..., Ran]:
    """Investigates a folder for the symptom of the good log."""
    return lambda root, *more: run("investigate", root, "--symptom", SYMPTOM, "--now", NOW, "--json", *more)


def noise(size: int) -> bytes:
    """The same random bytes each time."""
    return Random(1).randbytes(size)  # noqa: S311 - any bytes


def many() -> bytes:
    """A log that does not compress to nothing."""
    return b"".join(ACCESS % (n % 60, number) for n, number in enumerate(memoryview(noise(24_000)).cast("Q")))


# What may lie in a folder. Each puts it there, and answers what is said of it; nothing where there is nothing to say.


def binary(root: Path) -> str:
    """A file of random bytes."""
    (root / "core.1234").write_bytes(noise(100_000))
    return "core.1234: holds no text"


def truncated_gzip(root: Path) -> str:
    """A gzip that ends in its middle."""
    whole = gzip.compress(many())
    (root / "access.log.2.gz").write_bytes(whole[: len(whole) // 2])
    return "bytes of text (the gzip data ends too early)"


def gzip_with_wrong_checksum(root: Path) -> str:
    """A gzip whose last bytes are damaged."""
    (root / "access.log.3.gz").write_bytes(gzip.compress(LOG)[:-8] + b"\0" * 8)
    return f"breaks off after {len(LOG)} bytes of text"


def gzip_that_goes_on(root: Path) -> str:
    """A gzip with something else glued to it."""
    (root / "access.log.4.gz").write_bytes(gzip.compress(LOG) + b"and then some")
    return f"breaks off after {len(LOG)} bytes of text"


def nul_bytes(root: Path) -> str:
    """A log that was emptied in place while its writer went on where it was: it begins with zeros."""
    (root / "access.log").write_bytes(b"\0" * 3_000_000 + b"\n" + LOG)
    return ""


def invalid_utf8(root: Path) -> str:
    """Bytes that are no UTF-8, in fields and in whole lines."""
    (root / "access.log").write_bytes(LOG.replace(b"/items/7 ", b"/items/\xff\xfe\xc3 ") + b"\x80\x81\x82 stray \xf0\x9f\n")
    return ""


def shift_jis(root: Path) -> str:
    """Japanese text of a Windows server."""
    (root / "app.log").write_bytes("2025-03-11 14:20:00,000 ERROR shop 注文の取得に失敗しました。接続できません\n".encode("cp932") * 20)
    return ""


def utf_16(root: Path) -> str:
    """What ``aws logs tail > file`` writes in Windows PowerShell."""
    (root / "access.log").write_bytes(LOG.decode().replace("\n", "\r\n").encode("utf-16"))
    return ""


def carriage_returns(root: Path) -> str:
    """Both line ends of other systems, and one alone in the middle of a line."""
    (root / "access.log").write_bytes(LOG.replace(b"\n", b"\r\n", 30) + b"progress 10%\rprogress 20%\r\n")
    return ""


def mixed_formats(root: Path) -> str:
    """Several programs that share one file."""
    own = (
        b'2025-03-11 14:20:00,000 ERROR shop.orders failed\nTraceback (most recent call last):\n  File "x.py", line 1, in f\nKeyError: 1\n'
    )
    (root / "all.log").write_bytes(LOG + own + b'{"level":"info","msg":"up","time":"2025-03-11T05:20:00Z"}\n' + b"= = =\n" + LOG)
    return ""


def blank_and_short(root: Path) -> str:
    """Empty files, blank ones, headers without rows, a single line without an end, a byte-order mark."""
    for name, content in (
        ("empty.log", b""),
        ("blank.log", b"\n \n\t\r\n\n"),
        ("mark.log", b"\xef\xbb\xbf"),
        ("mark-and-log.log", b"\xef\xbb\xbf" + LOG),
        ("one.log", (ACCESS % (20, 1)).rstrip()),
        ("header.csv", b"timestamp,message\n"),
        (
            "flow.log",
            b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status\n",
        ),
        ("braces.json", b"{}"),
        ("array.json", b"[]"),
        ("nothing.json", b'{"events": []}'),
    ):
        (root / name).write_bytes(content)
    return ""


def parquet(root: Path) -> str:
    """A Parquet file whose table of contents is damaged."""
    (root / "logs.parquet").write_bytes(b"PAR1" + b"\x15\x04\x15" * 100 + b"PAR1")
    return "the Parquet file is damaged"


def seven_zip(root: Path) -> str:
    """An archive of a kind that is not opened."""
    (root / "logs.7z").write_bytes(b"7z\xbc\xaf\x27\x1c\0\x04" + b"\0" * 100)
    return "a 7z archive is not read; unpack it"


def pipe_and_socket(root: Path) -> str:
    """A named pipe that nobody writes to, and a socket: whoever opens the one waits for ever."""
    os.mkfifo(root / "pipe.log")
    with socket.socket(socket.AF_UNIX) as own:
        here = Path.cwd()
        os.chdir(root)
        try:
            own.bind("socket.log")
        finally:
            os.chdir(here)
    return "pipe.log: not a regular file"


def links(root: Path) -> str:
    """A loop, a link to itself, links out of the folder, and a link to a log beside it."""
    (root / "logs").mkdir()
    (root / "logs" / "again").symlink_to(root, target_is_directory=True)
    (root / "self.log").symlink_to("self.log")
    (root / "dangling.log").symlink_to("nowhere.log")
    (root / "passwd.log").symlink_to("/etc/passwd")
    (root / "etc").symlink_to("/etc", target_is_directory=True)
    return "passwd.log: the link leads out of the folder and is not followed"


def names(root: Path) -> str:
    """Names with line ends, quotes, SQL, wildcards, escapes and bytes that are no text."""
    for name in (
        b"a\nb.log",
        b"it's.log",
        b'"; DROP TABLE unread; --.log',
        b"[a-z]*?.log",
        b"{x}.log",
        b"\x1b[31mred.log",
        b"\xff\xfe.log",
        b"-",
    ):
        Path(os.fsdecode(os.fsencode(root) + b"/" + name)).write_bytes(LOG)
    return ""


def deep(root: Path) -> str:
    """Folders deeper than a path may be long."""
    here = os.open(root, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("far.log", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    return "the folder cannot be read (File name too long)"


def escapes(root: Path) -> str:
    """What a terminal and a browser would obey, where clients put it."""
    evil = rb"\x1b[2J" + b"\x1b]0;owned\x07\x9b31m<script>alert(1)</script><img src=x onerror=alert(2)>\xe2\x80\xae"
    (root / "access.log").write_bytes(LOG.replace(b"Mozilla/5.0", evil))
    return ""


def zip_of_all_sorts(root: Path) -> str:
    """Names that lead out, absolute ones, one name twice, a folder, a link."""
    with zipfile.ZipFile(root / "logs.zip", "w") as archive:
        archive.writestr("../../../../tmp/kyumei-escaped.log", LOG)
        archive.writestr("/tmp/kyumei-escaped.log", LOG)  # noqa: S108 - a name that must not be obeyed
        archive.writestr("C:\\windows\\x.log", LOG)
        archive.writestr("folder/", b"")
        link = zipfile.ZipInfo("link.log")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return "logs.zip!link.log: a link in an archive is not followed"


def locked_zip(root: Path) -> str:
    """A zip with a password: its flag is set, its bytes are noise."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("secret.log", LOG)
        archive.writestr("open.log", LOG)
    raw = bytearray(made.getvalue())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    (root / "locked.zip").write_bytes(bytes(raw))
    return "locked.zip!secret.log: the member is protected by a password"


def cut_archives(root: Path) -> str:
    """A zip without its table of contents, a tar that ends in a member, a tar with a damaged header."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.log", LOG)
    (root / "cut.zip").write_bytes(made.getvalue()[:-50])
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as packed:
        for name in ("a.log", "b.log"):
            info = tarfile.TarInfo(name)
            info.size = len(LOG)
            packed.addfile(info, io.BytesIO(LOG))
    whole = tar.getvalue()
    second = whole.index(b"b.log")
    (root / "cut.tar").write_bytes(whole[: second + 512 + 1000])
    (root / "damaged.tar").write_bytes(whole[: second + 100] + b"\xff" * 50 + whole[second + 150 :])
    return "cut.tar!b.log: breaks off after 1000 bytes of text"


def bombs(root: Path) -> str:
    """Small files that unpack to very large ones: zeros, gzip in gzip, a zip of many."""
    zeros = gzip.compress(b"\0" * (90 << 20))
    (root / "zeros.gz").write_bytes(zeros)
    (root / "nested.gz").write_bytes(gzip.compress(gzip.compress(zeros)))
    with zipfile.ZipFile(root / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"{number}.log", b"\0" * (40 << 20))
    return "zeros.gz: "


def snapshots(root: Path) -> str:
    """AWS answers that are none: an error page, half a document, text."""
    for name, content in (
        ("describe-rules", b"<html>Access Denied</html>"),
        ("describe-listeners", b'{"Listeners": [{"a"'),
        ("x", b"[1, 2"),
    ):
        path = root / "aws" / "elbv2" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return ""


def odd_dates(root: Path) -> str:
    """Days that do not exist, years far away, and clocks that keep no year around a leap day and New Year."""
    (root / "access.log").write_bytes(
        LOG + b"".join(LOG[:90].replace(b"11/Mar/2025", day) for day in (b"30/Feb/2025", b"11/Mar/9999", b"11/Mar/0001", b"32/Foo/2025"))
    )
    (root / "syslog").write_bytes(
        b"".join(b"%s 14:20:00 web1 app[1]: hello %d\n" % (day, n) for n, day in enumerate((b"Feb 29", b"Feb 30", b"Dec 31", b"Jan  1")))
    )
    return ""


def in_every_packing(root: Path) -> str:
    """Every compression, twice the same one, and archives in archives."""
    for name, pack in (("bz2", bz2.compress), ("xz", lzma.compress), ("zst", zstandard.compress), ("gz", gzip.compress)):
        (root / f"log.{name}").write_bytes(pack(LOG))
        (root / f"cut.{name}").write_bytes(pack(LOG * 40)[:-9])
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("deep.log", gzip.compress(LOG))
    with tarfile.open(root / "outer.tgz", "w:gz") as packed:
        info = tarfile.TarInfo("inner.zip")
        info.size = len(inner.getvalue())
        packed.addfile(info, io.BytesIO(inner.getvalue()))
    return "cut.zst: breaks off after"


KINDS: list[Callable[[Path], str]] = [
    *(binary, truncated_gzip, gzip_with_wrong_checksum, gzip_that_goes_on, nul_bytes, invalid_utf8, shift_jis, utf_16, carriage_returns),
    *(mixed_formats, blank_and_short, parquet, seven_zip, pipe_and_socket, links, names, deep, escapes, zip_of_all_sorts, locked_zip),
    *(cut_archives, bombs, snapshots, odd_dates, in_every_packing),
]


@pytest.mark.parametrize("spoil", KINDS, ids=lambda kind: kind.__name__)
def test_the_good_log_beside_it_still_gives_the_answer(
    spoil: Callable[[Path], str], tmp_path: Path, investigated: Callable[..., Ran]
) -> None:
    """The cause is found with the same certainty, and what is wrong is said."""
    root = tmp_path / "case"
    root.mkdir()
    said = spoil(root)
    shutil.copy(GOOD, root / "waf.log")
    try:
        ran = investigated(root)
        answer = ran.json
        assert (ran.code, answer["verdict"], answer["findings"][0]["code"]) == (1, "cause_found", "EDGE-022")
        cited = [one for evidence in answer["findings"][0]["chain"] for one in evidence["citations"]]
        lines = GOOD.read_text().split("\n")
        assert cited
        assert all(lines[one["line"] - 1] == one["text"] for one in cited if one["file"] == "waf.log")
        assert said in "\n".join(answer["notes"])
    finally:
        _remove(root)


@pytest.mark.parametrize("spoil", KINDS, ids=lambda kind: kind.__name__)
def test_alone_it_accuses_nobody(
    spoil: Callable[[Path], str], tmp_path: Path, investigated: Callable[..., Ran], run: Callable[..., Ran]
) -> None:
    """Nothing found (0), or nothing to read (2) and one line that says why. Both listings work too."""
    root = tmp_path / "case"
    root.mkdir()
    spoil(root)
    try:
        ran = investigated(root)
        assert ran.code in {0, 2}
        if ran.code == 2:
            assert (ran.out, len(ran.err.splitlines()), ran.err[:8]) == ("", 2, "kyumei: ")
        else:
            assert ran.json["verdict"] in {"cannot_tell", "healthy"}
        for table in run("tables", root, "--json").json:
            assert table["rows"] + table["unread"] <= table["lines"]
        assert run("tables", root, "--unread").code == 0
        assert not Path("/tmp/kyumei-escaped.log").exists()  # noqa: S108 - the name in the archive
    finally:
        _remove(root)


def _remove(root: Path) -> None:
    """Remove a folder however deep it is; pytest's own cleaning up stops at the length of a path."""
    subprocess.run(["rm", "-rf", str(root)], check=True)  # noqa: S603, S607 - a folder of this test


# What was read of a damaged file is counted and used.


@pytest.mark.parametrize(
    ("spoil", "table", "rows", "unread"),
    [
        (gzip_with_wrong_checksum, "nginx_access", 60, 0),
        (gzip_that_goes_on, "nginx_access", 60, 0),
        (nul_bytes, "nginx_access", 60, 1),
        (utf_16, "nginx_access", 60, 0),
        (carriage_returns, "nginx_access", 60, 1),
        (mixed_formats, "nginx_access", 120, 1),
        (names, "nginx_access", 480, 0),
        (zip_of_all_sorts, "nginx_access", 180, 0),
        (locked_zip, "nginx_access", 60, 0),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_can_be_read_is(  # noqa: PLR0913 - a row of the table above
    spoil: Callable[[Path], str], table: str, rows: int, unread: int, tmp_path: Path, run: Callable[..., Ran]
) -> None:
    """Every whole line before the damage is a row."""
    spoil(tmp_path)
    found = {entry["table"]: entry for entry in run("tables", tmp_path, "--json").json}
    assert (found[table]["rows"], sum(entry["unread"] for entry in found.values())) == (rows, unread)


def test_what_a_truncated_gzip_holds_is_used(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """As many lines as the decompressor can give, the last one cut."""
    truncated_gzip(tmp_path)
    whole = many()
    got = zlib.decompressobj(31).decompress((tmp_path / "access.log.2.gz").read_bytes())
    assert whole.startswith(got)
    assert len(got) > len(whole) // 4
    entry = run("tables", tmp_path, "--json").json[0]
    assert entry["lines"] == entry["rows"] + entry["unread"] == got.count(b"\n") + (not got.endswith(b"\n"))
    assert entry["rows"] >= got.count(b"\n")


def test_each_packing_is_opened_and_each_cut_is_said(tmp_path: Path, run: Callable[..., Ran], investigated: Callable[..., Ran]) -> None:
    """The log five times whole (the fifth in gzip in zip in gzipped tar), and four times cut."""
    in_every_packing(tmp_path)
    entry = run("tables", tmp_path, "--json").json[0]
    assert entry["files"] >= 7
    assert entry["rows"] >= 5 * 60
    notes = "\n".join(investigated(tmp_path).json["notes"])
    assert [name for name in ("bz2", "xz", "zst", "gz") if f"cut.{name}: breaks off" in notes] == ["bz2", "xz", "zst", "gz"]


def test_zstd_of_several_cores_is_opened(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """A frame without text, which says how long the next one is, stands before each frame, also before the first."""
    said = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"
    (tmp_path / "access.log.zst").write_bytes(b"".join(said + zstandard.compress(LOG) for _ in range(3)))
    entry = run("tables", tmp_path, "--json").json[0]
    assert (entry["rows"], entry["unread"]) == (180, 0)


def test_every_bomb_is_stopped_and_said(tmp_path: Path, investigated: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that unpacks to far more than text does is read up to the bound; the members after it are counted."""
    monkeypatch.setattr(unpack, "BOMB_FLOOR", 100_000)
    line = b"2025-03-11 14:20:00,000 INFO shop hello\n"
    (tmp_path / "a.xz").write_bytes(lzma.compress(line * 100_000))
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_LZMA) as archive:
        for number in range(5):
            archive.writestr(f"{number}.log", line * 100_000)
    shutil.copy(GOOD, tmp_path / "waf.log")
    answer = investigated(tmp_path).json
    assert answer["verdict"] == "cause_found"
    notes = "\n".join(answer["notes"])
    assert "a.xz: stopped after" in notes
    assert "b.zip!4.log: stopped after" in notes
    assert "members are not read" in notes


def test_members_past_the_bound_are_said(
    tmp_path: Path, run: Callable[..., Ran], investigated: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An archive of very many members is read up to a bound, and that is said with the number."""
    monkeypatch.setattr(unpack, "MAX_MEMBERS", 10)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(25):
            archive.writestr(f"{number:02}.log", ACCESS % (20, number))
    with tarfile.open(tmp_path / "b.tar", "w") as packed:
        for number in range(25):
            info = tarfile.TarInfo(f"{number:02}.log")
            info.size = len(ACCESS % (20, number))
            packed.addfile(info, io.BytesIO(ACCESS % (20, number)))
    assert run("tables", tmp_path, "--json").json[0]["rows"] == 20
    notes = "\n".join(investigated(tmp_path).json["notes"])
    assert "a.zip: only the first 10 of 25 members are read" in notes
    assert "b.tar: only the first 10 of more members are read" in notes


# The path itself


@pytest.mark.parametrize("verb", ["investigate", "tables"])
def test_a_missing_path(verb: str, tmp_path: Path, run: Callable[..., Ran]) -> None:
    """One line, a hint, and 2."""
    more = ("--symptom", SYMPTOM) if verb == "investigate" else ()
    for path in (tmp_path / "nowhere", tmp_path / ("x" * 5000), tmp_path / "a\0b"):
        ran = run(verb, path, *more)
        assert ran.code == 2
        assert ran.err.startswith("kyumei: no such file or folder: ")
        assert len(ran.err.splitlines()) == 2


def test_an_empty_folder(tmp_path: Path, investigated: Callable[..., Ran], run: Callable[..., Ran]) -> None:
    """There is nothing to read: wrong input, for every verb alike."""
    verbs = (run("tables", tmp_path), run("tables", tmp_path, "--unread", "--json"), run("query", "--sql", "SELECT 1", tmp_path))
    for ran in (investigated(tmp_path), *verbs):
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith("kyumei: the folder holds no files: ")
        assert len(ran.err.splitlines()) == 2


def test_one_log_file(tmp_path: Path, investigated: Callable[..., Ran]) -> None:
    """A file does where a folder does."""
    ran = investigated(GOOD)
    assert (ran.code, ran.json["findings"][0]["code"]) == (1, "EDGE-022")
    packed = tmp_path / "waf.log.gz"
    packed.write_bytes(gzip.compress(GOOD.read_bytes()))
    assert investigated(packed).json["findings"][0]["chain"][0]["citations"][0]["file"] == "waf.log.gz"


def test_a_path_that_is_no_file(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """A named pipe as the path is refused, not waited for."""
    os.mkfifo(tmp_path / "pipe")
    ran = run("tables", tmp_path / "pipe")
    assert ran.code == 2
    assert ran.err.startswith("kyumei: neither a folder nor a regular file: ")


def test_no_permission(tmp_path: Path) -> None:
    """As a user who may not read: a folder, a file in it, a folder in it that may be listed but not entered."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become a user who may not")
    root = tmp_path / "case"
    (root / "closed").mkdir(parents=True)
    (root / "listed").mkdir()
    for name in ("closed.log", "closed/x.log", "listed/x.log", "waf.log"):
        (root / name).write_bytes(GOOD.read_bytes() if name == "waf.log" else LOG)
    (root / "closed.log").chmod(0)
    (root / "closed").chmod(0)
    (root / "listed").chmod(0o444)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.name.startswith(("pytest-", "popen-", "test_")):
            folder.chmod(0o711)
    found = _as_nobody("investigate", str(root), "--symptom", SYMPTOM, "--now", NOW, "--json")
    own = "No module named" in found.stderr or sys.base_prefix in found.stderr  # it may not read its own library
    if own or found.returncode not in {0, 1, 2}:
        pytest.skip("the interpreter of this test cannot be run by another user")
    assert found.stdout, (found.returncode, found.stderr)
    assert (found.returncode, json.loads(found.stdout)["verdict"]) == (1, "cause_found"), found.stderr
    notes = "\n".join(json.loads(found.stdout)["notes"])
    assert "closed.log: permission denied" in notes
    assert "closed/: the folder cannot be read (Permission denied)" in notes
    assert "listed/x.log: the file cannot be read (Permission denied)" in notes
    root.chmod(0)
    refused = _as_nobody("tables", str(root))
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (2, f"kyumei: the folder may not be read: {root}")
    inside = _as_nobody("tables", str(root / "waf.log"))
    assert (inside.returncode, inside.stderr.splitlines()[0]) == (2, f"kyumei: the path may not be read: {root / 'waf.log'}")


def _as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own interpreter and code
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, "-m", "kyumei", *arguments],  # noqa: S607 - the one of the system
        capture_output=True,
        check=False,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
    )


# Long lines, many files, files that change


def test_a_line_of_64_megabytes(tmp_path: Path, investigated: Callable[..., Ran], run: Callable[..., Ran]) -> None:
    """It is one unread line of its true length; the lines after it keep their numbers."""
    (tmp_path / "access.log").write_bytes(LOG + b"a" * (64 << 20) + b"\n" + LOG)
    shutil.copy(GOOD, tmp_path / "waf.log")
    assert investigated(tmp_path).code == 1
    [long] = run("tables", tmp_path, "--unread", "--json").json
    assert (long["line"], long["why"]) == (61, f"the line is {64 << 20} bytes long; only its first part is kept")
    assert len(long["text"]) < 100_000
    entry = next(one for one in run("tables", tmp_path, "--json").json if one["table"] == "nginx_access")
    assert (entry["rows"], entry["unread"], entry["lines"]) == (120, 1, 121)


def test_very_many_small_files(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """A thousand files are all there, each counted."""
    for number in range(1000):
        (tmp_path / f"{number}.log").write_bytes(ACCESS % (20, number))
    assert run("tables", tmp_path, "--json").json[0]["rows"] == 1000


def test_a_file_that_grows_while_it_is_read(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """What was there is read; what came later is read the next time, by whole lines."""
    path = tmp_path / "access.log"
    path.write_bytes(LOG * 50)
    done = threading.Event()

    def write() -> None:
        with path.open("ab", buffering=0) as log:
            for _ in range(2000):
                log.write(LOG[:100])
                log.write(LOG[100:])
                if done.wait(0.001):
                    break

    writer = threading.Thread(target=write)
    writer.start()
    try:
        first = run("tables", tmp_path, "--json").json[0]
    finally:
        done.set()
        writer.join()
    assert first["rows"] + first["unread"] == first["lines"]
    assert first["rows"] >= 3000
    assert first["unread"] <= 1
    second = run("tables", tmp_path, "--json").json[0]
    assert (second["rows"], second["unread"]) == (path.read_bytes().count(b"\n"), 0)


def test_a_file_that_is_emptied_while_it_is_read(tmp_path: Path) -> None:
    """As logrotate does it with copytruncate: what is gone is said."""
    (tmp_path / "access.log").write_bytes(LOG)
    (tmp_path / "shorter.log").write_bytes(LOG)
    found = walk(tmp_path)
    (tmp_path / "access.log").write_bytes(b"")
    (tmp_path / "shorter.log").write_bytes(LOG[:1000])
    read = [(b"".join(stream.chunks()), stream.trouble) for artifact in found for _, _, stream in unpack.members(artifact)]
    assert read == [
        (b"", f"breaks off after 0 bytes of text (the file has become {len(LOG)} bytes shorter meanwhile)"),
        (LOG[:1000], f"breaks off after 1000 bytes of text (the file has become {len(LOG) - 1000} bytes shorter meanwhile)"),
    ]


# case.toml


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[zones\n", "case.toml cannot be read: "),
        ("a = " + "[" * 5000, "case.toml cannot be read: "),
        ("[zoens]\n", "case.toml has an unknown section [zoens]"),
        ("zones = 5\n", "case.toml: [zones] must be a section"),
        ('[zones]\n"*" = 9\n', "case.toml: every value in [zones] must be a string"),
        ('[zones]\n"*" = "Asia/Tokio"\n', "case.toml names an unknown zone 'Asia/Tokio'"),
        ('[zones]\n"*" = "../../../etc/passwd"\n', "case.toml names an unknown zone"),
        ('[formats]\n"*" = "nginx"\n', "case.toml names an unknown format 'nginx'"),
        ('[log_format]\n"*" = "no variables"\n', "the format has no variable: 'no variables'"),
        ('[symptom]\nwhen = "14:20"\n', "case.toml: [symptom] holds an unknown 'when'"),
    ],
)
def test_a_mistake_in_case_toml(text: str, says: str, tmp_path: Path, investigated: Callable[..., Ran]) -> None:
    """One line that names the mistake, and 2."""
    shutil.copy(GOOD, tmp_path / "waf.log")
    (tmp_path / "case.toml").write_text(text)
    ran = investigated(tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"kyumei: {says}")
    assert len(ran.err) < 500


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_case_toml_of_an_editor_that_marks_its_files(encoding: str, tmp_path: Path, investigated: Callable[..., Ran]) -> None:
    """A byte-order mark is no mistake."""
    shutil.copy(GOOD, tmp_path / "waf.log")
    (tmp_path / "case.toml").write_text('[zones]\n"*.log" = "Asia/Tokyo"\n', encoding=encoding)
    assert investigated(tmp_path).code == 1


# What is asked


def test_a_symptom_in_the_wrong_year(run: Callable[..., Ran]) -> None:
    """No log holds the moment: that is said, with the time that they do hold, and nobody is accused."""
    ran = run("investigate", GOOD.parent, "--symptom", SYMPTOM.replace("2025", "2024"), "--now", NOW, "--json")
    assert (ran.code, ran.json["verdict"]) == (0, "cannot_tell")
    assert any(note.startswith("the logs run from 2025-03-11") and "the year" in note for note in ran.json["notes"])


def test_nothing_in_a_log_reaches_the_terminal_or_the_browser_raw(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """A user agent of escape sequences and script stands in the report as text, in every form of it."""
    evil = "\x1b[2J\x1b]0;owned\x07\u202e<script>alert(1)</script>"
    found = [json.loads(line) for line in GOOD.read_text().splitlines()]
    for record in found:
        for header in record["httpRequest"]["headers"]:
            header["value"] += evil if header["name"] == "user-agent" else ""
    (tmp_path / "waf.log").write_text("\n".join(json.dumps(record, ensure_ascii=False) for record in found))
    html = tmp_path / "report.html"
    for form in ((), ("--json",), ("--markdown",), ("--html", html)):
        ran = run("investigate", tmp_path / "waf.log", "--symptom", SYMPTOM, "--now", NOW, *form)
        assert ran.code == 1
        for text in (ran.out, ran.err):
            assert not {"\x1b", "\x07", "\u202e"} & set(text)
    page = html.read_text()
    assert "<script>alert" not in page
    assert not {"\x1b", "\x07", "\u202e"} & set(page)


# kyumei tables --json


def test_the_tables_of_a_folder(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """DESIGN 8: one entry a table; what nobody claims stands under null with all its lines unread."""
    (tmp_path / "access.log").write_bytes(LOG + b"stray words\n\n")
    (tmp_path / "app.log").write_bytes(b"2025-03-11 14:20:00,000 ERROR shop failed\nTraceback (most recent call last):\n\nKeyError: 1\n")
    (tmp_path / "novel.txt").write_bytes(b"It was a dark night.\n\nThe end.\n")
    (tmp_path / "core").write_bytes(noise(1000))
    found = run("tables", tmp_path, "--json").json
    access = {"table": "nginx_access", "files": 1, "rows": 60, "unread": 1, "lines": 61}
    access |= {"start": "2025-03-11T05:00:10Z", "end": "2025-03-11T05:59:10Z", "zone": "+09:00", "zone_inferred": False}
    assert access in found
    app = next(entry for entry in found if entry["table"] == "app_log")
    assert (app["rows"], app["unread"], app["lines"]) == (1, 0, 4)
    nobody = next(entry for entry in found if entry["table"] is None)
    assert (nobody["rows"], nobody["unread"], nobody["lines"], nobody["start"]) == (0, 2, 2, None)
