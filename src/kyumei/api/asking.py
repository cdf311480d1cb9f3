"""A question in SQL over the tables of a case."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kyumei.api.opening import open_at, refuse_empty
from kyumei.model.window import Window
from kyumei.store.ask import PATIENCE_SECONDS, ask
from kyumei.store.asked import asked_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from kyumei.store.ask import Answer


@contextmanager
def query(  # noqa: PLR0913 - what a question depends on
    path: str | Path,
    sql: str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    seconds: float | None = PATIENCE_SECONDS,
    cache: Path | None = None,
) -> Iterator[Answer]:
    """The answer of one SELECT over the tables of the case at ``path``; its rows come as they are taken.

    ``start`` and ``end`` (aware, both or none) say of which time large logs are needed: only what lies around it is read then.
    ``seconds`` is how long the database may work on the question, null for as long as it takes. Raises PathError, QueryError, or
    UnreachableError when that time is over.
    """
    root = Path(path)
    case = open_at(root, Window(start, end) if start and end else None, None, None, cache, asked=asked_of(sql))
    try:
        refuse_empty(case, root)
        yield ask(case, sql, seconds)
    finally:
        case.close()
