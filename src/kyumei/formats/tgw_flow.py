"""Transit gateway flow logs: one record for each flow through a transit gateway, or one of its attachments, in an interval of a minute.

``time`` is when the first packet of the interval was seen, ``end_time`` when the last one was. Nothing is accepted or rejected here: what
was lost stands in the four counters. The source columns (``src_vpc``...) and the destination ones speak of the two attachments that the
flow went through.

The default is all 36 fields. Any others in any order are read under the header line that files in S3 begin with, by a ``LogFormat`` of
``describe-flow-logs`` in the case, or when they are told, see ``custom``. Parquet has the names with underscores.

Follows "Transit Gateway Flow Logs records" in the guide of transit gateways.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from kyumei.contracts import Format
from kyumei.layouts import flow_fields as flow
from kyumei.model.table import Column, Kind, Link, Table

if TYPE_CHECKING:
    from kyumei.contracts import Layout

TABLE = Table(
    "tgw_flow",
    "Flows through transit gateways, and what was lost of them.",
    (
        *flow.BOUNDS,
        Column("account", Kind.TEXT, "The account of the transit gateway.", Link.ACCOUNT, "account-id"),
        Column("region", Kind.TEXT, "The Region of the transit gateway.", origin="region"),
        Column("resource_type", Kind.TEXT, "TransitGateway or TransitGatewayAttachment.", origin="resource-type"),
        Column("tgw", Kind.TEXT, "The transit gateway.", Link.RESOURCE, "tgw-id"),
        Column("attachment", Kind.TEXT, "The attachment that the record is of.", Link.RESOURCE, "tgw-attachment-id"),
        Column("pair_attachment", Kind.TEXT, "The attachment at the flow's other end.", Link.RESOURCE, "tgw-pair-attachment-id"),
        Column("src_account", Kind.TEXT, "The account of the source VPC.", Link.ACCOUNT, "tgw-src-vpc-account-id"),
        Column("dst_account", Kind.TEXT, "The account of the destination VPC.", Link.ACCOUNT, "tgw-dst-vpc-account-id"),
        Column("src_vpc", Kind.TEXT, "The source VPC.", Link.RESOURCE, "tgw-src-vpc-id"),
        Column("dst_vpc", Kind.TEXT, "The destination VPC.", Link.RESOURCE, "tgw-dst-vpc-id"),
        Column("src_subnet", Kind.TEXT, "The subnet of the source attachment.", Link.RESOURCE, "tgw-src-subnet-id"),
        Column("dst_subnet", Kind.TEXT, "The subnet of the destination attachment.", Link.RESOURCE, "tgw-dst-subnet-id"),
        Column("src_interface", Kind.TEXT, "The network interface of the source attachment.", Link.INTERFACE, "tgw-src-eni"),
        Column("dst_interface", Kind.TEXT, "The network interface of the destination attachment.", Link.INTERFACE, "tgw-dst-eni"),
        Column("src_az_id", Kind.TEXT, "The id of the source's Availability Zone.", origin="tgw-src-az-id"),
        Column("dst_az_id", Kind.TEXT, "The id of the destination's Availability Zone.", origin="tgw-dst-az-id"),
        Column("src_ip", Kind.TEXT, "Where the packets came from.", Link.CLIENT, "srcaddr"),
        Column("dst_ip", Kind.TEXT, "Where the packets went to.", Link.TARGET, "dstaddr"),
        *flow.TRAFFIC,
        flow.LOG_STATUS,
        Column("address_family", Kind.TEXT, "IPv4 or IPv6.", origin="type"),
        Column("lost_no_route", Kind.INTEGER, "Packets lost because no route was known.", origin="packets-lost-no-route"),
        Column("lost_blackhole", Kind.INTEGER, "Packets lost to a route that leads nowhere.", origin="packets-lost-blackhole"),
        Column("lost_mtu_exceeded", Kind.INTEGER, "Packets lost because they were too large.", origin="packets-lost-mtu-exceeded"),
        Column(
            "lost_ttl_expired", Kind.INTEGER, "Packets lost because they had been on the way too long.", origin="packets-lost-ttl-expired"
        ),
        flow.TCP_FLAGS,
        Column("flow_direction", Kind.TEXT, "ingress or egress, as the transit gateway sees it.", origin="flow-direction"),
        *flow.SERVICES,
        Column("version", Kind.INTEGER, "The version of the fields: 6 or later.", origin="version"),
    ),
)

FIELDS = (
    "version resource-type account-id tgw-id tgw-attachment-id tgw-src-vpc-account-id tgw-dst-vpc-account-id tgw-src-vpc-id "
    "tgw-dst-vpc-id tgw-src-subnet-id tgw-dst-subnet-id tgw-src-eni tgw-dst-eni tgw-src-az-id tgw-dst-az-id tgw-pair-attachment-id "
    "srcaddr dstaddr srcport dstport protocol packets bytes start end log-status type packets-lost-no-route packets-lost-blackhole "
    "packets-lost-mtu-exceeded packets-lost-ttl-expired tcp-flags region flow-direction pkt-src-aws-service pkt-dst-aws-service"
)
"""The default fields, in order."""
_LINES = flow.flow_layout(TABLE.columns, tuple(FIELDS.split()), only=("version", "resource_type"))
LAYOUT = flow.sent(_LINES)


def sniff(text: str, _name: str) -> bool:
    """Whether the record is a line of the default fields, a line that names fields, or a JSON object with their names."""
    if text.startswith("{"):
        return flow.carries(flow.TGW_LINE, text) or flow.is_flow_record(text, TABLE.columns, transit=True)
    if flow.TGW_LINE.match(text):
        return True
    names = flow.names_in(text)
    return flow.are_flow_names(names, TABLE.columns) and flow.is_transit(names)


def custom(told: str) -> Layout:
    """A layout for the names of the fields in their order: a header line, or the ``LogFormat`` of the flow log's configuration."""
    return flow.told_layout(told, TABLE.columns)


@lru_cache(maxsize=256)
def below(header: str) -> Layout | None:
    """The layout of the lines below a header line: the format's own where it names the default fields."""
    return LAYOUT if flow.names_in(header) == _LINES.fields else flow.header_layout(header, TABLE.columns)


FORMAT = Format(
    name="tgw_flow",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS Transit Gateway guide: Transit Gateway Flow Logs records",
    delay_seconds=1200,
    complete=False,
    custom=custom,
    headers=tuple(begin for column in TABLE.columns for begin in (f"{column.origin} ", f"${{{column.origin}}}")),
    below=below,
)
