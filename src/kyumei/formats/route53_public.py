"""Route 53 public DNS query logs: one row for each query of a public hosted zone that reached Route 53.

Resolvers of the internet answer most queries out of their caches: what is here is a small part of what was asked. ``resolver_ip`` is
that of the resolver, not of who asked it; some resolvers pass on the network of the client, in ``client_network``.

Follows "Public DNS query logging" in the Amazon Route 53 Developer Guide.
"""

from __future__ import annotations

import re

from kyumei.contracts import Format
from kyumei.layouts.casts import DOMAIN, ISO_UTC, TEXT, Take
from kyumei.layouts.delimited import Delimited
from kyumei.layouts.delimited_fields import Field, Variant
from kyumei.layouts.stamps import ISO, in_utc
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "route53_public",
    "DNS queries of public hosted zones that Route 53 answered.",
    (
        Column("time", Kind.TIME, "When Route 53 answered; milliseconds.", origin="query timestamp"),
        Column("zone_id", Kind.TEXT, "The hosted zone.", Link.RESOURCE, "hosted zone ID"),
        Column("query_name", Kind.TEXT, "The name asked for.", origin="query name"),
        Column("domain", Kind.TEXT, "The same in small letters, without a dot at its end.", Link.HOST, "query name"),
        Column("query_type", Kind.TEXT, "A, AAAA, CNAME, MX, ANY, ...", origin="query type"),
        Column("response_code", Kind.TEXT, "NOERROR, NXDOMAIN, SERVFAIL, REFUSED, ...", origin="response code"),
        Column("transport", Kind.TEXT, "UDP or TCP.", origin="layer 4 protocol"),
        Column("edge_location", Kind.TEXT, "The edge that answered: an airport's code and a number.", origin="Route 53 edge location"),
        Column("resolver_ip", Kind.TEXT, "The address of the resolver that asked.", origin="resolver IP address"),
        Column(
            "client_network", Kind.TEXT, "The client's network as the resolver tells it; null if it does not.", origin="EDNS client subnet"
        ),
        Column("log_version", Kind.TEXT, "The version of the log's format: 1.0.", origin="log format version"),
    ),
)
_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.][0-9]{1,6})?Z"
LAYOUT = Delimited(
    TABLE.columns,
    (
        Variant(
            (
                Field("version", shape=r"[0-9]\.[0-9]"),
                Field("time", shape=_TIME),
                Field("zone"),
                Field("name"),
                Field("type"),
                Field("code"),
                Field("protocol"),
                Field("edge"),
                Field("resolver"),
                Field("subnet"),
            ),
        ),
    ),
    (
        Take("time", "time", ISO_UTC),
        Take("zone_id", "zone", TEXT),
        Take("query_name", "name", TEXT),
        Take("domain", "name", DOMAIN),
        Take("query_type", "type", TEXT),
        Take("response_code", "code", TEXT),
        Take("transport", "protocol", TEXT),
        Take("edge_location", "edge", TEXT),
        Take("resolver_ip", "resolver", TEXT),
        Take("client_network", "subnet", TEXT),
        Take("log_version", "version", TEXT),
    ),
    (in_utc(ISO),),
)
_LINE = re.compile(rf"[0-9]\.[0-9] {_TIME} Z[A-Z0-9]+ \S+ [A-Z0-9]+ [A-Z0-9]+ (?:UDP|TCP) \S+ [0-9a-fA-F.:]+ \S+", re.ASCII)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the line is enough
    """A version, a time, a hosted zone, and a query behind them."""
    return _LINE.match(text) is not None


FORMAT = Format(
    name="route53_public",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon Route 53 Developer Guide, Public DNS query logging",
    hop="dns",
    delay_seconds=300,
    complete=False,
)
