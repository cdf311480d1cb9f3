"""Records of an S3 bucket beside those of CloudFront, which fetches from it: who asked, and for which object.

Follows "Amazon S3 server access log format" and "Restrict access to an Amazon S3 origin".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Mapping

BY_CLOUDFRONT = (
    "(requester = 'svc:cloudfront.amazonaws.com' OR contains(coalesce(requester, ''), 'CloudFront Origin Access Identity') "
    "OR user_agent = 'Amazon CloudFront')"
)
"""SQL: whether CloudFront sent a request, with Origin Access Control, with an Origin Access Identity, or unsigned."""


def key_of_path(path: object) -> str:
    """The key that a viewer's path stands for where nothing is put in front of it."""
    return unquote(str(path)).lstrip("/")


def asked_key(record: Mapping[str, Any]) -> str:
    """The key that a record's request asked for. Of a website's folder the log has that of its index document: there the path tells."""
    told = str(record["object_key"] or "")
    if str(record["operation"]).startswith("WEBSITE.") and record["path"]:
        told = str(record["path"]).removeprefix("/")
    return unquote(unquote(told))


def is_key(path: str, key: str) -> bool:
    """Whether an object is what a path asks for: an origin path may stand in front of it, and the root may have a default object."""
    return key == path or bool(path and key.endswith(f"/{path}")) or (not path and key.count("/") == 0)
