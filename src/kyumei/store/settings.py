"""case.toml: what people know about a case that its files do not tell.

    [zones]                       # clocks that keep no zone, by file pattern
    "host-a/app*.log" = "Asia/Tokyo"
    [log_format]                  # formats of one's own, by file pattern: nginx log_format strings, the fields of a flow log in their order
    "nginx/access*" = '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent'
    "flows/*.log" = '${version} ${interface-id} ${srcaddr} ${dstaddr} ${start} ${action}'
    [formats]                     # the format of files that do not tell
    "strange.log" = "app_log"
    [symptom]
    text = "403 on GET /app/admin at 2025-02-06 14:32 JST"

A pattern is a path in the case, ``*`` and ``?`` stand for anything; the first that matches counts.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from kyumei import discover
from kyumei.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MOST_NAMED = 3
SECTIONS = ("zones", "log_format", "formats", "symptom")


@dataclass(frozen=True)
class Settings:
    """The tables of case.toml, empty where nothing is told."""

    zones: Mapping[str, str] = field(default_factory=dict)
    log_formats: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, str] = field(default_factory=dict)
    symptom: str = ""

    def zone(self, name: str) -> str | None:
        """The zone told for a file."""
        return _first(self.zones, name)

    def log_format(self, name: str) -> str | None:
        """The nginx log_format told for a file."""
        return _first(self.log_formats, name)

    def format(self, name: str) -> str | None:
        """The format told for a file."""
        return _first(self.formats, name)


def _first(patterns: Mapping[str, str], name: str) -> str | None:
    return next((value for pattern, value in patterns.items() if fnmatchcase(name, pattern)), None)


def read_settings(root: Path) -> Settings:
    """The settings of a case; ConfigError when case.toml holds what nobody could mean."""
    path = root / "case.toml"
    if not root.is_dir() or not path.is_file():
        return Settings()
    try:
        told = tomllib.loads(path.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, RecursionError) as error:
        message = f"case.toml cannot be read: {error}"
        raise ConfigError(message, "see docs/how-to/own-logs.md for what may stand there") from error
    for section, values in told.items():
        if section not in SECTIONS:
            message = f"case.toml has an unknown section [{section}]"
            raise ConfigError(message, "known are " + ", ".join(SECTIONS))
        if not isinstance(values, dict):
            message = f"case.toml: [{section}] must be a section, not a value"
            raise ConfigError(message, f"write [{section}] on a line of its own, and what it holds below")
        if not all(isinstance(value, str) for value in values.values()):
            message = f"case.toml: every value in [{section}] must be a string"
            raise ConfigError(message, 'for example "app*.log" = "Asia/Tokyo"')
    for name in told.get("symptom", {}):
        if name != "text":
            message = f"case.toml: [symptom] holds an unknown {name!r}"
            raise ConfigError(message, 'write it as one sentence: text = "403 on GET /app/admin at 2025-02-06 14:32 JST"')
    settings = Settings(told.get("zones", {}), told.get("log_format", {}), told.get("formats", {}), told.get("symptom", {}).get("text", ""))
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    for zone in settings.zones.values():
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            message = f"case.toml names an unknown zone {zone!r}"
            raise ConfigError(message, "use an IANA name such as Asia/Tokyo or UTC") from error
    for name in settings.formats.values():
        if name not in discover.format_names():
            message = f"case.toml names an unknown format {name!r}"
            near = [known for known in discover.format_names() if name in known] or get_close_matches(name, discover.format_names())
            raise ConfigError(
                message, (f"did you mean {' or '.join(near[:MOST_NAMED])}? " if near else "") + "kyumei formats lists them all"
            )
