"""Route 53 Resolver query logs: one row for each DNS query that came from inside a VPC.

The resolver logs what it was asked and what it answered; an answer out of its cache is logged once while the record lives, so a missing
query proves nothing. ``response_code`` NOERROR with no answers means that the name is there and has no record of that type. What DNS
Firewall did is in ``firewall_action``; a blocked query may still have an answer, the one that the rule gives.

Follows "Values that appear in VPC Resolver query logs" in the Amazon Route 53 Developer Guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.contracts import Format
from kyumei.layouts.casts import DOMAIN, INTEGER
from kyumei.layouts.json_record import JsonRecord, one, parse_object
from kyumei.layouts.json_tree import UTC_TIME, Dig, dug, dug_sql, every_pair, opened, shallow, strings, strings_sql, tree
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE = Table(
    "route53_resolver",
    "DNS queries from inside VPCs, and what the Route 53 Resolver answered.",
    (
        Column("time", Kind.TIME, "When the query was answered; seconds or milliseconds.", origin="query_timestamp"),
        Column("account", Kind.TEXT, "The account of the VPC.", Link.ACCOUNT, "account_id"),
        Column("region", Kind.TEXT, "The Region of the VPC.", origin="region"),
        Column("vpc_id", Kind.TEXT, "The VPC.", Link.RESOURCE, "vpc_id"),
        Column("query_name", Kind.TEXT, "The name asked for, with the dot at its end.", origin="query_name"),
        Column("domain", Kind.TEXT, "The same in small letters without that dot.", Link.HOST, "query_name"),
        Column("query_type", Kind.TEXT, "A, AAAA, CNAME, PTR, SRV, TXT, ...", origin="query_type"),
        Column("query_class", Kind.TEXT, "IN.", origin="query_class"),
        Column("response_code", Kind.TEXT, "NOERROR, NXDOMAIN, SERVFAIL, REFUSED, ...", origin="rcode"),
        Column("answer_list", Kind.LIST, "The data of the answers: addresses, names; null when there are none.", origin="answers[].Rdata"),
        Column("answers", Kind.JSON, "The answers, each with its data, type and class.", origin="answers"),
        Column("client_ip", Kind.TEXT, "The address that asked.", Link.CLIENT, "srcaddr"),
        Column("client_port", Kind.INTEGER, "The port that it asked from.", origin="srcport"),
        Column("transport", Kind.TEXT, "UDP, TCP, ...", origin="transport"),
        Column("instance_id", Kind.TEXT, "The instance that asked.", Link.RESOURCE, "srcids.instance"),
        Column("resolver_endpoint", Kind.TEXT, "The endpoint by which the query came.", Link.RESOURCE, "srcids.resolver_endpoint"),
        Column("interface_id", Kind.TEXT, "Its network interface.", Link.INTERFACE, "srcids.resolver_network_interface"),
        Column("source_ids", Kind.JSON, "All ids of what asked.", origin="srcids"),
        Column("firewall_action", Kind.TEXT, "ALERT, BLOCK or ALLOW; null when no rule matched.", origin="firewall_rule_action"),
        Column("firewall_rule_group", Kind.TEXT, "The DNS Firewall rule group.", Link.RESOURCE, "firewall_rule_group_id"),
        Column("firewall_domain_list", Kind.TEXT, "The domain list that has the name.", Link.RESOURCE, "firewall_domain_list_id"),
        Column("firewall_protection", Kind.TEXT, "The kind of threat of an advanced rule.", origin="firewall_protection"),
        Column("firewall_confidence", Kind.TEXT, "How sure an advanced rule is.", origin="firewall_threat_confidence"),
        Column("log_version", Kind.TEXT, "The version of the log's format.", origin="version"),
    ),
)


FIELDS = (
    one("time", "query_timestamp", UTC_TIME),
    one("account", "account_id"),
    one("region", "region"),
    one("vpc_id", "vpc_id"),
    one("query_name", "query_name"),
    one("domain", "query_name", DOMAIN),
    one("query_type", "query_type"),
    one("query_class", "query_class"),
    one("response_code", "rcode"),
    tree("answers"),
    one("client_ip", "srcaddr"),
    one("client_port", "srcport", INTEGER),
    one("transport", "transport"),
    tree("source_ids", "srcids"),
    one("firewall_action", "firewall_rule_action"),
    one("firewall_rule_group", "firewall_rule_group_id"),
    one("firewall_domain_list", "firewall_domain_list_id"),
    one("firewall_protection", "firewall_protection"),
    one("firewall_confidence", "firewall_threat_confidence"),
    one("log_version", "version"),
)
DIGS = (
    Dig("instance_id", "source_ids", ("instance",)),
    Dig("resolver_endpoint", "source_ids", ("resolver_endpoint",)),
    Dig("interface_id", "source_ids", ("resolver_network_interface",)),
)
_DUG, _SURE = dug_sql(DIGS)
_ANSWERS_SQL, _ANSWERS_SURE = strings_sql("answers", "Rdata")


def _derive(document: Mapping[str, Any], _values: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Columns that lie inside others."""
    return {
        **dug(DIGS, {"source_ids": document.get("srcids")}),
        "answer_list": strings(document.get("answers"), "Rdata"),
    }, set()


LAYOUT = JsonRecord(
    table=TABLE,
    fields=FIELDS,
    stamp_ways=(ISO, ISO_SPACE),
    needs=frozenset({"query_timestamp", "query_name"}),
    derive=_derive,
    prepare=opened,
    steps=(*_DUG, {"answer_list": _ANSWERS_SQL}),
    plain=("time IS NOT NULL", "query_name IS NOT NULL", _ANSWERS_SURE, *_SURE, *shallow(["answers", "source_ids"])),
    made=every_pair,
)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - every sniff takes the name
    """A JSON object with the time and the name of a query, and who asked."""
    if '"query_timestamp"' not in text:
        return False
    found = parse_object(text)
    keys = found.keys() if isinstance(found, dict) else set()
    return {"query_timestamp", "query_name"} <= keys and bool(keys & {"rcode", "vpc_id", "srcaddr"})


FORMAT = Format(
    name="route53_resolver",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon Route 53 Developer Guide, Values that appear in VPC Resolver query logs",
    hop="dns",
    delay_seconds=900,
    complete=False,
)
