"""What AWS answers about the site: settings of the balancer and its targets, metrics of its minutes, and who changed what.

Keys stand in the order and with the indentation in which the AWS CLI prints them.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from incidents.edge.traffic import OTHER_RULE, window
from incidents.edge.written import File
from incidents.plan import draw, hexadecimal, uuid
from incidents.site import ACCOUNT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from incidents.edge.call import Call
    from incidents.edge.fault import Fault, Log
    from incidents.edge.place import Place

VPC, SECURITY_GROUP = "vpc-0d41e7a95c2b8f360", "sg-0a9c3e5f7b1d24680"


def _stored(name: str, answer: dict[str, Any]) -> File:
    return File(f"aws/{name}.json", (json.dumps(answer, indent=4, ensure_ascii=False) + "\n").encode())


def answer_files(place: Place, fault: Fault, drop: frozenset[Log]) -> list[File]:
    """The answers that a person would have fetched for this site."""
    if "alb" in place.stack:
        return _balancer_files(place, fault, drop)
    if "clb" in place.stack:
        return _classic_files(place, fault)
    return []


def _balancer_files(place: Place, fault: Fault, drop: frozenset[Log]) -> list[File]:
    found = [
        _stored("elbv2/describe-load-balancers", {"LoadBalancers": [_balancer(place)]}),
        _stored(f"elbv2/describe-load-balancer-attributes.{place.balancer}", _attributes(place, fault, drop)),
        _stored("elbv2/describe-listeners", {"Listeners": [_listener(place, fault)]}),
        _stored(f"elbv2/describe-rules.{place.balancer}", {"Rules": _rules(place, fault)}),
        _stored("elbv2/describe-target-groups", {"TargetGroups": [_group(place, fault)]}),
    ]
    if "health_check" not in drop:
        found.append(_stored(f"elbv2/describe-target-health.{place.group}", {"TargetHealthDescriptions": _health(place, fault)}))
    return found


def _balancer(place: Place) -> dict[str, Any]:
    return {
        "LoadBalancerArn": place.balancer_arn,
        "DNSName": f"{place.balancer}-{int(place.balancer_id[:8], 16)}.{place.region}.elb.amazonaws.com",
        "CanonicalHostedZoneId": "Z14GRHDCWA56QT",
        "CreatedTime": f"{place.moment - timedelta(days=300):%Y-%m-%dT%H:%M:%S.%f+00:00}",
        "LoadBalancerName": place.balancer,
        "Scheme": "internet-facing",
        "VpcId": VPC,
        "State": {"Code": "active"},
        "Type": "application",
        "AvailabilityZones": [
            {"ZoneName": node.zone, "SubnetId": f"subnet-{node.interface[4:]}", "LoadBalancerAddresses": []} for node in place.nodes
        ],
        "SecurityGroups": [SECURITY_GROUP],
        "IpAddressType": "dualstack",
    }


def _attributes(place: Place, fault: Fault, drop: frozenset[Log]) -> dict[str, Any]:
    logged = "alb" not in drop
    values = {
        "access_logs.s3.enabled": "true" if logged else "false",
        "access_logs.s3.bucket": f"{place.app}-alb-logs" if logged else "",
        "access_logs.s3.prefix": "",
        "connection_logs.s3.enabled": "true" if "mutual" in fault.settings and "connection" not in drop else "false",
        "idle_timeout.timeout_seconds": fault.settings.get("idle_timeout", "60"),
        "deletion_protection.enabled": "true",
        "routing.http2.enabled": "true",
        "routing.http.drop_invalid_header_fields.enabled": "false",
        "routing.http.xff_client_port.enabled": "false",
        "routing.http.desync_mitigation_mode": fault.settings.get("desync", "defensive"),
        "waf.fail_open.enabled": "false",
        "routing.http.xff_header_processing.mode": "append",
        "load_balancing.cross_zone.enabled": "true",
        "client_keep_alive.seconds": "3600",
    }
    return {"Attributes": [{"Key": key, "Value": value} for key, value in values.items()]}


def _forward(place: Place) -> dict[str, Any]:
    groups = {"TargetGroups": [{"TargetGroupArn": place.group_arn, "Weight": 1}], "TargetGroupStickinessConfig": {"Enabled": False}}
    return {"Type": "forward", "TargetGroupArn": place.group_arn, "ForwardConfig": groups}


def _listener_arn(place: Place) -> str:
    return f"{place.balancer_arn.replace(':loadbalancer/', ':listener/')}/{place.group_id[::-1]}"


def _listener(place: Place, fault: Fault) -> dict[str, Any]:
    told = {
        "ListenerArn": _listener_arn(place),
        "LoadBalancerArn": place.balancer_arn,
        "Port": 443,
        "Protocol": "HTTPS",
        "Certificates": [{"CertificateArn": f"arn:aws:acm:{place.region}:{ACCOUNT}:certificate/{uuid(place.plan, 'certificate')}"}],
        "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "DefaultActions": [_default(place, fault)],
    }
    if "mutual" in fault.settings:
        store = f"arn:aws:elasticloadbalancing:{place.region}:{ACCOUNT}:truststore/{place.app}-partners/{place.group_id}"
        told["MutualAuthentication"] = {"Mode": "verify", "TrustStoreArn": store, "IgnoreClientCertificateExpiry": False}
    return told


def _fixed(status: str) -> dict[str, Any]:
    return {"Type": "fixed-response", "Order": 1, "FixedResponseConfig": {"StatusCode": status, "ContentType": "text/plain"}}


def _default(place: Place, fault: Fault) -> dict[str, Any]:
    return _fixed(fault.settings["default"]) if "default" in fault.settings else _forward(place)


def _rules(place: Place, fault: Fault) -> list[dict[str, Any]]:
    """The listener's rules; those of the settings come before the default one."""
    arn = _listener_arn(place).replace(":listener/", ":listener-rule/")
    rules = []
    told = fault.settings
    if "rule" in told:
        kind, _, status = told["rule"].partition(":")
        pattern = f"{place.prefix}{told.get('pattern', '')}*"
        action: dict[str, Any] = _fixed(status)
        if kind == "redirect":
            redirect = {
                "Protocol": "HTTPS",
                "Port": "443",
                "Host": "#{host}",
                "Path": "/#{path}",
                "Query": "#{query}",
                "StatusCode": f"HTTP_{status}",
            }
            action = {"Type": "redirect", "Order": 1, "RedirectConfig": redirect}
        elif kind == "authenticate":
            config = {
                "Issuer": "https://login.example.com",
                "AuthorizationEndpoint": "https://login.example.com/authorize",
                "TokenEndpoint": "https://login.example.com/token",
                "UserInfoEndpoint": "https://login.example.com/userinfo",
                "ClientId": place.app,
                "SessionCookieName": "AWSELBAuthSessionCookie",
                "Scope": "openid",
                "SessionTimeout": 604800,
                "OnUnauthenticatedRequest": "deny" if status == "deny" else "authenticate",
            }
            action = {"Type": "authenticate-oidc", "AuthenticateOidcConfig": config, "Order": 1}
        elif kind == "jwt":
            keys = {"JwksEndpoint": "https://login.example.com/.well-known/jwks.json", "Issuer": "https://login.example.com"}
            action = {"Type": "jwt-validation", "JwtValidationConfig": keys, "Order": 1}
        actions = [action] if kind in {"fixed", "redirect"} else [action, {**_forward(place), "Order": 2}]
        condition = {"Field": "path-pattern", "Values": [pattern], "PathPatternConfig": {"Values": [pattern]}}
        priority = told.get("priority", "10")
        rules.append(
            {"RuleArn": f"{arn}/4e5f60718293a4b5", "Priority": priority, "Conditions": [condition], "Actions": actions, "IsDefault": False}
        )
    if "default" in told:
        # What goes on to be forwarded is so by this rule; the other one is gone.
        patterns = [f"{place.prefix}{path}*" for path in ("/home", "/list", "/items", "/search", "/help")]
        condition = {"Field": "path-pattern", "Values": patterns, "PathPatternConfig": {"Values": patterns}}
        rules.append(
            {
                "RuleArn": f"{arn}/5f60718293a4b5c6",
                "Priority": OTHER_RULE,
                "Conditions": [condition],
                "Actions": [_forward(place)],
                "IsDefault": False,
            }
        )
    default = {
        "RuleArn": f"{arn}/00aa11bb22cc33dd",
        "Priority": "default",
        "Conditions": [],
        "Actions": [_default(place, fault)],
        "IsDefault": True,
    }
    return [*rules, default]


def _group(place: Place, fault: Fault) -> dict[str, Any]:
    function = place.stack[-1] == "lambda"
    told: dict[str, Any] = {"TargetGroupArn": place.group_arn, "TargetGroupName": place.group}
    if not function:
        told |= {"Protocol": "HTTP", "Port": place.port, "VpcId": VPC}
    told |= {
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": not function,
        "HealthCheckIntervalSeconds": 60,
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 3,
        "UnhealthyThresholdCount": 2,
        "HealthCheckPath": "/healthz",
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [place.balancer_arn],
        "TargetType": "lambda" if function else "instance",
    }
    if not function:
        told |= {"ProtocolVersion": fault.settings.get("protocol_version", "HTTP1"), "IpAddressType": "ipv4"}
    return told


def _health(place: Place, fault: Fault) -> list[dict[str, Any]]:
    """The state of each target; ``health`` of the settings holds state and reason, or says that none is registered."""
    state, _, reason = fault.settings.get("health", "healthy").partition(" ")
    if state == "none":
        return []
    if place.stack[-1] == "lambda":
        arn = f"arn:aws:lambda:{place.region}:{ACCOUNT}:function:{place.function}"
        return [
            {
                "Target": {"Id": arn},
                "TargetHealth": {
                    "State": "unavailable",
                    "Reason": "Target.HealthCheckDisabled",
                    "Description": "Health checks are not enabled for this target",
                },
            }
        ]
    found = []
    for host in place.hosts:
        health: dict[str, Any] = {"State": state}
        if reason:
            health |= {"Reason": reason, "Description": DESCRIPTIONS.get(reason, "")}
        found.append({"Target": {"Id": host.instance, "Port": place.port}, "HealthCheckPort": str(place.port), "TargetHealth": health})
    return found


DESCRIPTIONS = {
    "Target.Timeout": "Request timed out",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.ResponseCodeMismatch": "Health checks failed with these codes: [500]",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.InvalidState": "Target is in the stopped state",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
}


def _classic_files(place: Place, fault: Fault) -> list[File]:
    """The Classic Load Balancer and the state of its instances."""
    state = fault.settings.get("health", "healthy") == "healthy"
    states = [
        {
            "InstanceId": host.instance,
            "State": "InService" if state else "OutOfService",
            "ReasonCode": "N/A" if state else "Instance",
            "Description": "N/A" if state else "Instance has failed at least the UnhealthyThreshold number of health checks consecutively.",
        }
        for host in place.hosts
    ]
    settings = {
        "LoadBalancerAttributes": {
            "CrossZoneLoadBalancing": {"Enabled": True},
            "AccessLog": {"Enabled": True, "S3BucketName": f"{place.app}-elb-logs", "EmitInterval": 60, "S3BucketPrefix": ""},
            "ConnectionDraining": {"Enabled": True, "Timeout": 300},
            "ConnectionSettings": {"IdleTimeout": int(fault.settings.get("idle_timeout", "60"))},
            "AdditionalAttributes": [{"Key": "elb.http.desyncmitigationmode", "Value": "defensive"}],
        }
    }
    return [
        _stored(f"elb/describe-instance-health.{place.balancer}", {"InstanceStates": states}),
        _stored(f"elb/describe-load-balancer-attributes.{place.balancer}", settings),
    ]


def metric_files(place: Place, fault: Fault, calls: Sequence[Call]) -> list[File]:
    """``get-metric-data``: sums of each minute, counted from the requests themselves and from what the fault says it counts."""
    if "alb" not in place.stack:
        return []
    counts: dict[str, Counter[datetime]] = {"RequestCount": Counter()}
    for one in calls:
        seen = one.seen.get("alb")
        if seen is None or one.role == "check" or seen.status is None:
            continue
        minute = one.ended(place.stack, "alb").replace(second=0, microsecond=0)
        counts["RequestCount"][minute] += 1
        made = seen.inner is None and place.inner("alb") != "lambda"
        family = seen.status // 100
        name = f"HTTPCode_{'ELB' if made else 'Target'}_{family}XX_Count"
        if not made or family in {3, 4, 5}:
            counts.setdefault(name, Counter())[minute] += 1
        if made and seen.status in {500, 502, 503, 504}:
            counts.setdefault(f"HTTPCode_ELB_{seen.status}_Count", Counter())[minute] += 1
        if one.role in {"reported", "victim"}:
            for metric in fault.metrics:
                counts.setdefault(metric, Counter())[minute] += 1
    results = []
    for number, (name, values) in enumerate(sorted(counts.items())):
        stamps = [f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S+00:00}" for at in sorted(values, reverse=True)]
        sums = [float(values[at]) for at in sorted(values, reverse=True)]
        results.append({"Id": f"m{number}", "Label": name, "Timestamps": stamps, "Values": sums, "StatusCode": "Complete"})
    return [_stored(f"cloudwatch/get-metric-data.{place.balancer}", {"MetricDataResults": results, "Messages": []})]


def trail_files(place: Place, fault: Fault) -> list[File]:
    """CloudTrail's events about the balancer: the change that ``change`` of the settings names, just before the trouble, and idle ones."""
    name = fault.settings.get("change")
    begin, _ = window(place, fault)
    events = [_event(place, begin - timedelta(minutes=41), "DescribeTargetHealth")]
    if name:
        events.insert(0, _event(place, begin - timedelta(seconds=draw(place.plan, "change").uniform(3, 20)), name))
    return [_stored("cloudtrail/lookup-events", {"Events": events})] if name else []


def _event(place: Place, at: datetime, name: str) -> dict[str, Any]:
    identity = uuid(place.plan, f"event {name}")
    rule = f"{_listener_arn(place).replace(':listener/', ':listener-rule/')}/{hexadecimal(place.plan, 'rule', 16)}"
    body = {
        "eventVersion": "1.10",
        "userIdentity": {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/release", "accountId": ACCOUNT},
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": "elasticloadbalancing.amazonaws.com",
        "eventName": name,
        "awsRegion": place.region,
        "sourceIPAddress": "198.51.100.77",
        "userAgent": "aws-cli/2.17.0",
        "requestParameters": {"ruleArn": rule},
        "responseElements": None,
        "requestID": uuid(place.plan, f"request {name}"),
        "eventID": identity,
        "readOnly": name.startswith("Describe"),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return {
        "EventId": identity,
        "EventName": name,
        "ReadOnly": str(name.startswith("Describe")).lower(),
        "EventTime": f"{at:%Y-%m-%dT%H:%M:%S+00:00}",
        "EventSource": "elasticloadbalancing.amazonaws.com",
        "Username": "release",
        "Resources": [],
        "CloudTrailEvent": json.dumps(body, separators=(",", ":")),
    }
