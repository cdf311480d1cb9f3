"""One failure that WAF made: the record, the rule as configured, whether the two agree, and how sure that makes us.

The terms of certainty are those of the failure knowledge base: WAF's own record names the rule and belongs to the symptom, and a second
source confirms it: the balancer's row of the same request, a hop further in whose log covers the moment and lacks it, the configured
rule, or a sampled request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import as_map
from kyumei.edge.waf.inspected import REDACTED, from_waf
from kyumei.edge.waf.judge import Outcome, evaluate, lookups
from kyumei.edge.waf.sampled import Sample, sample_of
from kyumei.edge.waf.web_acl import DEFAULT_ACTION, Kind, Place, WebAcl, action_of, kind, place_of, rule_inside, rule_named, web_acl
from kyumei.model.finding import Certainty

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kyumei.contracts import Failure, View
    from kyumei.model.finding import Citation

Row = dict[str, Any]
BY_ID = "trace id"
BY_CLIENT = "time, method, path and client"
"""How ``Failure.joined_by`` says that two logs' records were found to be one request, where the match is good enough to confirm."""


class Block(NamedTuple):
    """A failure that WAF made, with what the case holds about its rule; ``rule`` is null when the configuration is not there."""

    failure: Failure
    row: Mapping[str, Any]
    acl: WebAcl | None
    rule: Row | None
    inner: Row | None
    """The rule inside one's own rule group."""
    cited: Citation | None
    """The answer in which the rule stands."""
    kind: Kind
    outcome: Outcome | None
    """Whether the rule as configured matches the record; null without a statement."""
    sample: Sample | None

    @property
    def place(self) -> Place | None:
        """Where the web ACL lies."""
        return place_of(self.row["webacl_arn"])

    @property
    def statement(self) -> Row:
        """The statement that decided: of the rule inside one's own group where the case holds it."""
        return as_map((self.inner or self.rule or {}).get("Statement"))

    @property
    def configured(self) -> str:
        """What the configuration does with a match: BLOCK, COUNT, GROUP, ...; empty when the case does not hold it."""
        if self.row["rule_id"] == DEFAULT_ACTION:
            return self.acl.default if self.acl else ""
        if self.rule is None:
            return ""
        action = action_of(self.rule, self.row["rule_in_group"])
        return action_of(self.inner) if action == "GROUP" and self.inner else action

    @property
    def name(self) -> str:
        """The rule as a person names it: the one inside the group where a group ended the look."""
        return str(self.row["rule_in_group"] or self.row["rule_id"] or "?")

    @property
    def request(self) -> str:
        """Method and path, cut to what fits in a sentence."""
        return f"{self.row['method'] or '?'} {clipped(self.path or '?')}"

    @property
    def path(self) -> str | None:
        """The path; where WAF's log redacts it, as another log writes that of the same request; null where none does."""
        seen = (row.get("path") for rows in self.failure.sightings.values() for row in rows)
        return next((str(path) for path in (self.row["path"], *seen) if path not in {None, REDACTED}), None)


def clipped(text: str, length: int = 120) -> str:
    """The text, cut where it is too long for a sentence."""
    return text if len(text) <= length else text[: length - 1] + "…"


def blocks(view: View, wanted: Kind) -> tuple[Block, ...]:
    """The failures of this kind that WAF's own records tell of, in their order."""
    found = (_block(view, failure) for failure in view.failures if failure.hop == "waf" and failure.table == "waf" and failure.rows)
    return tuple(block for block in found if block.kind == wanted)


def _block(view: View, failure: Failure) -> Block:
    row = failure.rows[0]
    acl = web_acl(view, row["webacl_arn"])
    rule = rule_named(acl, row["rule_id"]) if acl else None
    inside = rule_inside(view, row["rule_group"], row["rule_in_group"]) if row["rule_type"] == "GROUP" else None
    inner = inside[0] if inside else None
    statement = as_map((inner or rule or {}).get("Statement"))
    return Block(
        failure=failure,
        row=row,
        acl=acl,
        rule=rule,
        inner=inner,
        cited=inside[1] if inside else acl.citation if acl else None,
        kind=kind(row, statement or None),
        outcome=evaluate(statement, from_waf(row), lookups(view)) if statement else None,
        sample=sample_of(view, row),
    )


def agrees(block: Block) -> bool | None:
    """Whether the configuration in the case names this rule and this action; null when the case does not hold it."""
    if block.acl is None:
        return None
    if block.outcome is not None and block.outcome.holds is False:
        return False
    return block.configured in {block.row["action"], "GROUP"}


def balancer_agrees(failure: Failure) -> bool:
    """Whether the balancer's own row of the same request says that WAF ended it."""
    # How the failure was joined tells of one of its joints only, and there may be a distribution in front.
    ids = {row.get("trace_id") for row in failure.rows} - {None}
    rows = [row for row in failure.sightings.get("alb", ()) if failure.joined_by in {BY_ID, BY_CLIENT} or row.get("trace_id") in ids]
    return any(row.get("target_ip") is None and list(row.get("actions") or ())[-1:] == ["waf"] for row in rows)


def silent(block: Block) -> tuple[str, ...]:
    """Hops further in whose silence shows that WAF ended the request: not a balancer, which logs what WAF ends in it, too."""
    beside = {"alb"} if block.row["source_name"] == "ALB" else set()
    return tuple(hop for hop in block.failure.silent if hop not in beside)


def confirmations(block: Block) -> tuple[str, ...]:
    """The second sources that confirm WAF's record."""
    found = []
    if balancer_agrees(block.failure):
        found.append("the load balancer's own record")
    found += [f"the log of {hop}, which covers the moment and lacks the request" for hop in silent(block)]
    if agrees(block):
        found.append("the configuration of the web ACL")
    if block.sample is not None and block.sample.action == block.row["action"]:
        found.append("a request that WAF sampled")
    return tuple(found)


def viewer_of(block: Block) -> Mapping[str, Any] | None:
    """CloudFront's row of the request where the web ACL stands behind it, and so takes an address of CloudFront's for the client."""
    if block.row["source_name"] == "CF":
        return None
    rows = block.failure.sightings.get("cloudfront", ())
    return next((row for row in rows if row.get("client_ip") not in {None, block.row["client_ip"]}), None)


def certainty(view: View, block: Block) -> Certainty:
    """How sure it is that this rule made the failure that the person saw."""
    if view.symptom.browser and not block.failure.human:
        return Certainty.POSSIBLE
    return Certainty.PROVEN if block.failure.sure and confirmations(block) else Certainty.LIKELY
