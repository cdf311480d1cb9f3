"""CloudTrail's compact documents: cut by the database they are what the reader that decodes everything makes of them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kyumei.store import compact, documents
from kyumei.store.compact import compact_pieces, joined, sample
from tests import ledger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EVENT = {
    "eventVersion": "1.11",
    "userIdentity": {"type": "IAMUser", "accountId": "123456789012", "arn": "arn:aws:iam::123456789012:user/ada", "userName": "ada"},
    "eventTime": "2025-02-06T09:10:11Z",
    "eventSource": "s3.amazonaws.com",
    "eventName": "GetObject",
    "awsRegion": "ap-northeast-1",
    "sourceIPAddress": "192.0.2.7",
    "requestParameters": {"bucketName": "example-bucket"},
    "eventID": "0",
}
ODD: tuple[dict[str, Any], ...] = (
    {"requestParameters": {"list": [{"a": 1}, {"eventVersion": "inner"}, {"eventVersion": "other"}]}},
    {"requestParameters": {"text": '},{"eventVersion":"'}, "errorCode": "AccessDenied"},
    {"requestParameters": {"number": 1e300, "control": "\x01", "text": "\U0001f600", "slash": "</"}},
    {"responseElements": None, "resources": [{"ARN": "arn:aws:s3:::example-bucket"}], "tlsDetails": {"tlsVersion": "TLSv1.3"}},
    {"newKeyOfNextYear": {"a": [1.50]}},
    {"eventTime": "yesterday"},
    {"eventName": ["no text"]},
)
NESTED = '{"eventVersion":"1.11","eventTime":' + "[" * 100_000 + "]" * 100_000 + "}"
TWICE = '{"eventVersion":"1.11","eventTime":"2025-02-06T09:10:11Z","eventTime":"x","eventSource":"a","eventName":"b","eventID":"\\ud800"}'


def _text(records: Sequence[dict[str, Any] | str]) -> str:
    """A document of records, which may be told as text."""
    texts = [one if isinstance(one, str) else json.dumps(one, separators=(",", ":"), ensure_ascii=False) for one in records]
    return '{"Records":[' + ",".join(texts) + "]}"


SOUND = [{**EVENT, "eventID": str(number), **odd} for number, odd in enumerate((*ODD, {}, {}) * 3)]
DOCUMENTS = {
    "sound.json": _text([record for record in SOUND if record["eventID"] not in {"0", "9", "18"}]).encode(),
    "one.json": _text([EVENT]).encode() + b" \r\n",
    "with a list of what begins alike.json": _text(SOUND).encode(),
    "a bomb.json": _text([EVENT, NESTED, EVENT]).encode(),
    "twice.json": _text([TWICE, EVENT]).encode(),
    "glued.json": (_text([EVENT, EVENT]) + _text([EVENT])).encode(),
    "a bracket is missing.json": _text([EVENT, '{"eventVersion":"1.11"', EVENT]).encode(),
    "nothing between.json": _text([EVENT, EVENT]).replace("},{", "}{").encode(),
    "a comma too many.json": _text([EVENT, EVENT]).replace("]}", ",]}").encode(),
    "cut off.json": _text([EVENT, EVENT]).encode()[:-40],
    "not utf-8.json": _text([EVENT, EVENT]).encode().replace(b"example-bucket", b"\xff\xfe"),
    "on two lines.json": _text([EVENT, EVENT]).replace("},{", "},\n{").encode(),
    "more beside.json": (_text([EVENT, EVENT])[:-1] + ',"more":[' + json.dumps(EVENT) + "]}").encode(),
    "more of the same.json": (_text([EVENT, EVENT])[:-1] + ',"Records":[{"eventVersion":"1"}]}').encode(),
    "packed.json.gz": gzip.compress(_text([EVENT] * 30).encode(), mtime=0),
    "packed and cut off.json.gz": gzip.compress(_text([EVENT] * 30).encode(), mtime=0)[:-30],
    "queue.json": _text([{"eventVersion": "1", "eventSource": "aws:sqs", "body": json.dumps(EVENT)}] * 2).encode(),
    "bucket.json": _text([{"eventVersion": "2.1", "eventSource": "aws:s3", "eventTime": "2025-02-06T09:10:11Z"}] * 2).encode(),
    "nothing known.json": _text([{"eventVersion": "2.1", "a": 1}, {"eventVersion": "2.1"}]).encode(),
}


def _contents(root: Path, cache: Path) -> dict[str, list[Any]]:
    """All rows of all tables of a case that can hold these records, in an order that does not depend on how they were read."""
    case = ledger.opened(root, cache)
    try:
        tables = ("cloudtrail", "json_lines", "unread")
        found: dict[str, list[Any]] = {one: sorted(map(repr, case.con.execute(f'SELECT * FROM "{one}"').fetchall())) for one in tables}
        columns = "name, shape, format, trouble"
        found["artifacts"] = case.con.execute(f"SELECT {columns} FROM artifacts ORDER BY name").fetchall()
    finally:
        case.close()
    return found


@pytest.mark.parametrize("name", [*DOCUMENTS, ""], ids=[*DOCUMENTS, "all together"])
def test_a_document_is_read_alike_whether_it_is_cut_or_decoded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row, every unread line, and what is said of the file."""
    root = tmp_path / "case"
    root.mkdir()
    for one, content in DOCUMENTS.items():
        if name in {one, ""}:
            (root / one).write_bytes(content)
    monkeypatch.setattr(compact, "PIECE", 700)
    monkeypatch.setattr(compact, "SHARE", 1 << 20)
    monkeypatch.setattr(compact, "WORTH_IT", 0)
    in_bulk = _contents(root, tmp_path / "in bulk")
    monkeypatch.setattr(compact, "WORTH_IT", 1 << 40)
    assert _contents(root, tmp_path / "one by one") == in_bulk
    assert sum(len(rows) for table, rows in in_bulk.items() if table != "artifacts") > 0
    monkeypatch.setattr(documents, "compact_pieces", lambda _: ())
    decoded = _contents(root, tmp_path / "decoded")
    if name == "a bomb.json":  # nobody can tell how a value ends that is nested too deeply; cut out it is one record
        assert (len(decoded["cloudtrail"]), len(in_bulk["cloudtrail"])) == (1, 2)
    elif name:
        assert decoded == in_bulk


def test_sound_documents_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader that decodes is not asked for them, and each record keeps its own text on the first line."""
    monkeypatch.setattr(compact, "WORTH_IT", 0)
    monkeypatch.setattr("kyumei.store.parse.open_document", lambda *_: pytest.fail("it was decoded"))
    root = tmp_path / "case"
    root.mkdir()
    (root / "sound.json").write_bytes(DOCUMENTS["sound.json"])
    case = ledger.opened(root, tmp_path / "cache")
    try:
        texts = case.con.execute("SELECT _line, _span, _text FROM cloudtrail UNION ALL SELECT _line, 1, text FROM unread").fetchall()
    finally:
        case.close()
    records = json.loads(DOCUMENTS["sound.json"])["Records"]
    assert sorted(texts) == sorted((1, 1, json.dumps(record, separators=(",", ":"), ensure_ascii=False)) for record in records)


@pytest.mark.parametrize("size", [1, 700, 1 << 20])
def test_pieces_are_the_document(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut anywhere and joined again it is the same; a sample is of whole records."""
    monkeypatch.setattr(compact, "PIECE", size)
    pieces = compact_pieces(DOCUMENTS["sound.json"] + b"\r\n")
    assert joined(pieces) == DOCUMENTS["sound.json"]
    assert 0 < len(list(sample(pieces, 5))) <= 5 + len(pieces)
    plain = compact_pieces(_text([EVENT] * 9).encode())
    assert [json.loads(record) for record in sample(plain, 1000)] == [EVENT] * 9


@pytest.mark.parametrize("name", ["cut off.json", "a comma too many.json", "on two lines.json", "queue.json"])
def test_other_documents_are_not_cut(name: str) -> None:
    """Whatever is more than records with a comma between them, or carries records in its items."""
    assert compact_pieces(DOCUMENTS[name]) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("eventVersion"), inner, max_size=3),
)


@settings(max_examples=100, deadline=None)
@given(
    items=st.lists(st.dictionaries(st.sampled_from(["a", "}{", '"']), JSON, max_size=3), min_size=1, max_size=4), size=st.integers(1, 40)
)
def test_every_record_is_in_the_pieces(items: list[dict[str, Any]], size: int) -> None:
    """Whatever stands in the records; where a list holds what begins alike, a piece of it is no JSON object."""
    text = _text([{"eventVersion": "1.1", **item} for item in items])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "PIECE", size)
        pieces = compact_pieces(text.encode("utf-8", "surrogatepass"))
    assert joined(pieces) == text.encode("utf-8", "surrogatepass")
