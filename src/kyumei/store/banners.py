"""What ``tail`` and ``head`` print above the lines of each of several files: ``==> /var/log/nginx/access.log <==``.

Such a line is no record and ends the one above it, whatever that goes on with. Below stand lines of the file that it names, until the next.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kyumei.store.stage import ids, insert_tuples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb

    from kyumei.store.part import Part

_BANNER = r"==> .* <=="
_NAMED = re.compile(r"==> ([^\n]+) <==\r?", re.ASCII)


def banner_names(lines: Iterable[str]) -> tuple[str, ...]:
    """The files that banners among some lines name, each once."""
    return tuple(dict.fromkeys(found[1] for line in lines if line.startswith("==> ") and (found := _NAMED.fullmatch(line))))


def take_banners(con: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> None:
    """Move the banners of the parts that have any into ``headers``."""
    own = [part for part in parts if part.identity.banners]
    if own:
        found = con.execute(
            f"DELETE FROM _lines WHERE _artifact IN {ids(own)} AND _span = 1 AND starts_with(text, '==> ') "
            f"AND regexp_full_match(text, '{_BANNER}') RETURNING _artifact, _line, text"
        ).fetchall()
        insert_tuples(con, "headers", found, ("INTEGER", "BIGINT", "VARCHAR"))
