"""What is cited of an AWS answer that is printed over many lines: the line on which a resource opens, and the resource itself."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from kyumei.store.case import open_case
from kyumei.store.cite import cite_all

if TYPE_CHECKING:
    from pathlib import Path

    from kyumei.model.finding import Citation

SET = {
    "Name": "offices",
    "Id": "1",
    "ARN": "arn:aws:wafv2:eu-west-1:123456789012:regional/ipset/offices/1",
    "Addresses": ["198.51.100.0/24"],
}


def cited(tmp_path: Path, operation: str, text: str) -> list[Citation]:
    """Citations of all resources of one answer."""
    answer = tmp_path / "case" / "aws" / "wafv2" / f"{operation}.json"
    answer.parent.mkdir(parents=True)
    answer.write_text(text, "utf-8")
    with closing(open_case(tmp_path / "case", None, lambda *_: None, lambda _: (), cache=tmp_path / "cache")) as case:
        return cite_all(case, case.rows("SELECT _artifact, _line FROM resource_snapshot ORDER BY _line"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_of_a_printed_resource_the_whole_is_cited(tmp_path: Path, end: str) -> None:
    """Its first line holds but a bracket."""
    text = json.dumps({"IPSet": SET, "LockToken": "x"}, indent=4)
    (one,) = cited(tmp_path, "get-ip-set", text.replace("\n", end))
    assert (one.line, one.text) == (2, '    "IPSet": {')
    assert json.loads(one.record) == SET
    assert one.record.replace("\r", "") in text


def test_each_item_of_a_list_is_cited_by_itself(tmp_path: Path) -> None:
    """The one that opens on that line, and no further."""
    sets = [{**SET, "Name": f"set-{number}"} for number in range(3)]
    found = cited(tmp_path, "list-ip-sets", json.dumps({"IPSets": sets}, indent=2))
    assert [json.loads(one.record) for one in found] == sets
    assert {one.text for one in found} == {"    {"}


def test_what_stands_on_one_line_is_that_line(tmp_path: Path) -> None:
    """Nothing is told twice."""
    text = json.dumps({"IPSet": SET})
    (one,) = cited(tmp_path, "get-ip-set", text + "\n")
    assert (one.text, one.record) == (text, "")
