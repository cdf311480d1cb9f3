"""How a distribution is configured, as stored AWS answers tell: its origins, the behavior of a path, what it refuses.

``get-distribution-config`` names no distribution: it counts for one if its file's name holds the id, if a name of the distribution is the
host that was asked for, or if it is the only one in the case. Follows "DistributionConfig" and "CacheBehavior" of the Amazon CloudFront API
Reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from kyumei.edge.documents import answers, as_list, as_map, qualifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

Object = dict[str, Any]
OPERATIONS = ("get-distribution", "get-distribution-config", "list-distributions")
CACHED_SECONDS = 10.0
"""How long an error is kept where nothing is set."""
READ_SECONDS = 30
CONNECT_SECONDS = 10
ATTEMPTS = 3
_ID = re.compile(r"(?:^|[/._-])(E[A-Z0-9]{10,14})(?=[._-]|$)", re.ASCII)
ALL_VIEWER = frozenset({"216adef6-5c7f-47e4-b989-5492eafa07d3", "33f36d7e-f396-46d9-90e0-52428a34d9dc"})
"""Managed origin request policies that hand on the viewer's Host header: AllViewer, AllViewerAndCloudFrontHeaders-2022-06."""


class Distribution(NamedTuple):
    """A distribution as it was stored; ``config`` is its DistributionConfig, or its entry in a list."""

    identity: str
    domain: str
    config: Object
    citation: Citation

    @property
    def names(self) -> frozenset[str]:
        """The names that it answers to, in small letters."""
        aliases = as_list(as_map(self.config.get("Aliases")).get("Items"))
        return frozenset(str(name).lower() for name in (*aliases, self.domain) if name)


@dataclass(frozen=True)
class Place:
    """What is known of where a request was handled: the distribution's id, its behavior and its origin, as far as the case tells."""

    identity: str = ""
    distribution: Distribution | None = None
    behavior: Object = field(default_factory=dict)
    origin: Object = field(default_factory=dict)
    host: str = ""
    """The origin's domain name."""
    members: tuple[str, ...] = ()
    """Domain names of the origins of the group that the behavior asks, in its order; empty where it asks one origin only."""


def place_of(view: View, row: Mapping[str, Any]) -> Place:
    """The distribution, behavior and origin of a row; what real-time logs say of the origin comes first."""
    logged = _logged_id(view, row)
    known = list(_distributions(view))
    found = _own(known, logged, str(row.get("host") or "").lower(), str(row.get("distribution") or "").lower())
    host = str(row.get("origin_host") or "")
    if found is None:
        return Place(logged, host=host)
    behavior = _behavior(found.config, str(row.get("path") or "/"), row.get("cache_behavior"))
    wanted = str(behavior.get("TargetOriginId") or "")
    origin = _origin(found.config, wanted, host)
    named = {str(one.get("Id")): str(one.get("DomainName") or "") for one in _origins(found.config)}
    members = tuple(named[one] for one in _members(found.config, wanted) if named.get(one))
    return Place(logged or found.identity, found, behavior, origin, host or str(origin.get("DomainName") or ""), members)


def _logged_id(view: View, row: Mapping[str, Any]) -> str:
    """The distribution's id in the name of the log's file: ``E2EXAMPLE12345.2025-03-11-05.1a2b3c4d.gz``."""
    cited = view.cite([row], 1)
    found = _ID.findall(cited[0].file.rpartition("/")[2]) if cited else []
    return str(found[0]) if found else ""


def _distributions(view: View) -> Iterator[Distribution]:
    for operation in OPERATIONS:
        for document, citation in answers(view, "cloudfront", operation):
            named = _ID.findall(qualifier(citation))
            for one in _configured(document):
                config = as_map(one.get("DistributionConfig")) or one
                identity = str(one.get("Id") or "") or (str(named[0]) if named else "")
                yield Distribution(identity, str(one.get("DomainName") or "").lower(), config, citation)


def _configured(document: Object) -> list[Object]:
    """The distributions in one answer, in whatever it is wrapped."""
    if "DefaultCacheBehavior" in document or "DistributionConfig" in document:
        return [document]
    inner = [as_map(document.get(name)) for name in ("Distribution", "DistributionList")]
    listed = [as_map(one) for source in (document, *inner) for one in as_list(source.get("Items"))]
    return [one for one in (*inner, *listed) if "DefaultCacheBehavior" in one or "DistributionConfig" in one]


def _own(known: list[Distribution], identity: str, host: str, domain: str) -> Distribution | None:
    """The one that a row is of."""
    if identity and (same := [one for one in known if one.identity == identity]):
        return same[0]
    others = [one for one in known if not (identity and one.identity)]
    named = [one for one in others if {host, domain} & one.names]
    if named:
        return named[0]
    return others[0] if len(others) == 1 and not others[0].identity else None


def _behavior(config: Object, path: str, told: object) -> Object:
    """The cache behavior of a path: the first whose pattern fits, else the default one."""
    for one in as_list(as_map(config.get("CacheBehaviors")).get("Items")):
        behavior = as_map(one)
        pattern = str(behavior.get("PathPattern") or "")
        if pattern and (pattern == told if told and told != "*" else told is None and _fits(pattern, path)):
            return behavior
    return as_map(config.get("DefaultCacheBehavior"))


def _fits(pattern: str, path: str) -> bool:
    """Whether a path pattern fits: ``*`` is any text, ``?`` one character; the slash in front may be missing."""
    return fnmatchcase(path.lstrip("/"), pattern.lstrip("/").replace("[", "[[]"))


def _origin(config: Object, identity: str, host: str) -> Object:
    """The origin of that domain name, or with that id; of a group the first."""
    origins = _origins(config)
    by_name = [one for one in origins if host and one.get("DomainName") == host]
    if by_name:
        return by_name[0]
    wanted = next(iter(_members(config, identity)), identity)
    return next((one for one in origins if one.get("Id") == wanted), {})


def _origins(config: Object) -> list[Object]:
    return [as_map(one) for one in as_list(as_map(config.get("Origins")).get("Items"))]


def _members(config: Object, identity: str) -> list[str]:
    """The ids of the origins of the group with that id, the one that is asked first in front; none where it is no group."""
    for one in as_list(as_map(config.get("OriginGroups")).get("Items")):
        if as_map(one).get("Id") == identity:
            return [str(as_map(member).get("OriginId")) for member in as_list(as_map(as_map(one).get("Members")).get("Items"))]
    return []


def error_seconds(place: Place, status: int) -> float | None:
    """How long the distribution keeps this error at least (ErrorCachingMinTTL); null where its configuration is not here."""
    if place.distribution is None:
        return None
    for one in as_list(as_map(place.distribution.config.get("CustomErrorResponses")).get("Items")):
        custom = as_map(one)
        # The viewer may get another code than the origin gave.
        if str(status) in {str(custom.get("ErrorCode")), str(custom.get("ResponseCode"))}:
            return _number(custom.get("ErrorCachingMinTTL"), CACHED_SECONDS)
    return CACHED_SECONDS


def waits(place: Place) -> tuple[float, float]:
    """(seconds until CloudFront gives up connecting, in all attempts; seconds that it waits for the origin to answer)."""
    custom = as_map(place.origin.get("CustomOriginConfig"))
    attempts = _number(place.origin.get("ConnectionAttempts"), ATTEMPTS)
    return attempts * _number(place.origin.get("ConnectionTimeout"), CONNECT_SECONDS), _number(
        custom.get("OriginReadTimeout"), READ_SECONDS
    )


def _number(value: object, otherwise: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float(otherwise)


def functions(place: Place, *, of_lambda: bool) -> list[str]:
    """The functions of the behavior, by their names: those of Lambda@Edge, or CloudFront's own."""
    group, key = ("LambdaFunctionAssociations", "LambdaFunctionARN") if of_lambda else ("FunctionAssociations", "FunctionARN")
    found = []
    for one in as_list(as_map(place.behavior.get(group)).get("Items")):
        arn = str(as_map(one).get(key) or "")
        name = arn.partition(":function:")[2].partition(":")[0] or arn.partition(":function/")[2]
        found += [name] if name else []
    return list(dict.fromkeys(found))


def methods(place: Place) -> frozenset[str]:
    """The methods that the behavior takes; empty where the case does not tell."""
    return frozenset(str(one) for one in as_list(as_map(place.behavior.get("AllowedMethods")).get("Items")))


def geography(place: Place) -> tuple[str, frozenset[str]]:
    """(``whitelist``, ``blacklist``, ``none`` or empty; the countries of the list)."""
    config = place.distribution.config if place.distribution else {}
    found = as_map(as_map(config.get("Restrictions")).get("GeoRestriction"))
    return str(found.get("RestrictionType") or ""), frozenset(str(one) for one in as_list(found.get("Items")))


def wants_signature(place: Place) -> bool:
    """Whether the behavior serves only signed URLs or cookies."""
    return any(as_map(place.behavior.get(name)).get("Enabled") is True for name in ("TrustedKeyGroups", "TrustedSigners"))


def nameless_certificate(place: Place, scheme: object) -> bool:
    """Whether the origin is a load balancer's default name over HTTPS, for which no public certificate can be had.

    Where the behavior hands on the viewer's Host header, a certificate for that name is enough.
    """
    custom = as_map(place.origin.get("CustomOriginConfig"))
    policy = custom.get("OriginProtocolPolicy")
    secure = policy == "https-only" or (policy == "match-viewer" and scheme == "https")
    headers = as_list(as_map(as_map(place.behavior.get("ForwardedValues")).get("Headers")).get("Items"))
    handed = place.behavior.get("OriginRequestPolicyId") in ALL_VIEWER or any(str(one).lower() in {"host", "*"} for one in headers)
    # A policy of one's own may hand it on too.
    unknown = bool(place.behavior.get("OriginRequestPolicyId")) and not handed
    return secure and place.host.endswith(".elb.amazonaws.com") and not handed and not unknown
