"""What an S3 key tells of the time of its records, so that a window opens only the files that it needs.

A key's time is the end of an interval or the moment of delivery, not the time of an event; the margins are how late and how early
a record may lie against it (ALB and WAF: "Access log files" and "Logging web ACL traffic" in the AWS guides; Classic: 60-minute
interval). A key that fits no pattern is always needed.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kyumei.model.window import Window

_MINUTE = re.compile(r"_(?:elasticloadbalancing|waflogs|vpcflowlogs|CloudTrail|vpcdnsquerylogs)_.*?_?([0-9]{8})T?([0-9]{4})Z_")
EARLY = timedelta(minutes=15)
LATE = timedelta(minutes=90)
"""The widest interval (60 minutes, Classic) and the time of delivery after it."""


def needed(name: str, window: Window) -> bool:
    """Whether a file of this name may hold records of the window."""
    found = _MINUTE.search(name.rsplit("/", 1)[-1])
    if not found:
        return True
    try:
        moment = datetime.strptime(found[1] + found[2], "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return True
    return window.start - EARLY <= moment <= window.end + LATE
