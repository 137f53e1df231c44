"""Run benchmarks and print one table: ``python -m benchmarks``, or some of them by name."""

import sys
from importlib import import_module

from benchmarks.measure import print_comparisons

NAMES = (
    "cost",
    "sampling",
    "edf_and_best",
    "compare",
    "components",
    "optimum",
    "database",
    "runners",
)

if __name__ == "__main__":
    chosen = sys.argv[1:] or NAMES
    unknown = [name for name in chosen if name not in NAMES]
    if unknown:
        sys.exit(f"benchmarks are {', '.join(NAMES)}; found {', '.join(unknown)}")
    print_comparisons(row for name in chosen for row in import_module(f"benchmarks.{name}").comparisons())
    if "runners" in chosen:
        print(import_module("benchmarks.runners").memory())
