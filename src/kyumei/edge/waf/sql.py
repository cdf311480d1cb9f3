"""SQL over WAF's log: which requests a rule stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.edge.literals import same

if TYPE_CHECKING:
    from collections.abc import Mapping

RULE_COLUMNS = ("webacl_arn", "action", "rule_id", "rule_type", "rule_group", "rule_in_group")
"""What together names the rule that ended the look: a rule inside a group is named only by the last two."""


def stopped_by(row: Mapping[str, object]) -> str:
    """A condition on table ``waf``: the requests that the rule of this row stopped in the same way."""
    return " AND ".join(same(column, row.get(column)) for column in RULE_COLUMNS)
