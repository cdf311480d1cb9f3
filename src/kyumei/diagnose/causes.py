"""Puts the findings of one failure in order: the innermost cause that is sure leads, those further out are how it was felt.

A component that answers for another one is not to blame for it (rule 2 of the failure knowledge base): a balancer's 502 because
of a worker that the kernel killed is one failure with one cause. Rules know nothing of each other; what joins their findings is
the failure that they explain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kyumei.correlate.sightings import ORDER
from kyumei.model.finding import Certainty

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kyumei.model.finding import Finding

DEPTH = (
    "client",
    *ORDER[: ORDER.index("nginx")],
    "target",
    *ORDER[ORDER.index("nginx") : ORDER.index("server")],
    "network",
    *ORDER[ORDER.index("server") :],
    "lambda",
    "host",
    "database",
    "identity provider",
)
"""Layers from the outermost to the innermost. ``target`` is what is behind a balancer, when it is not known which part of it."""
_CERTAINTY = {Certainty.PROVEN: 0, Certainty.LIKELY: 1, Certainty.POSSIBLE: 2}


def depth(finding: Finding, hop: str) -> int:
    """How far in the cause of a finding lies; where it names no layer, at the hop that answered."""
    layer = finding.layer or hop
    return DEPTH.index(layer) if layer in DEPTH else len(DEPTH)


def chained(findings: Sequence[Finding], hop: str) -> list[Finding]:
    """The findings of one failure that ``hop`` answered.

    What leads first, each code once, and ``because`` where one follows from the first.
    """
    best = _once(findings, hop)
    sure = sorted(
        (one for one in best if one.certainty is not Certainty.POSSIBLE), key=lambda one: (-depth(one, hop), _CERTAINTY[one.certainty])
    )
    rest = sorted((one for one in best if one.certainty is Certainty.POSSIBLE), key=lambda one: -depth(one, hop))
    if not sure:
        return rest
    first = sure[0]
    return [first, *(replace(one, because=first.code) if _follows(one, first, hop) else one for one in sure[1:]), *rest]


def _follows(one: Finding, first: Finding, hop: str) -> bool:
    """Whether a finding is how the first one was felt: further out, or at the same place and less sure."""
    outer, inner = depth(one, hop), depth(first, hop)
    return outer < inner or (outer == inner and _CERTAINTY[one.certainty] > _CERTAINTY[first.certainty])


def _once(findings: Sequence[Finding], hop: str) -> list[Finding]:
    """Each code once: of two rules that found the same, the surer one, or the one further in."""
    found: dict[str, Finding] = {}
    for one in sorted(findings, key=lambda one: (_CERTAINTY[one.certainty], -depth(one, hop))):
        found.setdefault(one.code, one)
    return [one for one in findings if found[one.code] is one]
