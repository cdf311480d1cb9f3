"""The store, seam by seam: what is a line, what is a record, what lies in what, and that each way of reading gives the same rows."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
import zlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest
import zstandard

from kyumei.errors import PathError
from kyumei.store import bulk_files, bulk_rows, lines, sieve, unpack
from kyumei.store.inflate import KINDS, Stream, inflated
from kyumei.store.lines import batches
from kyumei.store.unpack import members
from kyumei.store.walk import artifact_at, quoted_path, walk
from tests import ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOLDEN = Path(__file__).parent / "formats"
ACCESS = b'10.0.1.12 - - [11/Mar/2025:14:%02d:10 +0900] "GET /items/%d HTTP/1.1" 200 12 "-" "Mozilla/5.0"\n'
LOG = b"".join(ACCESS % (number % 60, number) for number in range(200))
TRACEBACK = (
    b"2025-03-11 14:20:00,000 ERROR shop.orders failed\n"
    b"Traceback (most recent call last):\n\n"
    b'  File "/srv/app/x.py", line 283, in f\n'
    b"KeyError: 17\n"
)


def read(root: Path) -> dict[str, ledger.File]:
    """What the store makes of a folder."""
    case = ledger.opened(root, root.parent / f"{root.name}-cache")
    try:
        return ledger.files(case)
    finally:
        case.close()


def tables(file: ledger.File) -> list[tuple[str | None, int, int]]:
    """Table, line and span of every entry, in the order of the lines."""
    return sorted(((entry.table, entry.line, entry.span) for entry in file.entries), key=lambda entry: entry[1:])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An empty folder for a case."""
    folder = tmp_path / "case"
    folder.mkdir()
    return folder


@pytest.fixture(params=["exact", "bulk"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of reading in turn, whatever the size of the file."""
    way: str = request.param
    monkeypatch.setattr(bulk_rows, "BULK_ROWS", 1 if way == "bulk" else 1 << 40)
    monkeypatch.setattr(bulk_files, "BULK_FROM", 1 if way == "bulk" else 1 << 40)
    return way


# Golden logs: every line of them in its place.


@pytest.mark.parametrize("log", sorted(GOLDEN.glob("*/*.log")), ids=lambda log: f"{log.parent.name}/{log.stem}")
@pytest.mark.usefixtures("reader")
def test_every_line_of_a_golden_log_is_accounted_for(log: Path, root: Path) -> None:
    """Rows + unread = lines, each once, each with its own text."""
    (root / log.name).write_bytes(log.read_bytes())
    case = ledger.opened(root, root.parent / "cache")
    try:
        assert not list(ledger.faults(case, {log.name: log.read_bytes()}, lines.MAX_LINE))
    finally:
        case.close()


# Records and lines


@pytest.mark.usefixtures("reader")
def test_a_record_of_several_lines_takes_them_all(root: Path) -> None:
    """Blank lines inside it too; those around it belong to nobody."""
    (root / "app.log").write_bytes(b"\n\n" + TRACEBACK + b"\n \n" + TRACEBACK)
    assert tables(read(root)["app.log"]) == [("app_log", 3, 5), ("app_log", 10, 5)]


@pytest.mark.usefixtures("reader")
def test_a_guest_ends_the_record_that_it_stands_in(root: Path) -> None:
    """A line of another format inside a traceback is a row of its own, and no line is in two records."""
    (root / "app.log").write_bytes(TRACEBACK + (ACCESS % (20, 1)) + b"KeyError: 18\n" + TRACEBACK + LOG)
    found = tables(read(root)["app.log"])
    assert ("nginx_access", 6, 1) in found
    assert ("app_log", 8, 5) in found
    taken = [line for _, first, span in found for line in range(first, first + span)]
    assert sorted(taken) == list(range(1, 213))


@pytest.mark.usefixtures("reader")
def test_a_long_line_ends_the_record_that_it_stands_in(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is unread under its own number, and the lines after it keep theirs."""
    for module in (lines, sieve, bulk_files):
        monkeypatch.setattr(module, "MAX_LINE", 1000)
    (root / "app.log").write_bytes(TRACEBACK + b"x" * 5000 + b"\nKeyError: 18\n" + TRACEBACK)
    found = read(root)["app.log"]
    assert [(entry.line, (entry.text or "")[:3]) for entry in found.unread if entry.line == 6] == [(6, "xxx")]
    assert ("app_log", 8, 5) in tables(found)


@pytest.mark.usefixtures("reader")
def test_many_records_on_one_line_are_as_many_rows(root: Path) -> None:
    """An answer without line breaks: each event once, the unread ones too, however it is read."""
    events = [{"timestamp": 1741669068388 + n, "message": (ACCESS % (n % 60, n)).decode() if n % 3 else f"odd {n}"} for n in range(300)]
    (root / "events.json").write_text(json.dumps({"events": events}))
    found = read(root)["events.json"]
    assert (len(found.rows), len(found.unread)) == (200, 100)
    assert {(entry.line, entry.span) for entry in found.entries} == {(1, 1)}
    assert {entry.text for entry in found.unread} == {f"odd {n}" for n in range(0, 300, 3)}


@pytest.mark.usefixtures("reader")
def test_a_record_of_a_pretty_printed_document_takes_its_lines(root: Path) -> None:
    """The brackets around the records belong to none of them."""
    record = json.loads((GOLDEN / "waf" / "normal.log").read_text().split("\n")[0])
    text = json.dumps([record, record], indent=2)
    (root / "waf.json").write_text(text)
    size = len(json.dumps(record, indent=2).split("\n"))
    assert tables(read(root)["waf.json"]) == [("waf", 2, size), ("waf", 2 + size, size)]
    assert len(text.split("\n")) == 2 * size + 2


def test_a_broken_document_is_unread_line_by_line(root: Path) -> None:
    """Log lines after a text that only looks like JSON are still read."""
    (root / "mixed.log").write_bytes(b'{"a": {\n"b": 1,\n' + LOG)
    found = read(root)["mixed.log"]
    assert (len(found.rows), [entry.line for entry in found.unread]) == (200, [1, 2])


# What DuckDB's own line reader would get wrong


@pytest.mark.parametrize(
    ("odd", "rows", "unread"),
    [
        (rb'10.0.1.12 - - [11/Mar/2025:14:20:10 +0900] "\x16\x03\x01\x02" 400 0 "-" "-"' + b"\n", 201, 0),
        (b"a \x01 b\n", 200, 1),
        (b"a \r b\n", 200, 1),
        (b"\xff\xfe\n", 200, 1),
        (b'"unclosed\n', 200, 1),
        (b"\0\n", 200, 1),
        (b"\n\n", 200, 0),
        (b"y" * (lines.MAX_LINE + 1) + b"\n", 200, 1),
        (b"y" * (3 * lines.MAX_LINE) + b"\n", 200, 1),
    ],
    ids=["escaped bytes", "its delimiter", "carriage return", "no UTF-8", "a quote", "zero", "blank lines", "long line", "very long line"],
)
@pytest.mark.usefixtures("reader")
def test_no_line_is_cut_or_passed_over(odd: bytes, rows: int, unread: int, root: Path) -> None:
    """Whatever stands in the middle of a file, the lines after it keep their numbers."""
    middle = LOG.index(ACCESS % (40, 100))
    content = LOG[:middle] + odd + LOG[middle:]
    (root / "access.log").write_bytes(content)
    case = ledger.opened(root, root.parent / "cache")
    try:
        assert not list(ledger.faults(case, {"access.log": content}, lines.MAX_LINE))
        found = ledger.files(case)["access.log"]
        assert (len(found.rows), len(found.unread)) == (rows, unread)
    finally:
        case.close()


@pytest.mark.usefixtures("reader")
def test_a_name_is_never_a_pattern(tmp_path: Path) -> None:
    """``a*.log`` is one file, and so is what lies in ``[prod]``."""
    root = tmp_path / "[prod]"
    root.mkdir()
    contents = {"a*.log": LOG, "ab.log": LOG * 2, "{x,y}.log": LOG, "?.log": LOG}
    for name, content in contents.items():
        (root / name).write_bytes(content)
    assert {name: len(file.rows) for name, file in read(root).items()} == {"a*.log": 200, "ab.log": 400, "{x,y}.log": 200, "?.log": 200}


# Lines


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1 << 20])
def test_lines_do_not_depend_on_how_the_bytes_come(size: int) -> None:
    """Marks, line ends and characters may be cut anywhere."""
    content = "\ufeffä\r\nb\rc\n\n\x85\u2028 é\n日本".encode() + b"\xff"
    pieces = [content[at : at + size] for at in range(0, len(content), size)] if size > 2 else _joined(content, size)
    found = [line for batch in batches(pieces) for line in batch.lines]
    assert found == ["ä", "b\rc", "", "\x85\u2028 é", "日本\\xff"]


def _joined(content: bytes, size: int) -> list[bytes]:
    """Small pieces of which the first holds the byte-order mark: a decompressor gives that much at once."""
    return [content[:3], *(content[at : at + size] for at in range(3, len(content), size))]


# Decompression


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_all_that_comes_before_a_fault_is_given(kind: str) -> None:
    """Cut at every thousandth byte, the bytes given are the first ones, and the fault is raised after them."""
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "bzip2": bz2.compress,
        "xz": lzma.compress,
        "zstd": zstandard.compress,
    }
    content = os.urandom(40_000).hex().encode()
    packed = packers[kind](content)
    for end in range(100, len(packed), 5_000):
        given = _drained(inflated(_stream(packed[:end]), kind))
        assert content.startswith(given)
    assert _drained(inflated(_stream(packed + b"\0" * 100 + packed), kind)) == content * 2
    cut = inflated(_stream(packed[:-9]), kind)
    _drained(cut)
    with pytest.raises(EOFError, match="ends too early"):
        cut.read(1)


def _stream(content: bytes) -> Stream:
    source = io.BytesIO(content)
    return Stream(lambda: source.read(777))


def _drained(stream: Stream) -> bytes:
    found = b""
    try:
        while piece := stream.read(1000):
            found += piece
    except (EOFError, zlib.error):
        pass
    return found


def test_a_gzip_that_is_damaged_in_its_middle_gives_what_comes_before() -> None:
    """To where it turns to noise, not to the start of the last block that was read ahead."""
    content = Random(3).randbytes(200_000).hex().encode()  # noqa: S311 - any bytes
    packed = bytearray(gzip.compress(content))
    middle = len(packed) // 2
    packed[middle : middle + 64] = b"\xff" * 64
    stream = inflated(_stream(bytes(packed)), "gzip")
    found = _drained(stream)
    same = next((at for at, (one, other) in enumerate(zip(found, content, strict=False)) if one != other), len(found))
    assert same > len(content) * 0.49
    with pytest.raises(zlib.error):
        stream.read(1)


# Archives


def _parts(path: Path) -> Iterator[tuple[str, str, bytes, str]]:
    for name, compression, stream in members(artifact_at(quoted_path(path))):
        content = b"".join(stream.chunks())
        yield name, compression, content, stream.trouble


def test_names_of_members_are_labels(tmp_path: Path) -> None:
    """No way up, none to the root, each once; and what is cited by a label is found by it."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("../../x.log", "/x.log", "x.log", "C:\\y.log", "..", "日本.log"):
            archive.writestr(name, name)
    found = [(name, content.decode()) for name, _, content, _ in _parts(tmp_path / "a.zip")]
    assert found == [
        ("x.log", "../../x.log"),
        ("x.log (2)", "/x.log"),
        ("x.log (3)", "x.log"),
        ("C:/y.log", "C:\\y.log"),
        ("member", ".."),
        ("日本.log", "日本.log"),
    ]


def test_archives_lie_in_archives(tmp_path: Path) -> None:
    """Three deep, each member compressed as it likes; a fourth is named and left."""
    content, name = LOG, "log.gz"
    content = gzip.compress(content)
    for depth in range(4):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        content, name = made.getvalue(), f"{depth}.tgz"
        (tmp_path / name).write_bytes(content)
    [(label, compression, text, trouble)] = _parts(tmp_path / "2.tgz")
    assert (label, compression, text, trouble) == ("1.tgz!0.tgz!log.gz", "gzip+tar+gzip+tar+gzip+tar+gzip", LOG, "")
    [(_, _, text, trouble)] = _parts(tmp_path / "3.tgz")
    assert (text, trouble) == (b"", "an archive inside 3 archives is not opened")


def test_one_budget_for_all_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many members that are each below the bound are stopped together."""
    monkeypatch.setattr(unpack, "BOMB_FLOOR", 10_000)
    monkeypatch.setattr(unpack, "BOMB_RATIO", 1)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(30):
            archive.writestr(f"{number}.log", b"x" * 1_000)
    found = list(_parts(tmp_path / "a.zip"))
    assert sum(len(content) for _, _, content, _ in found) <= 10_000
    assert found[-1][0] == ""
    assert found[-1][3].endswith("19 members are not read")


# Walking


def test_what_lies_in_a_folder(tmp_path: Path) -> None:
    """Settings at the root are no log, further down they are; links are told by where they lead; folders of tools are left alone."""
    for name in ("case.toml", "sub/case.toml", "sub/a.log", ".git/config", "sub/.DS_Store", ".hidden.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "current.log").symlink_to("sub/a.log")
    (tmp_path / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "same").symlink_to("sub", target_is_directory=True)
    found = {artifact.name: artifact.trouble for artifact in walk(tmp_path)}
    assert found.pop("up") == "the link leads out of the folder and is not followed"
    assert found.pop("current.log") == "a link to sub/a.log, which is read under its own name"
    assert [name.split("/", 1)[-1] for name in sorted(found)] == [".hidden.log", "a.log", "case.toml"]
    assert set(found.values()) == {""}


def test_a_path_of_any_bytes_comes_back(tmp_path: Path) -> None:
    """What stands for a path in the database leads to the file again, and its name is text."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff%41 \n.log"))
    path.write_bytes(b"x")
    artifact = artifact_at(quoted_path(path))
    assert (artifact.path, artifact.name, artifact.size) == (path, "\\xff%41 \n.log", 1)


def test_a_path_that_is_missing_is_refused(tmp_path: Path) -> None:
    """With the path in the message."""
    with pytest.raises(PathError, match=r"no such file or folder: .*nowhere"):
        walk(tmp_path / "nowhere")
