"""The command with which a person sees whether the mend held asks for what failed, and not for something else."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from kyumei.edge.gateway.setting import public_path
from kyumei.edge.probe import again, probe
from kyumei.edge.waf.commands import repeat_request
from tests.test_api_gateway_answered import MemoryView

HTTP = {"api_id": "a1b2c3d4e5", "stage": "live", "route_key": "POST /orders", "host": "api.example.com", "path": "/live/orders"}
MAPPING = {"ApiId": "a1b2c3d4e5", "ApiMappingKey": "shop", "Stage": "live"}


@pytest.mark.parametrize(
    ("method", "options"),
    [("GET", []), (None, []), ("POST", ["-X", "POST"]), ("delete", ["-X", "DELETE"]), ("HEAD", ["--head"]), ("X; id", [])],
)
def test_the_method_is_the_one_that_failed(method: str | None, options: list[str]) -> None:
    """A GET needs no word, HEAD has an option of its own, and what is no method is not said."""
    command = again({"path": "/orders", "host": "shop.example.com", "method": method})
    assert shlex.split(command) == ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}\\n", *options, "https://shop.example.com/orders"]
    assert again({"path": None, "method": "GET"}) == probe(None)


@pytest.mark.parametrize(
    ("more", "mappings", "expected"),
    [
        ({"host": "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"}, [], "/live/orders"),
        ({"host": None}, [], "/live/orders"),
        ({}, [], "/orders"),
        ({}, [MAPPING], "/shop/orders"),
        ({}, [MAPPING | {"Stage": "test"}], "/orders"),
        ({}, [MAPPING | {"ApiId": "zzzzzzzzz9"}], "/orders"),
        ({"path": "/live"}, [], "/"),
        ({"path": "/lively/orders"}, [], "/lively/orders"),
        # A REST API's record has what the client asked for: a mapping without a stage leaves that in the URL.
        ({"route_key": None}, [], "/live/orders"),
    ],
)
def test_the_stage_of_an_http_api_is_not_in_the_url_of_a_custom_domain(
    more: dict[str, Any], mappings: list[dict[str, Any]], expected: str
) -> None:
    """Its record has the stage where the client wrote the mapping's key, or nothing."""
    view = MemoryView(settings={("apigatewayv2", "get-api-mappings"): mappings})
    assert public_path(view, HTTP | more) == expected


@pytest.mark.parametrize(
    ("row", "url"),
    [
        ({"host": "shop.example.com", "path": "/o", "scheme": "http", "port": 80}, "http://shop.example.com/o"),
        ({"host": "shop.example.com", "path": "/o", "scheme": "https", "port": 443}, "https://shop.example.com/o"),
        ({"host": "shop.example.com", "path": "/o", "scheme": "http", "port": 8080}, "http://shop.example.com:8080/o"),
        ({"host": "shop.example.com", "path": "/o", "protocol_kind": "h2"}, "https://shop.example.com/o"),
        ({"host": "2001:db8::7", "path": "/o", "scheme": "http"}, "http://[2001:db8::7]/o"),
        # What no record tells is asked for as a browser does; a port without its protocol may be anybody's.
        ({"host": "shop.example.com", "path": "/o", "port": 40312}, "https://shop.example.com/o"),
        ({"host": None, "path": None, "scheme": "-"}, "https://<HOST>/"),
    ],
)
def test_the_protocol_is_the_one_of_the_record(row: dict[str, Any], url: str) -> None:
    """A listener of port 80 answers no https, and one of port 8443 nothing elsewhere."""
    assert shlex.split(again(row))[-1] == url
    assert shlex.split(repeat_request(row, None))[-1] == url
