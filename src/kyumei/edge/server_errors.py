"""Signatures of nginx's error log, as data: what a line means, what it leads to, and how it is mended.

From the failure knowledge base, section 9 of the edge domain; texts and statuses as nginx's own source writes them. A signature is never
its own proof: it counts for a request only when the access log has that request with one of the statuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """One row: the pattern on the message, the statuses that follow from it, the cause, and the fix."""

    code: str
    pattern: str
    statuses: tuple[int, ...]
    cause: str
    fix: str
    commands: tuple[str, ...] = ()


SIGNATURES = (
    Signature(
        "EDGE-134",
        r'directory index of ".*" is forbidden',
        (403,),
        "the directory has no index file and listing is off: a wrong root, or an empty deployment",
        "Put the index file there (check the deployment artefact), or point `root` and `index` at the right place.",
        ("nginx -T | grep -nE '^\\s*(root|alias|index|autoindex|try_files)'", "ls -la {file}"),
    ),
    Signature(
        "EDGE-135",
        r'open\(\) ".*" failed \(13: Permission denied\)|" is forbidden \(13',
        (403,),
        "the worker may not read the file: mode of the file or of a parent folder, or the SELinux context",
        "Let nginx's user read the file and enter every folder above it.",
        ("namei -l {file}", "chmod o+x <each parent folder>; chmod o+r {file}", "ls -Z {file}; restorecon -Rv <root>"),
    ),
    Signature(
        "EDGE-137",
        r"access forbidden by rule",
        (403,),
        "a deny directive of the location refused the client; behind a load balancer the address it checks is the balancer's",
        "If the client should pass: allow its address, and behind a balancer let nginx check the real one (set_real_ip_from, "
        "real_ip_header).",
        (
            "nginx -T | grep -nE '(allow|deny|satisfy|real_ip|set_real_ip_from)'",
            "set_real_ip_from <VPC CIDR>; real_ip_header X-Forwarded-For; real_ip_recursive on;",
        ),
    ),
    Signature(
        "EDGE-136",
        r'open\(\) ".*" failed \(2: No such file|" is not found \(2',
        (404,),
        "the file is not there: a missing deployment, or a wrong root or alias",
        "Deploy the file, or mend root, alias or try_files.",
        ("nginx -T | grep -nE '^\\s*(root|alias|try_files)'", "ls -la {file}"),
    ),
    Signature(
        "EDGE-095",
        r"client intended to send too large (chunked )?body",
        (413,),
        "the body is larger than client_max_body_size (1 MB by default)",
        "Raise client_max_body_size for that location.",
        ("client_max_body_size <SIZE>m;",),
    ),
    Signature(
        "EDGE-138",
        r"failed \(24: Too many open files\)",
        (500,),
        "nginx ran out of file descriptors",
        "Raise worker_rlimit_nofile.",
        ("worker_rlimit_nofile <N>;",),
    ),
    Signature(
        "EDGE-140",
        r"limiting (requests|connections)(?!.*dry run)",
        (503, 429),
        "a rate limit of nginx refused the request; behind a balancer all clients may share one key",
        "Key the zone by the real client address, or raise the limit.",
        ("nginx -T | grep -nE '(limit_req|limit_conn)'",),
    ),
    Signature(
        "EDGE-141",
        r"rewrite or internal redirection cycle",
        (500,),
        "try_files or error_page leads back to itself",
        "Break the loop.",
        ("nginx -T | grep -nE '(try_files|error_page|rewrite)'",),
    ),
    Signature(
        "EDGE-143",
        r"client sent plain HTTP request to HTTPS port",
        (400,),
        "plain HTTP was sent to an HTTPS port, as by a target group with the wrong protocol",
        "Use protocol HTTPS in the target group.",
        ("aws elbv2 describe-target-groups --query 'TargetGroups[].[TargetGroupName,Protocol,Port]'",),
    ),
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def signature_of(message: str, status: int | None) -> Signature | None:
    """The signature that an error line shows, if it can lead to the status."""
    return next((one for one in SIGNATURES if (status is None or status in one.statuses) and re.search(one.pattern, message)), None)


def file_of(message: str) -> str | None:
    """The file or folder that an error line names."""
    found = _QUOTED.search(message)
    return found[1] if found and found[1].startswith("/") else None
