"""How lines of the CodeDeploy agent begin: of its own log, of the log of deployments, of a deployment's scripts."""

from __future__ import annotations

import re

DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}"
FINER = "(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
AGENT = rf"{DATE}{FINER} +(?:DEBUG|INFO|WARN|ERROR|FATAL) +\[codedeploy-agent\([0-9]+\)\]: ?"
DEPLOYMENT = "d-[A-Z0-9]{9}"
BODY = r"(?:LifecycleEvent - |Script - |\[(?:stdout|stderr)\])"
_LINE = re.compile(
    rf"{AGENT}|\[{DATE}(?:\.[0-9]{{1,9}})?\] ?\[{DEPLOYMENT}\]{BODY}|{DATE} {BODY}"
    r"|LifecycleEvent - [A-Z][A-Za-z]+[ \t]*\Z|Script - [^ \n]",
    re.ASCII,
)


def is_codedeploy_line(text: str) -> bool:
    """Whether a record is certainly one that the CodeDeploy agent wrote."""
    return _LINE.match(text) is not None


def is_agent_line(text: str) -> bool:
    """Whether it is one of the agent's own log."""
    return re.match(AGENT, text, re.ASCII) is not None
