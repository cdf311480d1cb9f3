"""Whether one failure is what the person told of, or several of different causes fit the words alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.diagnose.failures import rank, roams, served_clients
from kyumei.model.status import SERVER_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kyumei.contracts import Failure
    from kyumei.model.symptom import Symptom
    from kyumei.model.window import Window
    from kyumei.store.case import Case

OUTNUMBERED = 10
"""How many times as many requests a cause must explain before a rival does not unsettle it."""
FAR_SECONDS = 300
"""A failure that is no nearer to the stated moment than this does not unsettle one that is."""


def contested(case: Case, symptom: Symptom, window: Window, failures: Sequence[Failure], led: Mapping[str, str]) -> list[Failure]:
    """Failures of several causes, each of which fits what the person said as well as the first: only the person can tell which it was.

    ``led`` is what explains each failure best. Who answered a slow request is no cause of it, so there that alone tells causes apart.
    """
    # What stands out of itself is the failure: nobody reported one of its requests, and what explains most of them leads.
    unprompted = any(field == "standout" for field, _ in symptom.understood)
    if symptom.client or symptom.request_ids or unprompted or not failures:
        return []
    first = failures[0]
    served = served_clients(case, failures)
    best = rank(first, symptom, window, served)
    found = [first]
    for other in failures[1:]:
        place = rank(other, symptom, window, served)
        near = place[-1] <= FAR_SECONDS or best[-1] > FAR_SECONDS
        likes = place[:2] == best[:2] and not (place[2] and roams(case, other))
        unlike = led[other.key] != led[first.key] if symptom.by_time else _cause(other) != _cause(first)
        if likes and near and unlike and other.total * OUTNUMBERED > first.total:
            found.append(other)
    at_once = not symptom.path and all(_widespread(failure) for failure in found)
    return found if len(found) > 1 and not at_once else []


MANY_CLIENTS = 3
MANY_REQUESTS = 5


def _widespread(failure: Failure) -> bool:
    """Whether the site failed for many people: then it is a failure of its own whoever reported it, and several may come at once.

    What a client is refused is its own matter, so this is of server errors only.
    """
    rows = next((rows for rows in failure.sightings.values() if any(row["status"] is not None for row in rows)), ())
    clients = {row["forwarded_for"] or row["client_ip"] for row in rows} - {None}
    broken = any((row["status"] or 0) >= SERVER_ERROR for row in rows)
    return broken and failure.human and failure.total >= MANY_REQUESTS and len(clients) >= MANY_CLIENTS


def _cause(failure: Failure) -> tuple[object, ...]:
    """What is equal for failures of one cause, as far as the records tell."""
    row = failure.rows[0] if failure.rows else {}
    if failure.hop == "waf":
        return (failure.hop, row.get("webacl_arn"), row.get("rule_id"), row.get("rule_in_group"))
    if failure.hop == "alb":
        return (failure.hop, row.get("elb"), row.get("rule_priority"), row.get("error_reason"))
    return (failure.hop,)
