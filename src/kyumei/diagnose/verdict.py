"""The verdict in one sentence, and the message for the person who reported the failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kyumei.correlate.hops import TITLES
from kyumei.diagnose.gaps import WHICH
from kyumei.model.finding import Verdict
from kyumei.model.symptom import Trouble

if TYPE_CHECKING:
    from kyumei.contracts import Failure
    from kyumei.model.finding import Investigation
    from kyumei.model.symptom import Symptom

KINDS = {
    Trouble.SLOW: "slow answer",
    Trouble.TIMED_OUT: "time-out",
    Trouble.NOT_CONNECTED: "failed connection",
    Trouble.TLS: "failed TLS handshake",
    Trouble.REDIRECT_LOOP: "redirect loop",
    Trouble.CROSS_ORIGIN: "CORS error",
}


def what_was_seen(symptom: Symptom) -> str:
    """The symptom in a few words: ``the 403 on GET /app/admin``."""
    kind = KINDS[symptom.kind] if symptom.kind else "failure"
    status = f"{symptom.status:03d}" if symptom.status is not None else f"{symptom.status_class}xx" if symptom.status_class else kind
    place = symptom.path or (f"paths with '{symptom.path_word}'" if symptom.path_word else None)
    target = " ".join(filter(None, (symptom.method, place)))
    return f"the {status}{f' on {target}' if target else ''}"


def sentence(answer: Investigation, failure: Failure | None, near: str = "") -> tuple[str, str]:
    """The verdict in one sentence, and a message in plain words; ``near`` tells of a failure like it at another time."""
    seen = what_was_seen(answer.symptom)
    if answer.verdict is Verdict.CAUSE_FOUND:
        first = answer.findings[0]
        return f"{_capital(first.title)}.", f"We found why you saw {seen}: {first.title}."
    if answer.verdict is Verdict.HEALTHY and failure is not None:
        said = f"{_capital(TITLES.get(failure.hop, failure.hop))} sent {seen} itself ({failure.why})"
        message = (
            f"Our records show {seen} as an answer of the application itself, which sends browsers on to another page. Please tell us "
            "where it led you, and what you expected instead."
        )
        return f"{said}: it says where to go next, and nothing failed.", message
    if answer.verdict is Verdict.HEALTHY:
        message = (
            f"At the time you named, our systems recorded no {seen.removeprefix('the ')}. Please tell us the exact time and "
            "address (URL), and whether it still happens."
        )
        return f"The logs cover the moment, and no request in it failed like {seen}{f'; {near}' if near else '.'}", message
    nothing = "a log that covers the moment" if failure is None or failure.hop == "unknown" else "what it logged of its errors then"
    missing = f"the {answer.gaps[0].missing.removeprefix('the ')}" if answer.gaps else nothing
    if failure is None:
        start = f"no log in the case has {seen} at that time{f' ({near})' if near else ''}"
    elif failure.hop == "unknown":
        start = f"the failing request is in the logs, but not who answered it ({failure.why})"
    elif answer.gaps and answer.gaps[0].missing == WHICH:
        titles = list(dict.fromkeys(finding.title for finding in answer.findings))
        several = "; or ".join(titles[:3]) or "several failures that have no cause in common"
        start = f"{several}: each of them fits what was told"
    elif answer.findings:
        start = f"{answer.findings[0].title} fits, but is not settled"
    else:
        start = f"{TITLES.get(failure.hop, failure.hop)} answered ({failure.why}), but nothing here says why"
    asks = bool(answer.gaps) and answer.gaps[0].how.startswith("ask the person")
    return (
        f"{_capital(start)}; {missing} would decide.",
        f"We are still looking into {seen}: our records so far do not show its cause. "
        + (f"Please tell us {missing}." if asks else f"We are getting {missing if answer.gaps else 'more logs'}."),
    )


def _capital(text: str) -> str:
    """The text as the start of a sentence."""
    return text[:1].upper() + text[1:]
