"""SQL that puts the lines of Lambda functions together to invocations.

A line with an id belongs to its request. In one stream invocations follow each other, so a line without an id belongs to the START that is
open; where two are open at once, as in an export that mixes streams, it is nobody's. Where some lines have no time their order is that of
the file, else that of their times, and the file's among equals: CloudWatch keeps milliseconds.
"""

from __future__ import annotations

_CLOSING = "kind IN ('end', 'runtime_done', 'report')"
_RANK = (
    f"CASE WHEN kind = 'start' THEN 1 WHEN {_CLOSING} THEN 3 WHEN kind = 'xray' THEN 4 "
    "WHEN starts_with(kind, 'init_') OR starts_with(kind, 'restore_') THEN 0 ELSE 2 END"
)
_GROUP_NAME = "regexp_extract(log_group, '^/aws/lambda/(.+)$', 1)"
_STREAM_NAME = r"regexp_extract(stream, '^[0-9]{4}/[0-9]{2}/[0-9]{2}/([^\[\]/]+)\[', 1)"
_STREAM_VERSION = r"regexp_extract(stream, '\[([^\[\]]+)\]', 1)"

_PLACED = f"""
told AS (SELECT _artifact, _line, any_value(log_group) AS log_group, any_value(stream) AS stream FROM streams
    WHERE digest IS NULL GROUP BY _artifact, _line),
alone AS (SELECT *, row_number() OVER (PARTITION BY _artifact, _line, digest ORDER BY envelope_ms) AS copy FROM streams
    WHERE digest IS NOT NULL),
known AS (SELECT *, md5(_text) AS digest, row_number() OVER (PARTITION BY _artifact, _line, _text ORDER BY time) AS copy FROM lambda_log),
named AS (SELECT l.* EXCLUDE (digest, copy), coalesce(a.log_group, s.log_group) AS log_group, coalesce(a.stream, s.stream) AS stream,
        concat_ws(chr(1), coalesce(a.log_group, s.log_group), coalesce(a.stream, s.stream, l._artifact::VARCHAR)) AS room
    FROM known l LEFT JOIN alone a USING (_artifact, _line, digest, copy)
    ASOF LEFT JOIN told s ON l._artifact = s._artifact AND l._line >= s._line),
timed AS (SELECT *, bool_or(time IS NULL) OVER (PARTITION BY room) AS untimed FROM named),
placed AS (SELECT * EXCLUDE untimed, row_number() OVER (PARTITION BY room ORDER BY CASE WHEN NOT untimed THEN time END,
        CASE WHEN NOT untimed THEN {_RANK} END, _artifact, _line, {_RANK}) AS place FROM timed),
closed AS (SELECT room, request_id, max(place) AS closing FROM placed WHERE {_CLOSING} GROUP BY room, request_id),
opened AS (SELECT p.room, p.request_id, p.place, c.closing FROM placed p LEFT JOIN closed c USING (room, request_id)
    WHERE p.kind = 'start'),
starts AS (SELECT *, max(closing) OVER (PARTITION BY room ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM opened),
belonging AS (SELECT p.* REPLACE (coalesce(p.request_id, CASE
        WHEN p.place < coalesce(s.before, 0) OR starts_with(p.kind, 'init_') THEN NULL
        WHEN p.kind = 'xray' OR s.closing IS NULL OR p.place < s.closing THEN s.request_id END) AS request_id)
    FROM placed p ASOF LEFT JOIN starts s ON p.room = s.room AND p.place >= s.place)"""
"""``belonging``: the rows of ``lambda_log`` with their group and stream, their place in it, and the request that they belong to."""

LINES = f"WITH {_PLACED} SELECT _artifact, _line, time, request_id, kind, level, message, log_group, stream, place FROM belonging"
"""Every line with the request that it belongs to. Reads ``lambda_log`` and ``streams``."""

INVOCATIONS = f"""WITH {_PLACED}
SELECT arg_min(_artifact, place) AS _artifact, arg_min(_line, place) AS _line,
    coalesce(min(time) FILTER (kind = 'start'), min(time)) AS time, coalesce(max(time) FILTER ({_CLOSING}), max(time)) AS ended,
    request_id,
    coalesce(max(function_name), nullif(max({_GROUP_NAME}), ''), nullif(max({_STREAM_NAME}), '')) AS function_name,
    coalesce(max(function_version), nullif(max({_STREAM_VERSION}), '')) AS function_version,
    max(log_group) AS log_group, max(stream) AS stream,
    coalesce(max(outcome) FILTER (outcome = 'timeout'), max(outcome) FILTER (kind = 'report'), max(outcome) FILTER (kind = 'runtime_done'),
        max(outcome) FILTER (kind IN ('error', 'exit'))) AS outcome,
    arg_min(error_type, place) FILTER (error_type IS NOT NULL) AS error_type,
    arg_min(error_text, place) FILTER (error_text IS NOT NULL) AS error_text,
    max(request_seconds) FILTER (kind = 'report') AS request_seconds, max(billed_seconds) AS billed_seconds,
    max(memory_bytes) AS memory_bytes,
    max(max_memory_bytes) AS max_memory_bytes, max(init_seconds) AS init_seconds,
    max(restore_seconds) AS restore_seconds,
    max(time_limit_seconds) AS time_limit_seconds, max(trace_id) AS trace_id,
    bool_or(kind = 'start') AS started, bool_or(kind = 'report') AS reported,
    count(*) AS line_count, count(*) FILTER (kind = 'error' OR level IN ('ERROR', 'CRITICAL')) AS error_count,
    list(message ORDER BY place) FILTER (message IS NOT NULL AND kind NOT IN ('start', 'end', 'report', 'xray')) AS messages
FROM belonging WHERE request_id IS NOT NULL GROUP BY request_id"""
"""One row for each request. Reads ``lambda_log`` and ``streams``."""
