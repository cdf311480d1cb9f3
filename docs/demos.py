"""Puts into the README what ``kyumei demo`` prints: the first screen of the answer, and the table of who saw the request."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
EXAMPLES = {"demo": "waf-403", "demo-502": "worker-timeout-502"}
"""The example whose answer stands between two marks of the README, by the name of the marks."""
SHOWN = "Who saw the request"
"""The part of the answer that is shown besides its head."""
_PART = re.compile(r"^(?=\S.* ─{3,}$)", re.MULTILINE)


def printed(example: str) -> str:
    """What is shown of an example's answer, on a terminal of 100 columns without colours."""
    with tempfile.TemporaryDirectory() as cache:
        told = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "KYUMEI_CACHE": cache}
        command = [sys.executable, "-m", "kyumei", "demo", example]
        ran = subprocess.run(command, env=told, capture_output=True, check=True, encoding="utf-8")  # noqa: S603 - ourselves, by a fixed name
    head, *parts = _PART.split(ran.stdout)
    return "\n\n...\n\n".join((head.strip("\n"), next(part for part in parts if part.startswith(SHOWN)).rstrip()))


def with_demos(text: str) -> str:
    """The README with the answers of today."""
    for mark, example in EXAMPLES.items():
        before, begin, rest = text.partition(f"<!-- {mark}:begin -->\n")
        _, end, after = rest.partition(f"<!-- {mark}:end -->")
        text = f"{before}{begin}```text\n{printed(example)}\n```\n{end}{after}"
    return text
