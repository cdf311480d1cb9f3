"""The layout of a log that is written in several forms: each record goes to the layout of the first form whose pattern it matches.

The patterns are read alike by Python ``re.ASCII`` and RE2, so that both readers send a record to the same layout. What all forms have in
common may be finished afterwards: columns from other columns, said once in Python and once in SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.contracts import Refused
from kyumei.layouts.casts import quoted
from kyumei.layouts.text_shapes import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta

    from kyumei.contracts import Layout
    from kyumei.model.table import Column
    from kyumei.model.window import Window


class Form(NamedTuple):
    """One form: a pattern that its records match at their start (all, when empty), their layout, and whether the bulk reader knows it."""

    pattern: str
    layout: Layout
    bulk: bool = True


class Forms(NamedTuple):
    """A layout of several forms.

    The layouts of the forms answer the ``columns`` and ``scratch`` columns besides; ``finish`` makes the columns from both, or says why the
    record is none; ``finished`` says the same in SQL, by column, and ``needs`` is the SQL condition under which it is a record.
    """

    columns: tuple[Column, ...]
    forms: tuple[Form, ...]
    finish: Callable[[dict[str, Any]], dict[str, Any] | Refused]
    finished: Mapping[str, str]
    needs: str = "true"

    @property
    def head(self) -> str | None:
        """Every line is a record of its own."""
        return None

    def stamps(self, window: Window, offsets: Sequence[timedelta]) -> tuple[str, ...]:
        """See ``contracts.Layout``. A form that cannot tell makes every line be read."""
        found = [form.layout.stamps(window, offsets) for form in self.forms]
        return tuple(sorted({text for texts in found for text in texts})) if all(found) else ()

    def read(self, text: str) -> dict[str, Any] | Refused:
        """See ``contracts.Layout``."""
        number = self._which(text)
        if number < 0:
            return Refused("no known form fits")
        answer = self.forms[number].layout.read(text)
        if isinstance(answer, Refused):
            return answer
        row = self.finish(answer)
        if isinstance(row, Refused):
            return row
        return {"_naive": answer["_naive"], "_extra": answer["_extra"], **{column.name: row.get(column.name) for column in self.columns}}

    def bulk(self, source: str, sample: Sequence[str] = ()) -> str:
        """See ``contracts.Layout``. Where a sample is given, forms that it does not show are left to the exact reader."""
        samples: dict[int, list[str]] = {}
        for text in sample:
            samples.setdefault(self._which(text), []).append(text)
        cases = " ".join(f"WHEN {_test(form)} THEN {number}" for number, form in enumerate(self.forms))
        told = f"SELECT _artifact, _line, text, CASE {cases} ELSE -1 END AS _form FROM {source}"
        known = [number for number, form in enumerate(self.forms) if form.bulk and (not sample or number in samples)]
        selects = [f"SELECT * FROM ({self._form(number, samples.get(number, ()))})" for number in known]
        names = ", ".join(f'NULL::{column.kind} AS "{column.name}"' for column in self.columns)
        others = " AND ".join(["true", *(f"_form <> {number}" for number in known)])
        selects.append(f"SELECT _artifact, _line, 0 AS _naive, NULL::JSON AS _extra, {names}, false AS _ok FROM _told WHERE {others}")
        return f"WITH _told AS ({told}) {' UNION ALL '.join(selects)}"

    def _which(self, text: str) -> int:
        """The number of the form that a record has; -1 for none."""
        return next((number for number, form in enumerate(self.forms) if compiled(form.pattern).match(text)), -1)

    def _form(self, number: int, sample: Sequence[str]) -> str:
        """The records of one form, read in bulk and finished."""
        form = self.forms[number]
        own = form.layout.bulk(f"(SELECT _artifact, _line, text FROM _told WHERE _form = {number})", sample)
        columns = ", ".join(
            f'({self.finished.get(column.name, _name(column.name))})::{column.kind} AS "{column.name}"' for column in self.columns
        )
        return (
            f"SELECT _artifact, _line, _naive, _extra::JSON AS _extra, {columns}, "
            f"coalesce(_ok AND ({self.needs}), false) AS _ok FROM ({own})"
        )


def _test(form: Form) -> str:
    return f"regexp_matches(text, {quoted('^(?:' + form.pattern + ')')})" if form.pattern else "true"


def _name(column: str) -> str:
    return f'"{column}"'
