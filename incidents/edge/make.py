"""Writes an incident into a folder and says what is true of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from incidents.edge.acl import acl_files
from incidents.edge.balancer import alb_files, clb_files, connection_files, health_files
from incidents.edge.call import maker
from incidents.edge.cloud import cloudfront_files, execution_files, gateway_files, lambda_files, waf_files
from incidents.edge.combined import COMBINED
from incidents.edge.fault import LOGS_OF
from incidents.edge.place import place_of
from incidents.edge.server import server_files
from incidents.edge.snapshots import answer_files, metric_files, trail_files
from incidents.edge.table import CAUSES
from incidents.edge.traffic import traffic
from incidents.edge.truth import Truth, cited, forbidden, missing_of, sentence
from incidents.edge.webserver import apache_files, nginx_files
from incidents.plan import Plan, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from incidents.edge.call import Call
    from incidents.edge.fault import Cause, Fault, Log, Variant
    from incidents.edge.place import Place
    from incidents.edge.written import File


def generate(cause: str, variant: Variant, seed: int, folder: Path) -> Truth:
    """Writes the files of an incident under ``folder`` and returns the truth about it. Equal arguments give equal bytes."""
    return written(CAUSES.get(cause) or COMBINED[cause], variant, seed, folder)


def written(row: Cause, variant: Variant, seed: int, folder: Path, settled: Callable[[Place], Place] = lambda place: place) -> Truth:
    """As ``generate``, for a row that need not be in the table; ``settled`` may fix what the seed drew of the site."""
    chance = draw(Plan(variant=f"edge/{row.id}/{variant}", seed=seed), "fault")
    fault = chance.choice(row.innocent if variant == "innocent" else row.guilty)
    stacks = row.innocent_stacks if variant == "innocent" and row.innocent_stacks else row.stacks
    place = settled(place_of(row.id, variant, seed, stacks, fault))
    calls = traffic(place, fault)
    drop = frozenset((*fault.drop, *(row.without if variant == "undecidable" else ())))
    files = _files(place, fault, calls, drop)
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    return _truth(row, variant, seed, place, fault, calls, files)


def _files(place: Place, fault: Fault, calls: Sequence[Call], drop: frozenset[Log]) -> list[File]:
    """The files of every log that the site has and that is not missing."""
    stack = {str(hop) for hop in place.stack}
    balanced, mutual = "alb" in stack, "mutual" in fault.settings
    writers: tuple[tuple[Log, bool, Callable[[], list[File]]], ...] = (
        ("cloudfront", "cloudfront" in stack, lambda: cloudfront_files(place, calls)),
        ("alb", balanced, lambda: alb_files(place, calls)),
        ("connection", balanced and mutual, lambda: connection_files(place, calls)),
        ("health_check", balanced, lambda: health_files(place, fault)),
        ("clb", "clb" in stack, lambda: clb_files(place, calls)),
        ("waf", place.waf, lambda: waf_files(place, calls)),
        ("apigateway", "apigateway" in stack, lambda: gateway_files(place, calls)),
        ("execution", "apigateway" in stack, lambda: execution_files(place, calls)),
        ("nginx", "nginx" in stack, lambda: nginx_files(place, calls, "access")),
        ("nginx_error", "nginx" in stack, lambda: nginx_files(place, calls, "error")),
        ("apache", "apache" in stack, lambda: apache_files(place, calls, "access")),
        ("apache_error", "apache" in stack, lambda: apache_files(place, calls, "error")),
        ("lambda", "lambda" in stack, lambda: lambda_files(place, calls)),
        ("metrics", True, lambda: metric_files(place, fault, calls)),
        ("answers", True, lambda: [*answer_files(place, fault, drop), *acl_files(place, fault)]),
        ("trail", True, lambda: trail_files(place, fault)),
    )
    found = [file for log, there, write in writers if there and log not in drop for file in write()]
    if "gunicorn" in stack and not set(LOGS_OF["gunicorn"]) <= drop:
        found += server_files(place, calls, drop)
    return found


def _truth(  # noqa: PLR0913 - what was settled, one after the other
    row: Cause, variant: Variant, seed: int, place: Place, fault: Fault, calls: Sequence[Call], files: Sequence[File]
) -> Truth:
    one = min((one for one in calls if one.role == "reported"), key=lambda one: abs(one.at - place.moment))
    verdict = "cannot_tell" if variant == "undecidable" else fault.verdict
    sure = verdict == "cause_found"
    return Truth(
        cause=row.id,
        variant=variant,
        seed=seed,
        sentence=sentence(place, fault, one),
        moment=place.moment,
        status=one.seen[place.stack[0]].status or 0 if place.stack[0] in one.seen else 0,
        method=one.method,
        path=one.path,
        client=one.client,
        verdict=verdict,
        weaker=fault.weaker or bool(fault.shift),
        codes=tuple(dict.fromkeys(code for part in (fault, *fault.others) for code in part.codes)) if sure else (),
        forbidden=forbidden(place, fault, tuple(CAUSES)),
        cited=cited(fault, files, calls) if sure else (),
        missing=missing_of(fault, variant, row.decides) if verdict == "cannot_tell" else (),
        answered_by=maker(place.stack, fault),
        stack=tuple(place.stack),
        all_codes=(fault.codes, *(other.codes for other in fault.others)) if fault.others and sure else (),
    )
