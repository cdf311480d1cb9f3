"""What the scripts of a deployment wrote: ``codedeploy-agent-deployments.log`` of a host, ``scripts.log`` of a deployment, tails of them.

A lifecycle event is named by a line of its own, then each of its scripts, then what the script writes to its two outputs. The time is the
host's, without a zone; a tail that the API answers has none. Only the log of all deployments names the deployment on each line: of
``scripts.log`` the folder does.

Follows "View log files for CodeDeploy EC2/on-premises deployments" in the AWS CodeDeploy User Guide and the agent's source.
"""

from __future__ import annotations

from kyumei.contracts import Format
from kyumei.layouts.casts import TEXT, Take
from kyumei.layouts.clocks import ISO_TIME, TIME_NAIVE
from kyumei.layouts.codedeploy_lines import DATE, DEPLOYMENT, is_agent_line, is_codedeploy_line
from kyumei.layouts.text import Text
from kyumei.layouts.text_shapes import Shape
from kyumei.model.table import Column, Kind, Link, Table

TABLE = Table(
    "codedeploy_script",
    "Output of the scripts of deployments, one row for each line.",
    (
        Column("time", Kind.TIME, "When the line was written, by the host's clock; null in a tail."),
        Column("kind", Kind.TEXT, "lifecycle_event, script, stdout or stderr."),
        Column("deployment_id", Kind.TEXT, "The deployment; null where the line does not name it.", Link.RESOURCE),
        Column("lifecycle_event", Kind.TEXT, "The lifecycle event that begins with this line.", origin="LifecycleEvent"),
        Column("script", Kind.TEXT, "The script that begins with this line.", origin="Script"),
        Column("message", Kind.TEXT, "What the script wrote.", origin="[stdout], [stderr]"),
    ),
)


def _shape(kind: str, opening: str, column: str) -> tuple[Shape, ...]:
    """The line with deployment and time, with a time alone, and with neither."""
    rest = Take(column, "rest", TEXT)
    clock = (Take("time", "time", ISO_TIME), Take("_naive", "time", TIME_NAIVE))
    whole = rf"^\[(?P<time>{DATE}(?:\.[0-9]{{1,9}})?)\] ?\[(?P<deployment_id>{DEPLOYMENT})\]{opening}"
    return (
        Shape(f"{kind} of a deployment", whole, (*clock, Take("deployment_id", "deployment_id", TEXT), rest), {"kind": kind}, "["),
        Shape(f"{kind} with a time", rf"^(?P<time>{DATE}) {opening}", (*clock, rest), {"kind": kind}, "0123456789"),
        Shape(kind, f"^{opening}", (rest,), {"kind": kind}, "LS["),
    )


LAYOUT = Text(
    TABLE.columns,
    (
        *_shape("stdout", r"\[stdout\]", "message"),
        *_shape("stderr", r"\[stderr\]", "message"),
        *_shape("lifecycle_event", "LifecycleEvent - ", "lifecycle_event"),
        *_shape("script", "Script - ", "script"),
    ),
)


def sniff(text: str, name: str) -> bool:
    """A lifecycle event, a script, or output behind a time; output without a time in a file that is called so."""
    if is_codedeploy_line(text):
        return not is_agent_line(text)
    return text.startswith(("[stdout]", "[stderr]")) and ("codedeploy" in name or name.endswith("scripts.log"))


FORMAT = Format(
    name="codedeploy_script",
    table=TABLE,
    layout=LAYOUT,
    sniff=sniff,
    reference="AWS CodeDeploy User Guide, View log files for CodeDeploy EC2/on-premises deployments",
    hop="codedeploy",
    complete=False,
)
