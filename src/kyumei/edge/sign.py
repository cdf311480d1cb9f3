"""What one row of a table of causes is: a component that answers of itself has a table of them, and a rule that tells which row it was."""

from __future__ import annotations

from typing import NamedTuple


class Fix(NamedTuple):
    """One way to mend it. Names in braces ({elb}, {group_arn}, {distribution}, {path}, ...) are filled in from the records."""

    says: str
    commands: tuple[str, ...] = ()


class Sign(NamedTuple):
    """One row of the knowledge base: the cause as the end of a sentence, where it lies, what mends it, which metrics move with it."""

    code: str
    layer: str
    cause: str
    fixes: tuple[Fix, ...]
    check: str
    metrics: tuple[str, ...] = ()
    namespace: str = "AWS/ApplicationELB"
