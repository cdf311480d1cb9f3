"""Writes the example case anew: ``python examples/worker-timeout-502/generate.py [--seed N] [--out DIR]``.

With seed 0 (the default) and no ``--out`` it writes ``case`` beside this file, byte for byte as it is committed. Any other seed
gives another incident of the same kind: other names, another time, other zones.
"""

# ruff: noqa: INP001 - a script, in a folder that is no package

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

from incidents.worker_timeout import SENTENCE, worker_timeout  # noqa: E402 - the root of the repository had to be found first


def main() -> None:
    """Writes the case and says what the person of the incident says."""
    parser = argparse.ArgumentParser(description="Writes the example case anew.")
    parser.add_argument("--seed", type=int, default=0, help="0 is the committed case; any other number is another incident")
    parser.add_argument("--out", type=Path, default=HERE / "case", help="the folder to write into")
    options = parser.parse_args()
    if options.out == HERE / "case":
        shutil.rmtree(options.out, ignore_errors=True)
    truth = worker_timeout(options.seed, options.out)
    sys.stdout.write(f"{SENTENCE if options.seed == 0 else truth.sentence}\n")


if __name__ == "__main__":
    main()
