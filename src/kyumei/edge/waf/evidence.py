"""The chain of evidence of a block, from the symptom to the rule: each sentence with the records that show it and its query."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from kyumei.edge.literals import among, literal, same
from kyumei.edge.waf.attack_signs import looks_intended
from kyumei.edge.waf.block import Block, agrees, balancer_agrees, clipped, silent, viewer_of
from kyumei.edge.waf.history import conduct, counted, path_share
from kyumei.edge.waf.inspected import REDACTED, behind_proxy, from_waf
from kyumei.edge.waf.sql import stopped_by
from kyumei.edge.waf.statement import describe_statement, leaves
from kyumei.edge.waf.web_acl import DEFAULT_ACTION, resources
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure, View
    from kyumei.model.finding import Citation

NEAR = timedelta(seconds=60)
LONG = 600
"""Characters of a statement in words that a sentence holds."""
TABLES = {
    "nginx": "nginx_access",
    "apache": "apache_access",
    "alb": "alb_access",
    "clb": "clb_access",
    "server": "app_log",
    "app": "app_log",
}
"""Where the records of a hop stand, for the query that shows that there is none."""
TITLES = {
    "nginx": "nginx",
    "apache": "Apache httpd",
    "server": "the application server",
    "app": "the application",
    "alb": "the load balancer",
    "clb": "the Classic Load Balancer",
    "apigateway": "API Gateway",
}
_SORTS = {
    "REGULAR": "a rule of the web ACL's own",
    "RATE_BASED": "a rate-based rule",
    "GROUP": "a rule group of one's own",
    "MANAGED_RULE_GROUP": "a managed rule group",
}


def chain(view: View, block: Block) -> tuple[Evidence, ...]:
    """The whole chain for one block."""
    parts = [
        _record(view, block),
        _named(view, block),
        _viewer(view, block),
        _balancer(view, block),
        *_silence(view, block),
        *_configured(view, block),
    ]
    return tuple(one for one in [*parts, _sampled(block), _only_counted(view, block), *_to_judge(view, block)] if one is not None)


def those(view: View, failure: Failure, table: str) -> str:
    """A condition for the failing requests: by their ids where all have one and all are here, else by rule, path and window."""
    ids = [row.get("request_id") for row in failure.rows]
    if table == "waf" and len(ids) == failure.total and all(ids):
        return among("request_id", ids)
    # The rows that are here may be only the nearest of the window.
    times = [row["time"] for row in failure.rows]
    start, end = (moment.replace(tzinfo=None) for moment in (view.window.start, view.window.end))
    span = f"time BETWEEN {literal(min(start, *times))} AND {literal(max(end, *times))}"
    rule = stopped_by(failure.rows[0]) if table == "waf" else "list_contains(actions, 'waf')"
    asked = view.symptom.path or view.symptom.path_word
    paths = f" AND {among('path', [row['path'] for row in failure.rows])}" if asked or len(failure.rows) == failure.total else ""
    clients = {row["client_ip"] for row in failure.rows} if view.symptom.client else set()
    whose = f" AND {same('client_ip', clients.pop())}" if len(clients) == 1 else ""
    return f"{rule}{paths}{whose} AND {span}"


def told(row: Mapping[str, Any]) -> str:
    """One request in words: time, client, what it asked for."""
    country = f" ({row['country']})" if row.get("country") else ""
    agent = f', user agent "{clipped(row["user_agent"], 160)}"' if row.get("user_agent") else ", without a user agent"
    query = f"?{clipped(row['query'], 80)}" if row.get("query") else ""
    return (
        f"{row['method'] or '?'} {clipped(row['path'] or '?')}{query} from {row['client_ip'] or '?'}{country} at "
        f"{row['time']:%Y-%m-%d %H:%M:%S} UTC{agent}"
    )


def _record(view: View, block: Block) -> Evidence:
    failure = block.failure
    many = f"; {counted(failure.total - 1, 'more failing request')} like it" if failure.total > 1 else ""
    says = f"AWS WAF's own log has the failing request: {told(block.row)}: action {block.row['action']}{many}"
    return Evidence(says, view.cite(failure.rows), f"SELECT * FROM waf WHERE {those(view, failure, 'waf')} ORDER BY time", failure.total)


def _named(view: View, block: Block) -> Evidence:
    row = block.row
    sort = _SORTS.get(row["rule_type"], row["rule_type"] or "a rule")
    if row["rule_id"] == DEFAULT_ACTION:
        says = f"The record says that no rule ended the look: the default action of web ACL '{row['webacl']}' did"
    elif row["rule_in_group"]:
        says = (
            f"The record names rule '{row['rule_in_group']}' in {row['rule_group']} ('{row['rule_id']}', {sort}) of web ACL "
            f"'{row['webacl']}'"
        )
    else:
        says = f"The record names rule '{row['rule_id']}' of web ACL '{row['webacl']}' as the one that ended the look: {sort}"
    if row["response_status"]:
        says += f"; it answered with a status of its own, {row['response_status']}"
    if row["labels"]:
        says += f"; labels: {', '.join(row['labels'][:4])}"
    sql = f"SELECT time, client_ip, method, path, rule_id, rule_in_group FROM waf WHERE {stopped_by(row)} ORDER BY time"
    found = view.rows(f"SELECT count(*) AS n FROM waf WHERE {stopped_by(row)}")
    return Evidence(says, view.cite([row]), sql, found[0]["n"])


def _viewer(view: View, block: Block) -> Evidence | None:
    """Who the client really is, where the web ACL stands behind CloudFront."""
    row = viewer_of(block)
    if row is None:
        return None
    says = (
        f"The web ACL stands behind CloudFront: {block.row['client_ip']} is an address of CloudFront's that many viewers share, and the "
        f"viewer of this request is {row['client_ip']}, as CloudFront's own row says"
    )
    return Evidence(says, view.cite([row]), total=1)


def _balancer(view: View, block: Block) -> Evidence | None:
    rows = block.failure.sightings.get("alb", ())
    if not rows:
        return None
    row = rows[0]
    actions = ",".join(row.get("actions") or ()) or "-"
    target = row.get("target_ip") or "none"
    word = "says the same" if balancer_agrees(block.failure) else "has the request"
    says = (
        f"The load balancer's own log {word} (joined by {block.failure.joined_by}): status {row['status']}, actions {actions}, target "
        f"{target}"
    )
    ids = [one.get("trace_id") for one in rows]
    key = among("trace_id", ids) if all(ids) else f"{same('path', row['path'])} AND {among('time', [one['time'] for one in rows])}"
    return Evidence(says, view.cite(rows), f"SELECT * FROM alb_access WHERE {key}", len(rows))


def _silence(view: View, block: Block) -> list[Evidence]:
    """The hops further in: those whose silence means something, with their records before and after, and those that cannot say."""
    failure = block.failure
    found = list(failure.evidence) or [_lacking(view, hop, failure.rows[0]) for hop in silent(block)]
    if "alb" in set(failure.silent) - set(silent(block)):
        source = str(block.row["source_id"] or "").partition("-")[2] or "another load balancer"
        found.append(
            Evidence(f"WAF's record is of a request to {source}; the load balancer's log here, which is of another, does not have it")
        )
    if failure.blind:
        names = " and ".join(TITLES.get(hop, hop) for hop in failure.blind)
        found.append(Evidence(f"No log here that covers the moment tells what {names} saw"))
    return found


def _lacking(view: View, hop: str, row: Mapping[str, Any]) -> Evidence:
    says = f"{TITLES.get(hop, hop)} never saw the request: its log covers the moment and does not have it"
    table = TABLES.get(hop)
    if table is None or not view.has(table):
        return Evidence(says)
    own = {"server": "coalesce(server, '') <> '' AND ", "app": "coalesce(server, '') = '' AND "}.get(hop, "")
    moment = literal(row["time"])
    before = view.rows(f"SELECT * FROM {table} WHERE {own}time <= {moment} ORDER BY time DESC LIMIT 1")
    after = view.rows(f"SELECT * FROM {table} WHERE {own}time > {moment} ORDER BY time LIMIT 1")
    if before and after:
        says += f"; its records around it are of {before[0]['time']:%H:%M:%S} and {after[0]['time']:%H:%M:%S} UTC"
    what = f"{same('method', row['method'])} AND {same('path', row['path'])}"
    span = f"time BETWEEN {literal(row['time'] - NEAR)} AND {literal(row['time'] + NEAR)}"
    return Evidence(says, view.cite([*before, *after]), f"SELECT * FROM {table} WHERE {own}{what} AND {span}", 0)


def _configured(view: View, block: Block) -> list[Evidence]:
    """The rule as configured, and which of its parts decided."""
    if block.acl is None or block.cited is None:
        return []
    cited, name = (block.cited,), block.row["webacl"]
    if block.row["rule_id"] == DEFAULT_ACTION:
        return [
            Evidence(
                f"As configured, web ACL '{name}' does {block.acl.default} with what none of its {len(block.acl.rules)} rules ended", cited
            )
        ]
    if block.rule is None:
        return [
            Evidence(
                f"The configuration of web ACL '{name}' in the case has no rule '{block.row['rule_id']}': it was changed since, or before",
                cited,
            )
        ]
    order = block.rule.get("Priority")
    says = (
        f"As configured, rule '{block.rule.get('Name')}' (priority {order}, action {block.configured}): "
        f"{clipped(describe_statement(block.statement), LONG)}"
    )
    if agrees(block) is False and (block.outcome is None or block.outcome.holds is not False):
        says += f". This action is not the {block.row['action']} of the record: the rule was changed since, or before"
    return [Evidence(says, cited), *_decided(view, block)]


def _decided(view: View, block: Block) -> list[Evidence]:
    """The parts of the statement that decided, with the answers that they were judged by."""
    if block.outcome is None or not block.outcome.facts or block.row["rule_type"] == "MANAGED_RULE_GROUP":
        return []
    facts, cited = clipped("; and ".join(block.outcome.facts), LONG), (*((block.cited,) if block.cited else ()), *_referred(view, block))
    if block.outcome.holds is False:
        return [Evidence(f"The rule as captured does not match this request ({facts}): it, or what it refers to, was changed since", cited)]
    return [Evidence(f"{'It matches' if block.outcome.holds else 'What decided, as far as the log tells'}: {facts}", cited)]


def _referred(view: View, block: Block) -> tuple[Citation, ...]:
    """The stored answers of the sets that the statement names."""
    arns = {leaf.get("ARN") for _, leaf, _ in leaves(block.statement)} - {None}
    sets = (("get-ip-set", "IPSet"), ("get-regex-pattern-set", "RegexPatternSet"))
    return tuple(citation for operation, key in sets for found, citation in resources(view, operation, key) if found.get("ARN") in arns)


def _sampled(block: Block) -> Evidence | None:
    sample = block.sample
    if sample is None:
        return None
    inner = f", rule {sample.inner}" if sample.inner else ""
    return Evidence(f"WAF sampled the same request: action {sample.action}{inner}", (sample.citation,), total=1)


def _only_counted(view: View, block: Block) -> Evidence | None:
    names = list(dict.fromkeys(name for row in block.failure.rows for name in row["counted_rules"] or ()))
    if not names:
        return None
    rows = [row for row in block.failure.rows if row["counted_rules"]]
    says = f"Not the cause: {', '.join(names[:5])} matched as well and only counted"
    return Evidence(says, view.cite(rows), f"SELECT * FROM waf WHERE {among('request_id', [row['request_id'] for row in rows])}", len(rows))


def _to_judge(view: View, block: Block) -> list[Evidence]:
    """Facts by which a person can judge whether the block was right."""
    done, client = conduct(view, block.row), block.row["client_ip"] or "?"
    viewer = behind_proxy(from_waf(block.row))
    whose = f"a proxy, {client}, which others may share (X-Forwarded-For names {viewer} first)," if viewer else f"the client {client}"
    found = [
        Evidence(
            f"In this log {whose} has {counted(done.allowed, 'request')} that passed and {done.stopped} that did not, "
            f"the latter on {counted(done.paths, 'path')}",
            sql=done.sql,
            total=done.allowed + done.stopped,
        ),
    ]
    if block.row["path"] != REDACTED:
        stopped, seen, sql = path_share(view, block)
        asked = clipped(block.row["path"] or "?")
        found.append(Evidence(f"Of {counted(seen, 'request')} for {asked} this rule stopped {stopped}", sql=sql, total=seen))
    if marks := looks_intended(block.failure.rows):
        found.append(Evidence(f"The block looks intended: {'; '.join(marks)}", view.cite([block.row])))
    return found


def counted_rules(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Rules that matched these requests and let them go on, each once."""
    return tuple(dict.fromkeys(str(name) for row in rows for name in row["counted_rules"] or ()))
