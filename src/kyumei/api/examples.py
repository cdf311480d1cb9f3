"""The examples that kyumei comes with."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from kyumei.errors import PathError

DEMO = "waf-403"


def demo_case(name: str = DEMO) -> Path:
    """The folder of an example that is shipped with kyumei. Raises PathError when the installation lacks it."""
    packaged = Path(str(resources.files("kyumei"))) / "examples" / name
    here = Path(__file__).resolve().parents[3] / "examples" / name / "case"
    for folder in (packaged, here):
        if folder.is_dir():
            return folder
    message = f"the example {name} is not installed"
    raise PathError(message, "install kyumei from its wheel, or run from a checkout")
