"""Long hostile records: each is read once, and not again from each quote in it; no bulk reader is made for their shapes."""

from __future__ import annotations

from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

import pytest

from kyumei.contracts import Refused
from kyumei.formats import api_gateway_access
from kyumei.layouts.json_record import parse_object
from kyumei.store import bulk_rows
from tests.asking import case_of, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable

CUT = '{"requestId":"' + 'a \\"quoted\\" word ' * 20_000 + "\\"
AT_MOST = 5.0
"""Seconds; from each quote anew it takes minutes."""


@pytest.mark.parametrize("read", [parse_object, lambda text: api_gateway_access.sniff(text, "")], ids=["any object", "an access log"])
def test_time(read: Callable[[str], object]) -> None:
    """A reader refuses it, and hardly takes longer than to look at each character."""
    start = process_time()
    assert not read(CUT) or isinstance(read(CUT), Refused)
    assert process_time() - start < AT_MOST


@pytest.mark.parametrize("text", ['{"a":"b","c":NaN,}', '{"a":"b\\\\","c":NaN}'])
def test_what_is_whole_is_mended(text: str) -> None:
    """A comma too many and a word that JSON has not."""
    found = parse_object(text)
    assert isinstance(found, dict)
    assert found["c"] == "NaN"


def test_a_line_of_quotes_in_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of a load balancer with 80,000 fields behind it."""
    monkeypatch.setattr(bulk_rows, "BULK_ROWS", 1)
    line = (Path(__file__).parent / "formats" / "alb_access" / "normal.log").read_text("utf-8").partition("\n")[0]
    folder = case_of(tmp_path, "\n".join((line, line + ' "' * 80_000, line)), "access.log")
    start = process_time()
    assert rows_of(folder, "SELECT count(*) FROM alb_access WHERE _line IN (1, 3)") == [(2,)]
    assert process_time() - start < AT_MOST
