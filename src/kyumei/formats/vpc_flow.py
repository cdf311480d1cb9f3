"""VPC flow logs: one record for each flow through a network interface in an interval of one to ten minutes, and whether it was let through.

``time`` is when the first packet of the interval was seen, ``end_time`` when the last one was: a record of ten minutes may lie for the
most part before or after the moment looked for. ``src_ip`` and ``dst_ip`` are those of the interface's side, always its private address;
``pkt_src_ip`` and ``pkt_dst_ip`` are the packet's own ends, which differ behind NAT, load balancers and pods. REJECT is a security group, a
network ACL, or a packet that came after the connection was closed; return traffic is judged by network ACLs only, so that an ACCEPT and a
REJECT for the two directions of one flow speak of a network ACL. NODATA is a quiet interval, SKIPDATA one whose records AWS lost: both
have no addresses. Records come within ten minutes, on a best-effort basis; some traffic (DHCP, Amazon DNS, metadata) is never logged.

The default is 14 fields of version 2. Any others in any order are read under the header line that files in S3 begin with, by a
``LogFormat`` of ``describe-flow-logs`` in the case, or when they are told, see ``custom``. Parquet has the names with underscores.

Follows "Flow log records", "Flow log record examples" and "Flow log limitations" in the Amazon VPC user guide.
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
    "vpc_flow",
    "Flows through network interfaces of a VPC, accepted or rejected.",
    (
        *flow.BOUNDS,
        Column("account", Kind.TEXT, "The account of the interface's owner; null where AWS does not say.", Link.ACCOUNT, "account-id"),
        Column("region", Kind.TEXT, "The Region of the interface.", origin="region"),
        Column("vpc", Kind.TEXT, "The VPC of the interface.", Link.RESOURCE, "vpc-id"),
        Column("subnet", Kind.TEXT, "The subnet of the interface.", Link.RESOURCE, "subnet-id"),
        Column("instance", Kind.TEXT, "The instance of the interface; null for one of a service.", Link.RESOURCE, "instance-id"),
        Column("interface", Kind.TEXT, "The network interface; null for a regional NAT gateway.", Link.INTERFACE, "interface-id"),
        Column("src_ip", Kind.TEXT, "Where the packets came from, as the interface sees it.", Link.CLIENT, "srcaddr"),
        Column("dst_ip", Kind.TEXT, "Where the packets went to, as the interface sees it.", Link.TARGET, "dstaddr"),
        *flow.TRAFFIC,
        Column("action", Kind.TEXT, "ACCEPT or REJECT; null without data.", origin="action"),
        flow.LOG_STATUS,
        flow.TCP_FLAGS,
        Column("address_family", Kind.TEXT, "IPv4, IPv6 or EFA.", origin="type"),
        Column("pkt_src_ip", Kind.TEXT, "The source address in the packets.", Link.CLIENT, "pkt-srcaddr"),
        Column("pkt_dst_ip", Kind.TEXT, "The destination address in the packets.", Link.TARGET, "pkt-dstaddr"),
        *flow.SERVICES,
        Column("flow_direction", Kind.TEXT, "ingress or egress, as the interface sees it.", origin="flow-direction"),
        Column(
            "traffic_path",
            Kind.INTEGER,
            "Which way egress traffic takes: 1 in the VPC, 2 internet or gateway endpoint, 3 virtual private gateway, 4 peering in the "
            "Region, 5 peering between Regions, 6 local gateway, 7 gateway endpoint, 8 internet gateway (7 and 8 on Nitro).",
            origin="traffic-path",
        ),
        Column("reject_reason", Kind.TEXT, "Why it was rejected: BPA (block public access).", origin="reject-reason"),
        Column("encryption_status", Kind.INTEGER, "Whether the traffic was encrypted in transit, by number.", origin="encryption-status"),
        Column("az_id", Kind.TEXT, "The id of the Availability Zone.", origin="az-id"),
        Column("sublocation_type", Kind.TEXT, "wavelength, outpost or localzone.", origin="sublocation-type"),
        Column("sublocation_id", Kind.TEXT, "The id of that.", origin="sublocation-id"),
        Column("resource", Kind.TEXT, "The resource of the interface: a regional NAT gateway.", Link.RESOURCE, "resource-id"),
        Column("interface_type", Kind.TEXT, "What the interface is of: nat_gateway, vpc_endpoint...", origin="interface-type"),
        Column("next_interface", Kind.TEXT, "The interface that the packets go to next.", Link.INTERFACE, "next-hop-interface-id"),
        Column("next_interface_type", Kind.TEXT, "What that one is of.", origin="next-hop-interface-type"),
        Column("next_vpc", Kind.TEXT, "The VPC that they go to next.", Link.RESOURCE, "next-hop-vpc-id"),
        Column("next_subnet", Kind.TEXT, "The subnet that they go to next.", Link.RESOURCE, "next-hop-subnet-id"),
        Column("next_az_id", Kind.TEXT, "The id of the Availability Zone that they go to next.", origin="next-hop-az-id"),
        Column("ecs_cluster_arn", Kind.TEXT, "The ECS cluster of the task.", Link.RESOURCE, "ecs-cluster-arn"),
        Column("ecs_cluster", Kind.TEXT, "Its name.", Link.RESOURCE, "ecs-cluster-name"),
        Column("ecs_service", Kind.TEXT, "The ECS service.", Link.RESOURCE, "ecs-service-name"),
        Column("ecs_task_arn", Kind.TEXT, "The ECS task.", Link.RESOURCE, "ecs-task-arn"),
        Column("ecs_task", Kind.TEXT, "Its id.", Link.RESOURCE, "ecs-task-id"),
        Column("ecs_task_definition_arn", Kind.TEXT, "The task definition.", Link.RESOURCE, "ecs-task-definition-arn"),
        Column("ecs_container", Kind.TEXT, "The Docker id of the first container.", origin="ecs-container-id"),
        Column("ecs_second_container", Kind.TEXT, "The Docker id of the second one.", origin="ecs-second-container-id"),
        Column("ecs_container_instance_arn", Kind.TEXT, "The container instance.", Link.RESOURCE, "ecs-container-instance-arn"),
        Column("ecs_container_instance", Kind.TEXT, "Its id.", Link.RESOURCE, "ecs-container-instance-id"),
        Column("instance_tag", Kind.TEXT, "The value of the instance's tag that was chosen.", origin="instance-tag"),
        Column("instance_tag_2", Kind.TEXT, "That of the second tag chosen.", origin="instance-tag-2"),
        Column("interface_tag", Kind.TEXT, "The value of the interface's tag that was chosen.", origin="interface-tag"),
        Column("interface_tag_2", Kind.TEXT, "That of the second tag chosen.", origin="interface-tag-2"),
        Column("asg_tag", Kind.TEXT, "The value of the Auto Scaling group's tag that was chosen.", origin="asg-tag"),
        Column("asg_tag_2", Kind.TEXT, "That of the second tag chosen.", origin="asg-tag-2"),
        Column("version", Kind.INTEGER, "The highest version among the chosen fields.", origin="version"),
    ),
)

FIELDS = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
"""The default fields, in order."""
_LINES = flow.flow_layout(TABLE.columns, tuple(FIELDS.split()), only=("version",))
LAYOUT = flow.sent(_LINES)


def sniff(text: str, _name: str) -> bool:
    """Whether the record is a line of the default fields, a line that names fields, or a JSON object with their names."""
    if text.startswith("{"):
        return flow.carries(flow.VPC_LINE, text) or flow.is_flow_record(text, TABLE.columns, transit=False)
    if flow.VPC_LINE.match(text):
        return True
    names = flow.names_in(text)
    return flow.are_flow_names(names, TABLE.columns) and not flow.is_transit(names)


def custom(told: str) -> Layout:
    """A layout for the names of the fields in their order: a header line, or the ``LogFormat`` of the flow log's configuration."""
    return flow.told_layout(told, TABLE.columns)


@lru_cache(maxsize=256)
def below(header: str) -> Layout | None:
    """The layout of the lines below a header line: the format's own where it names the default fields."""
    return LAYOUT if flow.names_in(header) == _LINES.fields else flow.header_layout(header, TABLE.columns)


FORMAT = Format(
    name="vpc_flow",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="Amazon VPC user guide: Flow log records",
    delay_seconds=1200,
    complete=False,
    custom=custom,
    headers=tuple(begin for column in TABLE.columns for begin in (f"{column.origin} ", f"${{{column.origin}}}")),
    below=below,
)
