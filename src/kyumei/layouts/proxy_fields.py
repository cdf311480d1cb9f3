"""What Envoy, Traefik and Caddy call the parts of a request in their JSON, and how a record of one of them is known.

Envoy's names are those that Istio and Envoy Gateway give the command operators, and the same in camel case: whoever configures Envoy may
choose others. Follows Envoy's "Access logging", Traefik's "Access Logs" and Caddy's "How Logging Works".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kyumei.layouts.casts import INTEGER, TEXT, Cast
from kyumei.layouts.json_inner import brought_up
from kyumei.layouts.json_names import ADDRESS, FILLED, METHOD, STATUS, TARGET, TRACE, WHEN, WHEN_NAIVE, seconds
from kyumei.layouts.json_record import MISSING, Field, Way, find

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAGS = ("response_flags", "responseFlags")
"""Keys under which Envoy's own word on the answer stands."""
UPSTREAM = ("upstream_host", "upstreamHost")
BESIDE = (*UPSTREAM, "upstream_cluster", "upstreamCluster", "response_code_details", "responseCodeDetails")
_TIMES = "start_time startTime StartUTC ts @timestamp timestamp time"
TIMES = frozenset(_TIMES.split())
CADDY = "http.log."
"""How Caddy's loggers of requests are called."""
OF_CADDY = ("request.method", "request.uri", "request.proto", "status")
TRAEFIK = ("DownstreamStatus", "RequestMethod")


def _ways(names: str, cast: Cast = TEXT, *, total: bool = True) -> tuple[Way, ...]:
    return tuple(Way(name, cast, total=total, scalar=True) for name in names.split())


def _field(column: str, names: str, cast: Cast = FILLED) -> Field:
    return Field(column, _ways(names, cast))


FIELDS = (
    Field("time", _ways(_TIMES, WHEN, total=False)),
    Field("_naive", _ways(_TIMES, WHEN_NAIVE, total=False)),
    _field(
        "client_ip", "downstream_remote_address downstreamRemoteAddress ClientHost request.client_ip request.remote_ip ClientAddr", ADDRESS
    ),
    _field("forwarded_for", "x_forwarded_for x-forwarded-for xForwardedFor request_X-Forwarded-For"),
    _field("user", "ClientUsername user_id"),
    _field("method", "method :method RequestMethod request.method", METHOD),
    _field("_target", "path x-envoy-origin-path :path RequestPath request.uri", TARGET),
    _field("http_version", "protocol RequestProtocol request.proto"),
    _field("_host", "authority :authority RequestHost request.host host"),
    _field("status", "response_code responseCode DownstreamStatus status", STATUS),
    _field("sent_bytes", "bytes_sent bytesSent DownstreamContentSize size", INTEGER),
    _field("_spent", "duration", seconds(1.0)),
    _field("_nanos", "Duration", seconds(1e9)),
    _field("user_agent", "user_agent user-agent userAgent request_User-Agent"),
    _field("upstream_name", "upstream_cluster upstreamCluster ServiceName"),
    _field("_upstream", f"{' '.join(UPSTREAM)} ServiceAddr"),
    _field("target_status", "OriginStatus", STATUS),
    _field("_flags", " ".join(FLAGS)),
    _field("status_details", "response_code_details responseCodeDetails"),
    _field(
        "message",
        "upstream_transport_failure_reason upstreamTransportFailureReason connection_termination_details connectionTerminationDetails msg",
    ),
    _field("route", "route_name routeName RouterName"),
    _field("logger", "logger"),
    _field("request_id", "request_id x-request-id requestId x_request_id request_X-Request-Id"),
    _field("trace_id", "x_amzn_trace_id x-amzn-trace-id request_X-Amzn-Trace-Id trace_id traceId TraceId", TRACE),
)


def prepared(document: dict[str, Any]) -> dict[str, Any]:
    """The record of the proxy, out of what a container runtime or a collector wrapped around it."""
    return brought_up(document, (TIMES,))


def proxy_of(document: Mapping[str, Any]) -> str:
    """Which of the proxies wrote a record that is prepared; empty for any other record."""
    if any(key in document for key in FLAGS):
        return "envoy" if any(key in document for key in BESIDE) else ""
    if all(key in document for key in TRAEFIK):
        return "traefik"
    logger = document.get("logger")
    is_caddy = isinstance(logger, str) and logger.startswith(CADDY)
    return "caddy" if is_caddy and all(find(document, path) is not MISSING for path in OF_CADDY) else ""
