"""Text in Shift JIS and EUC-JP is read as what it says; anything that is not certainly so stays as it is."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from kyumei.store.japanese import japanese_encoding
from tests.asking import rows_of

if TYPE_CHECKING:
    from pathlib import Path

ENCODINGS = ("cp932", "euc_jp")
SAID = "注文の登録に失敗しました。在庫がありません: 表示できない商品です"
LINES = [
    "2025-02-06 14:32:10,123 - shop - INFO - started",
    f"2025-02-06 14:32:11,000 - shop - ERROR - {SAID}",
    "Traceback (most recent call last):",
    '  File "/app/注文.py", line 10, in index',
    "ValueError: 在庫がない",
    "2025-02-06 14:32:12,000 - shop - WARNING - 接続が切れた",
]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_japanese_is_read(tmp_path: Path, encoding: str, *, packed: bool) -> None:
    """Line by line, with the numbers that the lines have in the file; a second byte may be a backslash or a bar."""
    folder = tmp_path / "case"
    folder.mkdir()
    data = ("\r\n".join(LINES) + "\r\n").encode(encoding)
    (folder / ("app.log.gz" if packed else "app.log")).write_bytes(gzip.compress(data) if packed else data)
    found = rows_of(folder, "SELECT _line, level, message, error_text FROM app_log ORDER BY _line")
    assert found == [
        (1, "INFO", "started", None),
        (2, "ERROR", "\n".join([SAID, *LINES[2:5]]), "在庫がない"),
        (6, "WARNING", "接続が切れた", None),
    ]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_letter_that_is_cut_is_no_fault(encoding: str) -> None:
    """What is looked at ends anywhere."""
    data = "\n".join(LINES).encode(encoding)
    assert {japanese_encoding(data[:end]) for end in range(len(data) - 40, len(data))} == {encoding}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / 200",
        SAID.encode(),
        SAID.encode()[:-1],
        (SAID + "\n").encode() * 3 + b"\xff\xfe broken \x82",
        "Müller in Köln, à côté, señor, naïve café crème brûlée déjà vu".encode("latin-1"),
        "Привет, мир: соединение закрыто сервером".encode("cp1251"),
        "Привет, мир: соединение закрыто сервером".encode("koi8-r"),
        "数据库连接失败。请稍后再试。服务器没有响应".encode("gbk"),
        "資料庫連線失敗。請稍後再試。伺服器沒有回應".encode("big5"),
        "데이터베이스 연결에 실패했습니다. 잠시 후 다시 시도하세요".encode("euc-kr"),
        bytes(range(128, 256)) * 4,
        "失敗".encode("cp932"),
        "ｼｯﾊﾟｲ ｼﾏｼﾀ ﾃﾞｰﾀﾍﾞｰｽ".encode("cp932"),
    ],
    ids=range(14),
)
def test_anything_else_is_not(data: bytes) -> None:
    """Other alphabets, UTF-8 with damage, too little to tell."""
    assert japanese_encoding(data) == ""
