"""The example that is shown of each format is a record of it, and of no other."""

from __future__ import annotations

import pytest

from kyumei import discover
from kyumei.contracts import Refused


@pytest.mark.parametrize("name", discover.format_names())
def test_the_example_is_a_record_of_its_format_alone(name: str) -> None:
    """It is claimed by this format only, and read."""
    text = discover.example_of(name)
    assert text, f"put a record into src/kyumei/formats/examples/{name}.log"
    assert [leaf.name for leaf in discover.formats().values() if leaf.sniff(text, "")] == [name]
    row = discover.format_of(name).layout.read(text)
    assert not isinstance(row, Refused), row
    assert sum(value is not None for column, value in row.items() if not column.startswith("_")) > 2
