"""Run every benchmark and print one table: ``python -m benchmarks``."""

from benchmarks import cost, runners, sampling
from benchmarks.measure import print_comparisons

if __name__ == "__main__":
    print_comparisons([*cost.comparisons(), *sampling.comparisons(), *runners.comparisons()])
    print(runners.memory())
