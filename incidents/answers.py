"""The answers of a few AWS calls, keys in the order and with the indentation in which the AWS CLI prints them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from incidents.acl import ip_set, web_acl
from incidents.balancerlog import FIXED_PRIORITY
from incidents.entry import Written
from incidents.plan import draw, hexadecimal, uuid
from incidents.site import ACCOUNT

if TYPE_CHECKING:
    from incidents.plan import Plan
    from incidents.site import Host, Node, Site

VPC, SECURITY_GROUP = "vpc-0b1d5c7e9f2a34681", "sg-0c2e4a6b8d0f13579"


def answer_files(site: Site, plan: Plan) -> list[Written]:
    """Every answer under its name. An answer that does not name its subject has it in the file name."""
    answers: dict[str, Any] = {
        "wafv2/get-web-acl.json": web_acl(site, plan),
        "wafv2/get-ip-set.json": ip_set(site, plan),
        f"wafv2/list-resources-for-web-acl.{site.web_acl}.json": {"ResourceArns": [site.balancer_arn]},
        "wafv2/get-logging-configuration.json": _logging(site, plan),
        "elbv2/describe-load-balancers.json": {"LoadBalancers": [_balancer(site)]},
        f"elbv2/describe-load-balancer-attributes.{site.balancer}.json": _attributes(site, plan),
        "elbv2/describe-listeners.json": {"Listeners": [_listener(site)]},
        f"elbv2/describe-rules.{site.balancer}.json": {"Rules": _rules(site)},
        "elbv2/describe-target-groups.json": {"TargetGroups": [_target_group(site, plan)]},
        f"elbv2/describe-target-health.{site.target_group}.json": {
            "TargetHealthDescriptions": [_health(site, host) for host in site.hosts]
        },
        "ec2/describe-network-interfaces.json": {
            "NetworkInterfaces": [
                *(_node_interface(site, plan, node) for node in site.nodes),
                *(_host_interface(site, plan, host, index) for index, host in enumerate(site.hosts)),
            ]
        },
        "ec2/describe-instances.json": {"Reservations": [_reservation(site, plan, host, index) for index, host in enumerate(site.hosts)]},
    }
    files = []
    for name, answer in answers.items():
        text = json.dumps(answer, indent=4, ensure_ascii=False) + "\n"
        files.append(Written(f"aws/{name}", text.encode()))
    return files


def _logging(site: Site, plan: Plan) -> dict[str, Any]:
    group = f"arn:aws:logs:{site.region}:{ACCOUNT}:log-group:{site.log_group}"
    bucket = f"arn:aws:s3:::{site.log_group}"
    return {
        "LoggingConfiguration": {
            "ResourceArn": site.web_acl_arn,
            "LogDestinationConfigs": [bucket if plan.wrapping == "s3" else group],
            "ManagedByFirewallManager": False,
            "LogType": "WAF_LOGS",
            "LogScope": "CUSTOMER",
        }
    }


def _created(site: Site, days: int) -> str:
    return f"{site.moment - timedelta(days=days):%Y-%m-%dT%H:%M:%S.000000+00:00}"


def _subnet(kind: str, index: int) -> str:
    return f"subnet-0{kind}{index}7d3f5b9a1c2e4f6"


def _balancer(site: Site) -> dict[str, Any]:
    return {
        "LoadBalancerArn": site.balancer_arn,
        "DNSName": f"{site.balancer}-1{int(site.balancer_id[:8], 16)}.{site.region}.elb.amazonaws.com",
        "CanonicalHostedZoneId": "Z14GRHDCWA56QT",
        "CreatedTime": _created(site, 412),
        "LoadBalancerName": site.balancer,
        "Scheme": "internet-facing",
        "VpcId": VPC,
        "State": {"Code": "active"},
        "Type": "application",
        "AvailabilityZones": [
            {"ZoneName": node.zone, "SubnetId": _subnet("a", index), "LoadBalancerAddresses": []} for index, node in enumerate(site.nodes)
        ],
        "SecurityGroups": [SECURITY_GROUP],
        "IpAddressType": "dualstack",
    }


def _attributes(site: Site, plan: Plan) -> dict[str, Any]:
    logged = "alb" in plan.logs
    values = {
        "access_logs.s3.enabled": "true" if logged else "false",
        "access_logs.s3.bucket": f"{site.app}-alb-logs" if logged else "",
        "access_logs.s3.prefix": "",
        "idle_timeout.timeout_seconds": "60",
        "deletion_protection.enabled": "true",
        "routing.http2.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.xff_client_port.enabled": "false",
        "routing.http.desync_mitigation_mode": "defensive",
        "waf.fail_open.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "load_balancing.cross_zone.enabled": "true",
    }
    return {"Attributes": [{"Key": key, "Value": value} for key, value in values.items()]}


def _forward(site: Site) -> dict[str, Any]:
    return {
        "Type": "forward",
        "TargetGroupArn": site.target_group_arn,
        "ForwardConfig": {
            "TargetGroups": [{"TargetGroupArn": site.target_group_arn, "Weight": 1}],
            "TargetGroupStickinessConfig": {"Enabled": False},
        },
    }


def _listener_arn(site: Site) -> str:
    return f"{site.balancer_arn.replace(':loadbalancer/', ':listener/')}/{site.target_group_id[::-1]}"


def _listener(site: Site) -> dict[str, Any]:
    return {
        "ListenerArn": _listener_arn(site),
        "LoadBalancerArn": site.balancer_arn,
        "Port": 443,
        "Protocol": "HTTPS",
        "Certificates": [{"CertificateArn": f"arn:aws:acm:{site.region}:{ACCOUNT}:certificate/{site.office_set_id}"}],
        "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "DefaultActions": [_forward(site)],
    }


def _rules(site: Site) -> list[dict[str, Any]]:
    arn = _listener_arn(site).replace(":listener/", ":listener-rule/")
    default = {
        "RuleArn": f"{arn}/00aa11bb22cc33dd",
        "Priority": "default",
        "Conditions": [],
        "Actions": [_forward(site)],
        "IsDefault": True,
    }
    if site.fate != "balancer_fixed":
        return [default]
    fixed = {
        "RuleArn": f"{arn}/44ee55ff66aa77bb",
        "Priority": str(FIXED_PRIORITY),
        "Conditions": [{"Field": "path-pattern", "Values": [f"{site.path}*"], "PathPatternConfig": {"Values": [f"{site.path}*"]}}],
        "Actions": [
            {
                "Type": "fixed-response",
                "Order": 1,
                "FixedResponseConfig": {"MessageBody": "closed", "StatusCode": str(site.status), "ContentType": "text/plain"},
            }
        ],
        "IsDefault": False,
    }
    return [fixed, default]


def _target_group(site: Site, plan: Plan) -> dict[str, Any]:
    return {
        "TargetGroupArn": site.target_group_arn,
        "TargetGroupName": site.target_group,
        "Protocol": "HTTP",
        "Port": 80,
        "VpcId": VPC,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": plan.check_seconds,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 3,
        "UnhealthyThresholdCount": 2,
        "HealthCheckPath": "/api/ping",
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [site.balancer_arn],
        "TargetType": "instance",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
    }


def _health(site: Site, host: Host) -> dict[str, Any]:
    del site  # every target looks alike but for its instance
    return {"Target": {"Id": host.instance, "Port": 80}, "HealthCheckPort": "80", "TargetHealth": {"State": "healthy"}}


def _private_name(site: Site, address: str) -> str:
    return f"ip-{address.replace('.', '-')}.{site.region}.compute.internal"


def _mac(plan: Plan, what: str) -> str:
    digits = hexadecimal(plan, f"mac {what}", 10)
    return "06:" + ":".join(digits[index : index + 2] for index in range(0, 10, 2))


def _interface(site: Site, plan: Plan, place: Host | Node, own: dict[str, Any]) -> dict[str, Any]:
    """One network interface; ``own`` holds what the balancer's and the instances' have different."""
    address = place.address
    return {
        **own["association"],
        "Attachment": own["attachment"],
        "AvailabilityZone": own["zone"],
        "Description": own["description"],
        "Groups": [{"GroupId": SECURITY_GROUP, "GroupName": f"{site.app}-{own['kind']}"}],
        "InterfaceType": "interface",
        "Ipv6Addresses": [],
        "MacAddress": _mac(plan, place.interface),
        "NetworkInterfaceId": place.interface,
        "OwnerId": ACCOUNT,
        "PrivateDnsName": _private_name(site, address),
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [
            {**own["association"], "Primary": True, "PrivateDnsName": _private_name(site, address), "PrivateIpAddress": address}
        ],
        **({"RequesterId": "amazon-elb"} if own["kind"] == "balancer" else {}),
        "RequesterManaged": own["kind"] == "balancer",
        "SourceDestCheck": True,
        "Status": "in-use",
        "SubnetId": own["subnet"],
        "TagSet": [],
        "VpcId": VPC,
    }


def _node_interface(site: Site, plan: Plan, node: Node) -> dict[str, Any]:
    public = f"ec2-{node.public.replace('.', '-')}.{site.region}.compute.amazonaws.com"
    own = {
        "kind": "balancer",
        "zone": node.zone,
        "description": f"ELB app/{site.balancer}/{site.balancer_id}",
        "association": {"Association": {"IpOwnerId": "amazon-elb", "PublicDnsName": public, "PublicIp": node.public}},
        "attachment": {
            "AttachmentId": f"ela-attach-{node.interface[4:]}",
            "DeleteOnTermination": False,
            "DeviceIndex": 1,
            "InstanceOwnerId": "amazon-elb",
            "Status": "attached",
        },
        "subnet": _subnet("a", site.nodes.index(node)),
    }
    return _interface(site, plan, node, own)


def _host_interface(site: Site, plan: Plan, host: Host, index: int) -> dict[str, Any]:
    own = {
        "kind": "web",
        "zone": site.nodes[index % len(site.nodes)].zone,
        "description": "",
        "association": {},
        "attachment": {
            "AttachTime": _created(site, 97),
            "AttachmentId": f"eni-attach-{host.interface[4:]}",
            "DeleteOnTermination": True,
            "DeviceIndex": 0,
            "NetworkCardIndex": 0,
            "InstanceId": host.instance,
            "InstanceOwnerId": ACCOUNT,
            "Status": "attached",
        },
        "subnet": _subnet("b", index),
    }
    return _interface(site, plan, host, own)


def _reservation(site: Site, plan: Plan, host: Host, index: int) -> dict[str, Any]:
    instance = {
        "Architecture": "x86_64",
        "BlockDeviceMappings": [],
        "ClientToken": uuid(plan, f"client token {host.name}"),
        "EbsOptimized": True,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "NetworkInterfaces": [
            {
                "Description": "",
                "NetworkInterfaceId": host.interface,
                "OwnerId": ACCOUNT,
                "PrivateIpAddress": host.address,
                "Status": "in-use",
                "SubnetId": _subnet("b", index),
                "VpcId": VPC,
            }
        ],
        "RootDeviceName": "/dev/sda1",
        "RootDeviceType": "ebs",
        "SecurityGroups": [{"GroupId": SECURITY_GROUP, "GroupName": f"{site.app}-web"}],
        "SourceDestCheck": True,
        "Tags": [{"Key": "Name", "Value": f"{site.app}-web-{index + 1}"}, {"Key": "env", "Value": "prod"}],
        "VirtualizationType": "hvm",
        "InstanceId": host.instance,
        "ImageId": f"ami-0{hexadecimal(plan, 'image', 16)}",
        "State": {"Code": 16, "Name": "running"},
        "PrivateDnsName": _private_name(site, host.address),
        "PublicDnsName": "",
        "StateTransitionReason": "",
        "AmiLaunchIndex": 0,
        "ProductCodes": [],
        "InstanceType": "t3.medium",
        "LaunchTime": _created(site, 97),
        "Placement": {"GroupName": "", "Tenancy": "default", "AvailabilityZone": site.nodes[index % len(site.nodes)].zone},
        "Monitoring": {"State": "disabled"},
        "SubnetId": _subnet("b", index),
        "VpcId": VPC,
        "PrivateIpAddress": host.address,
    }
    return {
        "ReservationId": f"r-{draw(plan, f'reservation {index}').getrandbits(68):017x}",
        "OwnerId": ACCOUNT,
        "Groups": [],
        "Instances": [instance],
    }
