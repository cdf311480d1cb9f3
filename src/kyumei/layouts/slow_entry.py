r"""The layout of MySQL's slow query log: comment lines with names and values in any number and order, then the statement.

An entry opens with ``# Time:``, or with ``# User@Host:`` where the second has not changed. Between the comments and the statement stand
``use``, where the database changed, and ``SET timestamp``, the second in which the statement began. The best time is that of ``# Time:``
where it has a zone, then ``SET timestamp``, then a ``# Time:`` without one, which is local.

Both readers take an entry apart in the same steps: the comments, the lines that belong to the log itself, the statement.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.layouts.casts import INTEGER, NUMBER, TEXT, guarded, parse_epoch, quoted, to_json
from kyumei.layouts.database_times import MYSQL_NAIVE, MYSQL_TIME, SHORT
from kyumei.layouts.stamps import EPOCH, ISO, substrings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from kyumei.model.table import Column
    from kyumei.model.window import Window

TIME_LINE = "# Time: "
USER_LINE = "# User@Host: "
_COMMENTS = r"(?:#[^\n]*(?:\n|$))*"
_OWN = r"(?:use [^;\n]*;\n|SET [^;\n]*timestamp=[0-9.]+[^;\n]*;(?:\n|$)|# administrator command: [^\n]*(?:\n|$))*"
_NO_COUNTERS = r"(^|\n)# (?:Time: [^\n]*|User@Host: [^\n]*\](?: +Id: +[0-9]+)?|administrator command: [^\n]*)"
_PAIR = r"([A-Za-z_]+): ?([^ \n]*)"
_LINES = {
    "when": r"(?:^|\n)# Time: ([^\n]*)",
    "who": r"(?:^|\n)# User@Host: ([^\n]*)",
}
_WHO = {
    "user": r"^([^\[\n@]*[^\[\n@ ])",
    "host": r" @ +([^\[\n ]+)",
    "ip": r" @ [^\[\n]*\[([^\[\]\n]+)\]",
    "id": r"\] +Id: +([0-9]+)",
}
_COMMAND = r"(?:^|\n)# administrator command: ([^\n;]*)"
_PREAMBLE = {"use": r"(?:^|\n)use ([^;\n]*);", "stamp": r"timestamp=([0-9]+)(?:\.[0-9]*)?[^;\n]*;", "command": _COMMAND}
COUNTERS = {
    "query_seconds": (("Query_time",), NUMBER),
    "lock_seconds": (("Lock_time",), NUMBER),
    "rows_sent": (("Rows_sent",), INTEGER),
    "rows_examined": (("Rows_examined",), INTEGER),
    "rows_affected": (("Rows_affected",), INTEGER),
    "sent_bytes": (("Bytes_sent",), INTEGER),
    "error_number": (("Errno", "Last_errno"), INTEGER),
    "_thread": (("Thread_id",), INTEGER),
    "_schema": (("Schema",), TEXT),
}
"""Columns, the names of the values that fill them, and by which cast."""
_TAKEN = frozenset(name for names, _ in COUNTERS.values() for name in names)
_WHOLE = re.compile("0|[1-9][0-9]{0,17}", re.ASCII)
_STAMP = guarded("seconds since 1970", parse_epoch, "[1-9][0-9]{8,9}", "make_timestamp(TRY_CAST({x} AS BIGINT) * 1000000)")


def _found(patterns: dict[str, str], text: str) -> dict[str, str | None]:
    """The first group of each pattern, null where it is not found or empty."""
    found = {name: re.search(pattern, text, re.ASCII) for name, pattern in patterns.items()}
    return {name: (match[1] or None) if match else None for name, match in found.items()}


class SlowEntry(NamedTuple):
    """The layout; ``columns`` are those of the table."""

    columns: tuple[Column, ...]

    @property
    def head(self) -> str:
        """See ``contracts.Layout``."""
        return f"{TIME_LINE}|{USER_LINE}"

    @property
    def lead(self) -> str:
        """A line that takes the next one into its record, even where that could open one."""
        return TIME_LINE

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``."""
        return substrings((ISO, EPOCH, SHORT), window, offsets)

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        if not text.startswith("# "):
            return Refused("no comment at the start of the entry")
        comments = re.match(_COMMENTS, text)
        end = comments.end() if comments else 0
        own = re.match(_OWN, text[end:])
        preamble = own[0] if own else ""
        lines, said = _found(_LINES, text[:end]), _found(_PREAMBLE, preamble)
        command = _found({"said": _COMMAND}, text[:end])["said"] or said["command"]
        who = _found(_WHO, lines["who"] or "")
        pairs: dict[str, str] = {}
        for name, value in re.findall(_PAIR, re.sub(_NO_COUNTERS, "", text[:end]), re.ASCII):
            pairs.setdefault(name, value)
        if not pairs and not any(lines.values()) and not command and not said["stamp"]:
            return Refused("nothing of a slow query log in the comments")
        values, extra = _counted(pairs)
        naive = _timed(values, lines["when"], said["stamp"], extra)
        statement = text[end + len(preamble) :].strip("\n").removesuffix(";").rstrip("\n")
        values |= {
            "user": who["user"],
            "client_ip": who["ip"] or who["host"],
            "connection": INTEGER.python(who["id"]) if who["id"] else values["_thread"],
            "database": said["use"] or values["_schema"],
            "statement": statement or None,
            "command": command,
            "counters": to_json({name: _value(value) for name, value in pairs.items() if name not in _TAKEN} or None),
        }
        return {"_naive": naive, "_extra": extra or None, **{column.name: values.get(column.name) for column in self.columns}}

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:  # noqa: ARG002 - every entry is taken apart alike
        """See ``contracts.Layout``. Each layer is one step of ``read``."""
        nothing = "NULL::VARCHAR"
        query = f"SELECT _artifact, _line, text, regexp_extract(text, {quoted('^' + _COMMENTS)}) AS comments FROM {source}"
        query = f"SELECT *, substr(text, length(comments) + 1) AS rest FROM ({query})"
        patterns = {**_LINES, "command": _COMMAND}
        lines = ", ".join(f"{_first('comments', pattern)} AS l_{name}" for name, pattern in patterns.items())
        plain = f"regexp_replace(comments, {quoted(_NO_COUNTERS)}, '', 'g')"
        query = f"SELECT *, regexp_extract(rest, {quoted('^' + _OWN)}) AS own, {lines}, {plain} AS pairs FROM ({query})"
        said = ", ".join(f"{_first('own', pattern)} AS s_{name}" for name, pattern in _PREAMBLE.items())
        who = ", ".join(f"{_first('l_who', pattern)} AS w_{name}" for name, pattern in _WHO.items())
        lists = ", ".join(f"regexp_extract_all(pairs, {quoted(_PAIR)}, {n}) AS {name}" for n, name in ((1, "names"), (2, "given")))
        query = f"SELECT *, {said}, {who}, {lists} FROM ({query})"
        raws = ", ".join(f"{_coalesced(names)} AS {_raw(column)}" for column, (names, _) in COUNTERS.items())
        query = f"SELECT *, {raws}, {MYSQL_TIME.sql.replace('{x}', 'l_when')} AS t_when, {_COUNTERS_SQL} AS t_counters FROM ({query})"
        casts = ", ".join(f"{cast.sql.replace('{x}', _raw(column))} AS t_{column}" for column, (_, cast) in COUNTERS.items())
        query = f"SELECT *, {casts}, {_STAMP.sql.replace('{x}', 's_stamp')} AS t_stamp, contains(l_when, 'T') AS zoned FROM ({query})"
        statement = "trim(substr(rest, length(own) + 1), chr(10))"
        shorter = f"CASE WHEN ends_with({statement}, ';') THEN left({statement}, length({statement}) - 1) ELSE {statement} END"
        values = {
            "time": "CASE WHEN zoned THEN t_when ELSE coalesce(t_stamp, t_when) END",
            "started": "t_stamp",
            "user": "w_user",
            "client_ip": "coalesce(w_ip, w_host)",
            "connection": f"coalesce({INTEGER.sql.replace('{x}', 'w_id')}, t__thread)",
            "database": "coalesce(s_use, t__schema)",
            "statement": f"nullif(rtrim({shorter}, chr(10)), '')",
            "command": "coalesce(l_command, s_command)",
            "counters": "TRY_CAST(t_counters AS JSON)",
            **{column: f"t_{column}" for column in COUNTERS if not column.startswith("_")},
        }
        columns = ", ".join(f'({values.get(column.name, nothing)})::{column.kind} AS "{column.name}"' for column in self.columns)
        naive = "CASE WHEN zoned OR t_stamp IS NOT NULL OR l_when IS NULL THEN 0 ELSE 1 END AS _naive"
        return f"SELECT _artifact, _line, {naive}, NULL::JSON AS _extra, {columns}, coalesce({_SURE}, false) AS _ok FROM ({query})"


def _counted(pairs: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of ``COUNTERS``, and the texts that fit none."""
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for column, (names, cast) in COUNTERS.items():
        there = {name: pairs[name] for name in names if pairs.get(name)}
        values[column] = next((value for raw in there.values() if (value := cast.python(raw)) is not None), None)
        extra |= {name: raw for name, raw in there.items() if cast.python(raw) is None}
    return values, extra


def _timed(values: dict[str, Any], when: str | None, stamp: str | None, extra: dict[str, Any]) -> int:
    """Fill ``time`` and ``started``; whether the time is local."""
    written = MYSQL_TIME.python(when) if when else None
    values["started"] = parse_epoch(stamp) if stamp else None
    if when and written is None:
        extra["Time"] = when
    zoned = when is not None and written is not None and MYSQL_NAIVE.python(when) == 0
    values["time"] = written if zoned or values["started"] is None else values["started"]
    return 1 if values["time"] is not None and not zoned and values["started"] is None else 0


def _value(raw: str) -> int | str:
    return int(raw) if _WHOLE.fullmatch(raw) else raw


def _first(text: str, pattern: str) -> str:
    return f"nullif(regexp_extract({text}, {quoted(pattern)}, 1), '')"


def _raw(column: str) -> str:
    return f"r_{column}"


def _coalesced(names: Sequence[str]) -> str:
    return f"coalesce({', '.join(f'''nullif(given[list_position(names, {quoted(name)})], '')''' for name in names)})"


_JSON_VALUE = """CASE WHEN regexp_full_match(p[2], '0|[1-9][0-9]{0,17}') THEN p[2] ELSE '"' || p[2] || '"' END"""
_OTHERS = f"list_filter(list_zip(names, given), lambda p: p[1] NOT IN ({', '.join(map(quoted, sorted(_TAKEN)))}))"
_COUNTERS_SQL = (
    f"CASE WHEN len({_OTHERS}) > 0 THEN '{{' || "
    f"array_to_string(list_transform({_OTHERS}, lambda p: '\"' || p[1] || '\":' || {_JSON_VALUE}), ',') || '}}' END"
)
_FITS = " AND ".join(f"({_raw(column)} IS NULL OR t_{column} IS NOT NULL)" for column in COUNTERS)
_SURE = (
    "starts_with(text, '# ') AND (len(names) > 0 OR l_who IS NOT NULL) AND (l_when IS NULL OR t_when IS NOT NULL) "
    "AND (s_stamp IS NULL OR (t_stamp IS NOT NULL AND length(s_stamp) BETWEEN 9 AND 10)) AND len(list_distinct(names)) = len(names) "
    "AND NOT (list_contains(names, 'Errno') AND list_contains(names, 'Last_errno')) "
    f"AND regexp_full_match(array_to_string(given, ' '), '[ -!#-\\[\\]-~]*') AND (w_id IS NULL OR length(w_id) <= 18) AND {_FITS}"
)
