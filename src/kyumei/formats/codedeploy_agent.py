"""The log of the CodeDeploy agent on a host: what it asked CodeDeploy for, which commands it ran, and what became of them.

``codedeploy-agent.log`` below ``/var/log/aws/codedeploy-agent``; ``codedeploy-agent-log.txt`` on Windows. The time is the host's, without a
zone. Ruby's backtraces follow as lines of their own. ``script_error`` is that of the script: 0 it went well, 1 it is missing, 2 it cannot
be executed, 3 it took too long, 4 it failed, 5 unknown, 6 it left outputs open, 7 it failed after a restart of the agent.

Follows "View log files for CodeDeploy EC2/on-premises deployments" in the AWS CodeDeploy User Guide and the agent's source.
"""

from __future__ import annotations

from kyumei.contracts import Format
from kyumei.layouts.app_requests import ERROR
from kyumei.layouts.app_shapes import LEVEL
from kyumei.layouts.casts import INTEGER, NUMBER, TEXT, Take, texts
from kyumei.layouts.clocks import ISO_TIME, TIME_NAIVE
from kyumei.layouts.codedeploy_lines import DATE, DEPLOYMENT, FINER, is_agent_line
from kyumei.layouts.stamps import ISO, ISO_SPACE
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Look, Shape
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "codedeploy_agent",
    "What the CodeDeploy agent of a host did and was told.",
    (
        Column("time", Kind.TIME, "When the line was written, by the host's clock."),
        Column("level", Kind.TEXT, "DEBUG, INFO, WARNING, ERROR or CRITICAL."),
        Column("pid", Kind.INTEGER, "The agent's process."),
        Column("logger", Kind.TEXT, "The part of the agent that wrote it."),
        Column("message", Kind.TEXT, "What it says, with the lines that follow."),
        Column("operation", Kind.TEXT, "The call of CodeDeploy: poll_host_command, put_host_command_complete..."),
        Column("http_status", Kind.INTEGER, "The HTTP status of CodeDeploy's answer."),
        Column("request_seconds", Kind.FLOAT, "How long that call took."),
        Column("retries", Kind.INTEGER, "How often the call was tried again."),
        Column("outcome", Kind.TEXT, "Succeeded or Failed, as the agent reports of a command.", origin="command_status"),
        Column("deployment_id", Kind.TEXT, "The deployment.", Link.RESOURCE, "deployment_id"),
        Column("host_arn", Kind.TEXT, "The host, as the agent names itself.", Link.RESOURCE, "host_identifier"),
        Column("lifecycle_event", Kind.TEXT, "The lifecycle event: BeforeInstall, ApplicationStart...", origin="LifecycleEvent"),
        Column("script_error", Kind.INTEGER, "How a script ended, 0 to 7.", origin="error_code"),
        Column("script", Kind.TEXT, "The script that failed.", origin="script_name"),
        Column("error_type", Kind.TEXT, "The type of an error of the agent."),
        Column("error_text", Kind.TEXT, "What the error says.", origin="message"),
    ),
)


_EVENTS = "Application(?:Stop|Start)|DownloadBundle|(?:Before|After)(?:Install|BlockTraffic|AllowTraffic)|Install|ValidateService"
_QUOTE = r'\\{0,3}"'
_SHAPES = (
    Shape(
        "agent",
        rf"^(?P<time>{DATE}{FINER}) +(?P<level>DEBUG|INFO|WARN|ERROR|FATAL) +\[codedeploy-agent\((?P<pid>[0-9]{{1,10}})\)\]: ?",
        (
            *(Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE), Take("level", "level", LEVEL)),
            *(Take("pid", "pid", INTEGER), Take("message", "rest", TEXT)),
        ),
    ),
)
_LOOKS = (
    Look(
        "message",
        (
            Shape(
                "call",
                r"^\[Aws::[A-Za-z:]+ (?P<status>[0-9]{3}) (?P<took>[0-9]{1,9}(?:\.[0-9]{1,9})?) (?P<retries>[0-9]{1,4}) retries\]"
                r" (?P<operation>[a-z_]+)",
                (
                    *(Take("http_status", "status", INTEGER), Take("request_seconds", "took", NUMBER), Take("retries", "retries", INTEGER)),
                    *texts("operation"),
                ),
            ),
        ),
        literals=("retries]",),
    ),
    Look("message", (Shape("part", r"^(?P<logger>InstanceAgent::[A-Za-z:]*[A-Za-z]): ", texts("logger")),), literals=("InstanceAgent::",)),
    Look("message", (Shape("deployment", rf"\b(?P<deployment_id>{DEPLOYMENT})\b", texts("deployment_id")),), literals=("d-",)),
    Look("message", (Shape("host", r'host_identifier[:=] ?"(?P<host_arn>[^"\n]+)"', texts("host_arn")),), literals=("host_identifier",)),
    Look("message", (Shape("outcome", r'command_status[:=] ?"(?P<outcome>[A-Za-z]+)"', texts("outcome")),), literals=("command_status",)),
    Look(
        "message",
        (
            Shape(
                "script",
                rf"error_code{_QUOTE}:(?P<error_code>[0-9]{{1,4}}),{_QUOTE}script_name{_QUOTE}:{_QUOTE}(?P<script>[^\"\\\n]*){_QUOTE},"
                rf"{_QUOTE}message{_QUOTE}:{_QUOTE}(?P<error_text>[^\"\\\n]*)",
                (Take("script_error", "error_code", INTEGER), *texts("script", "error_text")),
            ),
        ),
        literals=("error_code",),
    ),
    Look(
        "message",
        (Shape("event", rf"[Ll]ifecycle ?[Ee]vent(?: - | |: )(?P<lifecycle_event>{_EVENTS})\b", texts("lifecycle_event")),),
        literals=("ifecycle",),
    ),
    Look(
        "message",
        (
            Shape(
                "error",
                r"(?:^|[ :])(?P<error_type>(?:[A-Z][A-Za-z0-9]*::)+[A-Z][A-Za-z0-9]*(?:Error|Exception)) - (?P<error_text>[^\n]+)",
                texts("error_type", "error_text"),
            ),
        ),
        literals=("Error", "Exception"),
    ),
    ERROR,
)

LAYOUT = Text(TABLE.columns, _SHAPES, (ISO, ISO_SPACE), head=rf"{DATE}{FINER} +[A-Z]+ +\[codedeploy-agent\(", looks=_LOOKS)


def sniff(text: str, name: str) -> bool:  # noqa: ARG001 - the record is enough
    """A time, a level and the agent's tag with its process."""
    return is_agent_line(text)


FORMAT = Format(
    name="codedeploy_agent",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS CodeDeploy User Guide, View log files for CodeDeploy EC2/on-premises deployments",
    hop="codedeploy",
    complete=False,
)
