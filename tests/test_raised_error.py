"""The error that the stack trace of a JSON record names: the bulk reader says what the exact one says, whatever the trace is made of."""

from __future__ import annotations

import json
from random import Random

import duckdb
import pytest

from kyumei.formats import json_lines

PIECES = (
    *(
        "[a",
        "{b",
        "ValueError: bad",
        "ValueError",
        "a.b.C$: x: y",
        "_x",
        "$",
        "X_",
        "X: ",
        "",
        "  at f",
        "\tat g",
        "goroutine 1",
        "main.go:12",
    ),
    *("Traceback (most recent call last):", "Caused by: Q: z", "é: x", "\r", "x\x0by", "E:x", "E: x ", "A.b.", "  ", "9E: x", "A:  b"),
    *('  File "/app/a.py", line 3, in f', "DETAIL:  Key (id)=(7) already exists."),
    *('Error: it\'s "q"', "\u2028E: x", "x"),
)
KEYS = ("stack", "exc_info", "stack_trace", "exception")
RECORDS = 300


def record(random: Random) -> str:
    """A record with a trace of any pieces, half of them Python's."""
    found: dict[str, object] = {"timestamp": "2025-02-06T05:32:10.123Z", "level": "ERROR", "message": "boom"}
    lines = [random.choice(PIECES) for _ in range(random.randint(1, 5))]
    if random.random() < 0.5:
        lines = ["Traceback (most recent call last):", "  File x", random.choice(("ValueError: b", "KeyError", "ns.E: f: g", "odd line"))]
    found[random.choice(KEYS)] = lines if random.random() < 0.1 else "\n".join(lines)
    if random.random() < 0.3:
        found["error_type"] = random.choice(("ValueError", "E", "", None))
    if random.random() < 0.3:
        found["errorMessage"] = random.choice(("m", "", None))
    return json.dumps(found, ensure_ascii=random.random() < 0.5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("sampled", [0, 50])
def test_the_bulk_reader_says_what_the_exact_one_says(seed: int, sampled: int) -> None:
    """Where it claims a record at all; and it claims many."""
    random = Random(seed)  # noqa: S311 - the same records every time
    texts = [record(random) for _ in range(RECORDS)]
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    con.execute(
        "CREATE TABLE records AS SELECT 1 AS _artifact, unnest(?::BIGINT[]) AS _line, unnest(?) AS text", [[*range(RECORDS)], texts]
    )
    found = con.execute(f"SELECT * FROM ({json_lines.LAYOUT.bulk('records', texts[:sampled])})")
    columns = [column[0] for column in found.description or ()]
    claimed = [row for values in found.fetchall() if (row := dict(zip(columns, values, strict=True)))["_ok"]]
    for row in claimed:
        exact = json_lines.LAYOUT.read(texts[row["_line"]])
        assert isinstance(exact, dict)
        own = {name: json.loads(row[name]) if name == "_extra" and row[name] else row[name] for name in exact}
        assert own == exact, texts[row["_line"]]
    assert len(claimed) > RECORDS // 3


def test_the_line_that_names_the_error() -> None:
    """The first behind the last frame in Python's trace, the first elsewhere; what the record says itself counts before it."""

    def said(**own: str) -> tuple[object, object]:
        row = json_lines.LAYOUT.read(json.dumps({"timestamp": "2025-02-06T05:32:10Z", "level": "ERROR", "message": "boom", **own}))
        assert isinstance(row, dict)
        return row["error_type"], row["error_text"]

    python = "Traceback (most recent call last):\n  File x\nValueError: bad"
    assert said(stack=python) == ("ValueError", "bad")
    frame, detail = '\n  File "/app/a.py", line 3, in f\n    x()\n', "\nDETAIL:  Key (id)=(7) already exists.\n"
    first = f"Traceback (most recent call last):{frame}KeyError: 7\n\nDuring handling of the above exception, another one occurred:\n\n"
    assert said(stack=f"{first}Traceback (most recent call last):{frame}UniqueViolation: twice{detail}") == ("UniqueViolation", "twice")
    assert said(stack="java.io.IOException: gone\n\tat a.B\nCaused by: C: d") == ("java.io.IOException", "gone")
    assert said(stack=python, error_type="OtherError") == ("OtherError", None)
    assert said(stack=python, errorMessage="told") == ("ValueError", "told")
    assert said(stack="goroutine 1\nmain.go:12") == (None, None)
