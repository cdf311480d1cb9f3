"""CSVs of CloudWatch metrics: which texts are, and the points that their rows become."""

from __future__ import annotations

import json

import pytest

from kyumei.store.event_lines import Broken, is_event_text, text_events

GRAPH = (
    '\ufeffFull label,"quotes-fn Throttles",mailer Throttles\r\nLabel,quotes-fn,mailer\r\nPeriod,60,300\r\nUnit,Count,Count\r\n'
    "2026/03/10 09:00:00,3,0\r\n2026/03/10 09:01:00,,1.5e-05\r\n"
)


def test_each_number_is_a_point_with_what_is_told_of_its_column() -> None:
    """A cell that is empty is no point, and no zero; the whole label names the metric; digits stay as they are."""
    found = list(text_events(GRAPH))
    assert [one.line for one in found] == [5, 5, 6]
    assert [json.loads(one.text) for one in found] == [
        {"Timestamp": "2026-03-10T09:00:00Z", "Value": 3, "Label": "quotes-fn Throttles", "Unit": "Count", "Period": 60},
        {"Timestamp": "2026-03-10T09:00:00Z", "Value": 0, "Label": "mailer Throttles", "Unit": "Count", "Period": 300},
        {"Timestamp": "2026-03-10T09:01:00Z", "Value": 1.5e-05, "Label": "mailer Throttles", "Unit": "Count", "Period": 300},
    ]
    assert '"Value":1.5e-05' in found[2].text


def test_commas_in_a_label_move_no_label_to_another_column() -> None:
    """A label is quoted where it holds a comma; requests are not to be told as errors."""
    text = 'Label,"web, HTTPCode_ELB_5XX_Count","say ""RequestCount"""\nPeriod,60,60\n2026/03/10 09:00:00,0,500\n'
    assert [(point["Label"], point["Value"]) for one in text_events(text) for point in [json.loads(one.text)]] == [
        ("web, HTTPCode_ELB_5XX_Count", 0),
        ('say "RequestCount"', 500),
    ]


def test_a_script_writes_the_names_of_metrics_beside_the_time() -> None:
    """A time with its offset keeps it; minutes without seconds are whole minutes."""
    text = "Timestamp,5XXError,Latency (p99)\n2026-03-10T18:00+09:00,4,0.5\n"
    assert [json.loads(one.text) for one in text_events(text)] == [
        {"Timestamp": "2026-03-10T18:00:00+09:00", "Value": 4, "Label": "5XXError"},
        {"Timestamp": "2026-03-10T18:00:00+09:00", "Value": 0.5, "Label": "Latency (p99)"},
    ]


def test_a_row_that_is_not_a_time_and_numbers_is_kept() -> None:
    """Nothing is dropped: such a row says why it is not read."""
    found = list(text_events(GRAPH + "2026/03/10 09:02:00,many,0\r\nSum,3,1\r\n"))[3:]
    assert [(one.line, isinstance(one, Broken)) for one in found] == [(7, True), (8, True)]


@pytest.mark.parametrize(
    "text",
    [
        "time,status,path\n2026-03-10 09:00:00,200,/\n",
        "Timestamp,status,bytes\n2026-03-10 09:00:00,200,512\n",
        "Time,Host,Bytes\n2026-03-10 09:00:00,web-1,512\n",
        "Label,Throttles\nPeriod,60\n",
        "Full label,Throttles\nOwner,web\n2026/03/10 09:00:00,3\n",
        "Label,Throttles\n2026/03/10 09:00:00,none\n",
        "2026/03/10 09:00:00,3\n",
        "",
    ],
)
def test_other_csvs_are_no_metrics(text: str) -> None:
    """A table of requests has words or names in small letters; without a label or a name nothing tells what the numbers are."""
    assert not is_event_text(text)
