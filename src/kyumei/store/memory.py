"""How much memory a run may use: as ``KYUMEI_MEMORY`` says, two gigabytes else.

The database gets three fifths of it, and puts on disk what does not fit; the rest is for what is read and not yet handed over, for Python,
and for what the database does not count.
"""

from __future__ import annotations

import os
import re

from kyumei.errors import ConfigError

DEFAULT = 2 * 1024**3
LEAST = 512 * 1024**2
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,3})?) ?([KMGT]?)(?:i?B)?", re.IGNORECASE | re.ASCII)


def memory() -> int:
    """Bytes that a run may use. Raises ConfigError for a setting that is no size, or too small to work with."""
    said = os.environ.get("KYUMEI_MEMORY", "")
    if not said:
        return DEFAULT
    found = _SIZE.fullmatch(said.strip())
    size = int(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
    if size < LEAST:
        message = f"KYUMEI_MEMORY is {said!r}"
        raise ConfigError(message, f"give a size of at least {LEAST // 1024**2}MB, such as 2GB")
    return size
