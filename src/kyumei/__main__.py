"""``python -m kyumei`` is ``kyumei``."""

from __future__ import annotations

import sys

from kyumei.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
