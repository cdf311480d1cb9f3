"""A time that no log is near: "did you mean" only where one slip leads into the logs, and never where two do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kyumei.api import investigate
from kyumei.diagnose.spoken_instead import other_time
from kyumei.diagnose.spoken_zones import zone_named
from kyumei.diagnose.understand import understand

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CASES = Path(__file__).parent / "cases"


def meant(said: str, first: str, last: str) -> str | None:
    """What a symptom told on NOW is taken to mean, in the person's clock; null where that is not sure."""
    symptom = understand(said, now=NOW)
    rules = zone_named(symptom.zone or "UTC").rules
    found = other_time(symptom, datetime.fromisoformat(first), datetime.fromisoformat(last), rules)
    return f"{found.astimezone(rules):%Y-%m-%d %H:%M}" if found else None


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("403 at 2026-02-06 14:32 JST", "2025-02-06 14:32"),
        ("403 at 2015-02-06 14:32 JST", "2025-02-06 14:32"),
        ("403 at 2025-06-02 14:32 JST", "2025-02-06 14:32"),
        ("403 at 2025-02-06 02:32 JST", "2025-02-06 14:32"),
        ("403 yesterday at 14:32 JST", "2025-02-06 14:32"),
        ("403 at 14:32 JST", "2025-02-06 14:32"),
        ("403 at 2026-02-06 20:32 JST", None),
        ("403 at 2025-03-07 14:32 JST", None),
        ("403 at 2024-02-29 14:32 JST", None),
    ],
)
def test_one_slip_into_six_hours_of_logs(said: str, expected: str | None) -> None:
    """The logs are of one morning and afternoon; a date that was stated is never moved to another day."""
    assert meant(said, "2025-02-06T01:20:00+00:00", "2025-02-06T07:20:00+00:00") == expected


@pytest.mark.parametrize("said", ["403 at 14:32 JST", "403 at 2027-02-06 14:32 JST", "403 yesterday at 14:32 JST"])
def test_two_days_or_years_that_would_fit_are_none(said: str) -> None:
    """Where several moments of the case may be meant, none is proposed."""
    assert meant(said, "2023-02-05T00:00:00+00:00", "2025-02-28T00:00:00+00:00") is None
    assert meant("403 at 14:32 JST", "2025-02-05T00:00:00+00:00", "2025-02-07T00:00:00+00:00") is None


def test_a_wrong_year_is_asked_about_and_not_assumed(tmp_path: Path) -> None:
    """The note names the time that the logs do cover; the symptom, its window and the verdict stay those of what was told."""
    told = "403 on /admin/orders at 2024-03-11 14:20 JST"
    found = investigate(CASES / "wrong_year" / "case", told, now=datetime(2025, 3, 11, 14, tzinfo=UTC), cache=tmp_path)
    assert [note for note in found.symptom.notes if "Did you mean 2025-03-11 14:20 JST?" in note]
    assert found.symptom.window is not None
    assert found.symptom.window.start.year == 2024
    assert found.verdict.value == "cannot_tell"


def test_a_time_within_the_logs_gets_no_such_note(tmp_path: Path) -> None:
    """Also not one shortly behind the last line, which may be meant as it was told."""
    for told in ("403 on /admin/orders at 2025-03-11 14:20 JST", "403 on /admin/orders"):
        found = investigate(CASES / "wrong_year" / "case", told, now=datetime(2025, 3, 11, 14, tzinfo=UTC), cache=tmp_path)
        assert not [note for note in found.symptom.notes if "No request of this case" in note]
