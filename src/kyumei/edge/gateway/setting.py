"""What the configuration in the case says of an API's answer: its resources, methods and limits, and who may invoke its function.

An answer of the AWS CLI tells how things were when it was taken, and mostly does not name its API: one whose file names another API or
stage is passed over. So a setting confirms what a record says, and is never read against it alone.

Follows the CLI's reference of ``apigateway``, ``apigatewayv2`` and ``lambda get-policy``.
"""

from __future__ import annotations

import fnmatch
import json
import re
from typing import TYPE_CHECKING, Any

from kyumei.edge.documents import answers, as_list, as_map, qualifier
from kyumei.edge.gateway.steps import function_name
from kyumei.model.finding import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kyumei.contracts import View
    from kyumei.model.finding import Citation

Told = tuple[dict[str, Any], "Citation"]
_API = re.compile(r"(?<![a-z0-9])[a-z0-9]{10}(?![a-z0-9])", re.ASCII)
_ARN = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_:$-]+", re.ASCII)
GATEWAY = "apigateway.amazonaws.com"


def _own(view: View, row: Mapping[str, Any], service: str, operation: str) -> list[Told]:
    """The stored answers of an operation that may be of the row's API."""
    api = str(row.get("api_id") or "")
    found = []
    for document, where in answers(view, service, operation):
        ids = _API.findall(qualifier(where))
        if not api or api in ids or not any(any(letter.isdigit() for letter in one) for one in ids):
            found.append((document, where))
    return found


def paths_of(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The path asked for, as it stands and without the stage in front of it."""
    path, stage = str(row.get("path") or "").split("?")[0], str(row.get("stage") or "")
    bare = path.removeprefix(f"/{stage}") if stage and path.startswith(f"/{stage}/") else path
    return tuple(dict.fromkeys(one for one in (bare, path) if one))


def public_path(view: View, row: Mapping[str, Any]) -> str | None:
    """The path that a client asks for to get where the row's request got.

    On the API's own domain the stage stands in front. On a custom domain it does so only where the mapping names no stage; an HTTP API's
    record has it all the same, in place of the mapping's key.
    """
    path, stage, host = str(row.get("path") or ""), str(row.get("stage") or ""), str(row.get("host") or "").lower()
    if not host or ".execute-api." in host or not stage or not f"{path}/".startswith(f"/{stage}/"):
        return path or None
    if view.symptom.path and path == f"/{stage}{view.symptom.path}":
        return view.symptom.path  # What the person wrote is what they asked for.
    if not row.get("route_key"):
        return path
    keys = {
        str(one.get("ApiMappingKey") or "").strip("/")
        for one, _ in answers(view, "apigatewayv2", "get-api-mappings")
        if one.get("Stage") == stage and one.get("ApiId") in {row.get("api_id"), None}
    }
    key = next(iter(keys)) if len(keys) == 1 else ""
    return (f"/{key}" if key else "") + (path.removeprefix(f"/{stage}") or "/")


def fits(template: str, path: str) -> bool:
    """Whether a resource's path, with its variables, takes a path.

    >>> fits("/pets/{id}", "/pets/7"), fits("/{proxy+}", "/a/b"), fits("/pets/{id}", "/pets")
    (True, True, False)
    """
    wanted, asked = template.strip("/").split("/"), path.strip("/").split("/")
    for number, part in enumerate(wanted):
        if part.startswith("{") and part.endswith("+}"):
            return len(asked) > number and asked[number] != ""
        if number >= len(asked) or not (part == asked[number] or (part.startswith("{") and part.endswith("}"))):
            return False
    return len(wanted) == len(asked)


def stage_setting(view: View, row: Mapping[str, Any]) -> Told | None:
    """The stage of the row as described."""
    stage = row.get("stage")
    found = [
        (document, where)
        for service, operation, key in (
            ("apigateway", "get-stage", "stageName"),
            ("apigateway", "get-stages", "stageName"),
            ("apigatewayv2", "get-stage", "StageName"),
            ("apigatewayv2", "get-stages", "StageName"),
        )
        for document, where in _own(view, row, service, operation)
        if stage and document.get(key) == stage
    ]
    return found[0] if len(found) == 1 else None


def missing_resource(view: View, row: Mapping[str, Any]) -> Evidence | None:
    """That the API's resources or routes hold no such path, or not with this method; null where they do, or are not told."""
    asked, method = paths_of(row), str(row.get("method") or "")
    resources = [one for one in _own(view, row, "apigateway", "get-resources") if isinstance(one[0].get("path"), str)]
    if resources and asked and method:
        taken = [one for one in resources if any(fits(str(one[0]["path"]), path) for path in asked)]
        if not taken:
            return Evidence(f"None of the {len(resources)} resources of the API has the path {asked[0]}", (resources[0][1],), total=1)
        if not any({method, "ANY"} & set(as_map(one[0].get("resourceMethods"))) for one in taken):
            has = ", ".join(sorted(as_map(taken[0][0].get("resourceMethods")))) or "no method at all"
            return Evidence(f"The resource {taken[0][0]['path']} has {has}, and not {method}", (taken[0][1],), total=1)
        return None
    routes = [one for one in _own(view, row, "apigatewayv2", "get-routes") if isinstance(one[0].get("RouteKey"), str)]
    if not routes or not asked or not method or any(one[0]["RouteKey"] == "$default" for one in routes):
        return None
    keys = [str(one[0]["RouteKey"]).partition(" ") for one in routes]
    if any(verb in {method, "ANY"} and any(fits(template, path) for path in asked) for verb, _, template in keys):
        return None
    return Evidence(f"None of the {len(routes)} routes of the API takes {method} {asked[0]}", (routes[0][1],), total=1)


def method_setting(view: View, row: Mapping[str, Any]) -> Told | None:
    """The method of the row's resource, where exactly one that is stored can be it."""
    asked, method = paths_of(row), str(row.get("method") or "")
    resources = [one[0] for one in _own(view, row, "apigateway", "get-resources")]
    ids = {str(one.get("id")) for one in resources if any(fits(str(one.get("path")), path) for path in asked)}
    found = []
    for document, where in _own(view, row, "apigateway", "get-method"):
        inside = as_map(document.get("methodIntegration"))
        resource = str(inside.get("cacheNamespace") or "")
        if document.get("httpMethod") in {method, "ANY"} and (not resource or not ids or resource in ids):
            found.append((document, where))
    for one in resources:
        document = as_map(as_map(one.get("resourceMethods")).get(method) or as_map(one.get("resourceMethods")).get("ANY"))
        if str(one.get("id")) in ids and document.get("httpMethod"):
            found += [(document, where) for whole, where in _own(view, row, "apigateway", "get-resources") if whole is one]
    return found[0] if len(found) == 1 else None


def integrations(view: View, row: Mapping[str, Any]) -> list[tuple[str, float | None, Citation]]:
    """URI and time limit (seconds) of the integrations that can be the row's."""
    found = []
    method = method_setting(view, row)
    for document, where in _own(view, row, "apigateway", "get-integration"):
        limit = document.get("timeoutInMillis")
        found.append((str(document.get("uri") or ""), limit / 1000 if isinstance(limit, int) else None, where))
    if method:
        inside = as_map(method[0].get("methodIntegration"))
        limit = inside.get("timeoutInMillis")
        if inside:
            found.append((str(inside.get("uri") or ""), limit / 1000 if isinstance(limit, int) else None, method[1]))
    for document, where in (*_own(view, row, "apigatewayv2", "get-integrations"), *_own(view, row, "apigatewayv2", "get-integration")):
        limit = document.get("TimeoutInMillis")
        found.append((str(document.get("IntegrationUri") or ""), limit / 1000 if isinstance(limit, int) else None, where))
    return found


def function_of(view: View, row: Mapping[str, Any]) -> str:
    """The ARN of the function behind the row's API where the configuration names one only; empty otherwise."""
    arns = {found[0] for uri, _, _ in integrations(view, row) if (found := _ARN.search(uri))}
    return next(iter(arns)) if len(arns) == 1 else ""


def calls_no_function(view: View, row: Mapping[str, Any]) -> bool:
    """Whether the configuration tells the row's integrations, and none of them can be a Lambda function: an HTTP backend, another service.

    A URI that a stage variable holds can be one.
    """
    uris = [uri for uri, _, _ in integrations(view, row)]
    return bool(uris) and not any("lambda" in uri or uri.startswith("$") for uri in uris)


def authorizer_functions(view: View, row: Mapping[str, Any]) -> set[str]:
    """The names of the functions that authorize requests of the row's API, as far as the configuration tells."""
    kinds = (("apigateway", "authorizerUri"), ("apigatewayv2", "AuthorizerUri"))
    uris = [str(one.get(key) or "") for service, key in kinds for one, _ in _own(view, row, service, "get-authorizers")]
    return {function_name(found[0]).partition(":")[0] for uri in uris if (found := _ARN.search(uri))}


def policy_evidence(view: View, row: Mapping[str, Any], function: str) -> tuple[Evidence | None, Evidence | None]:
    """What the function's policy says of this API: that it lacks the permission; or that it grants it."""
    name = function_name(function) or function
    bare, api = name.partition(":")[0], str(row.get("api_id") or "")
    told = []
    for document, where in answers(view, "lambda", "get-policy"):
        statements = list(_statements(document))
        named = {function_name(str(one.get("Resource"))).partition(":")[0] for one in statements} | {qualifier(where)}
        if bare and bare not in named and not any(bare in one for one in named):
            continue
        told.append((statements, where))
    if len(told) != 1 or not api:
        return None, None
    statements, where = told[0]
    asked = _asked(row)
    if any(_lets_in(one, api, asked) for one in statements):
        return None, Evidence(f"The function's policy lets API {api} invoke it", (where,), total=1)
    if asked and any(_lets_in(one, api, ()) for one in statements):
        says = f"The function's policy lets API {api} invoke it for other requests, and has no statement for {asked[0]}"
        return Evidence(says, (where,), total=1), None
    return Evidence(f"The function's policy has no statement that lets API {api} invoke it", (where,), total=1), None


def _asked(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands behind the API's id in the ARN of the caller for this request, in each way it may; empty where the row does not tell.

    It is stage, method and resource, of which ``ANY`` is written as a star; or stage and route key. The path alone does not tell the
    resource: a domain of one's own may have a base path in front.
    """
    stage, method, resource = (str(row.get(name) or "") for name in ("stage", "method", "resource_path"))
    paths = [resource, *paths_of(row)] if resource.startswith("/") else []
    route = str(row.get("route_key") or "")
    named = [f"{stage}/{route}"] if route.startswith("$") or (route and "/" not in route) else []
    if not stage or not (named or (method and paths)):
        return ()
    return tuple(dict.fromkeys((*(f"{stage}/{verb}{path}" for path in paths for verb in (method, "*") if method), *named)))


def _statements(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    policy = document.get("Policy")
    try:
        whole = as_map(json.loads(policy)) if isinstance(policy, str) else as_map(policy)
    except (ValueError, RecursionError):
        return
    yield from (as_map(one) for one in as_list(whole.get("Statement")))


def _lets_in(statement: Mapping[str, Any], api: str, asked: tuple[str, ...]) -> bool:
    """Whether a statement lets API Gateway call, for an ARN that may be this API's and, where that is told, one of these requests'."""
    principal = statement.get("Principal")
    service = as_map(principal).get("Service", principal)
    if statement.get("Effect") != "Allow" or not (service in {GATEWAY, "*"} or GATEWAY in as_list(service)):
        return False
    conditions = as_map(statement.get("Condition"))
    wanted = [value for test in conditions.values() for key, value in as_map(test).items() if key.lower() == "aws:sourcearn"]
    patterns = [str(one) for value in wanted for one in (as_list(value) or [value])]
    return not patterns or any(_covers(one.split(":", 5)[-1], api, asked) for one in patterns)


def _covers(pattern: str, api: str, asked: tuple[str, ...]) -> bool:
    """Whether the last part of an ARN, with its wildcards, takes the API and one of these requests of it.

    >>> _covers("a1b2c3d4e5/*/GET/pets/*", "a1b2c3d4e5", ("prod/GET/pets/7",))
    True
    >>> _covers("a1b2c3d4e5/*/GET/pets", "a1b2c3d4e5", ("prod/POST/pets",))
    False
    """
    own, _, rest = pattern.partition("/")
    if not rest or not asked:
        return fnmatch.fnmatchcase(api, own.replace("[", "[[]"))
    return any(fnmatch.fnmatchcase(f"{api}/{one}", pattern.replace("[", "[[]")) for one in asked)


def limit_evidence(view: View, row: Mapping[str, Any]) -> Evidence | None:
    """That more requests came to the stage in one second than the limit that is set lets pass."""
    stage = stage_setting(view, row)
    limits = _rates(stage[0]) if stage else []
    time = row.get("time")
    if not stage or not limits or time is None or not view.has("api_gateway_access"):
        return None
    found = view.rows(
        "SELECT count(*) AS n FROM api_gateway_access WHERE api_id IS NOT DISTINCT FROM ? AND stage IS NOT DISTINCT FROM ? "
        "AND date_trunc('second', time) = date_trunc('second', ?::TIMESTAMP)",
        row.get("api_id"),
        row.get("stage"),
        time,
    )
    came, limit = int(found[0]["n"]), min(limits)
    if came <= limit:
        return None
    return Evidence(f"{came} requests came to the stage in that second, and its limit is {limit:g} a second", (stage[1],), total=1)


def _rates(stage: Mapping[str, Any]) -> list[float]:
    settings = [as_map(one) for one in as_map(stage.get("methodSettings")).values()]
    rates = [one.get("throttlingRateLimit") for one in settings] + [as_map(stage.get("DefaultRouteSettings")).get("ThrottlingRateLimit")]
    return [float(one) for one in rates if isinstance(one, int | float) and one > 0]
