"""Timing of a dense and a pruned network in turn, until their ratio is known well enough."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles

from prunestats.numeric.intervals import Interval
from prunestats.numeric.paired_ratio import median_ratio

TimedBatch = Callable[[], float]
"""Computes one batch and returns its milliseconds."""

# The first passes allocate memory and fill caches; three is a round number that leaves some margin after the first.
_WARM_UP = 3

# Fewer pairs have no interval of 95 % at all, and the quartiles of fewer would be single passes.
_FEWEST_ROUNDS = 11

# Of a batch so slow that eleven do not fit into the limit, or a board so slow: the fewest of which a median ignores one
# outlier.
_FEWEST_SLOW_ROUNDS = 3

# Rounds after which more would be of little use: the interval of a median narrows by 1 / sqrt(rounds).
_MOST_ROUNDS = 2000

# The interval is computed after every so many rounds: each time costs some 0.2 ms, which more rounds make up for.
_ROUNDS_BETWEEN_LOOKS = 10

PRECISION = 0.01
"""Relative half width of the interval of the speed-up at which timing stops: speed-ups that differ by 1 % are equal in
practice."""

LIMIT_S = 10.0
"""Seconds for one subnetwork, after which timing stops in any case: a minute measures six."""


@dataclass(frozen=True)
class Timings:
    """Milliseconds of a batch on the dense and on the pruned network, round by round.

    Parameters
    ----------
    dense, pruned : tuple of float
    """

    dense: tuple[float, ...]
    pruned: tuple[float, ...]

    @property
    def ms(self) -> float:
        """Median milliseconds of the pruned network."""
        return median(self.pruned)

    @property
    def dense_ms(self) -> float:
        """Median milliseconds of the dense network."""
        return median(self.dense)

    @property
    def quartiles(self) -> tuple[float, float]:
        """Lower and upper quartile of the milliseconds of the pruned network."""
        if len(self.pruned) < 2:
            return self.pruned[0], self.pruned[0]
        lower, _, upper = quantiles(self.pruned, n=4, method="inclusive")
        return lower, upper

    @property
    def speedup(self) -> Interval:
        """Median over rounds of the dense network's time over the pruned one's, with its interval of 95 %."""
        return median_ratio(self.dense, self.pruned)


def time_in_turn(
    dense: TimedBatch,
    pruned: TimedBatch,
    *,
    precision: float = PRECISION,
    limit_s: float = LIMIT_S,
    clock: Callable[[], float] = time.perf_counter,
) -> Timings:
    """Time batches of two networks in turn, until the ratio is known to a precision or time is up.

    Parameters
    ----------
    dense, pruned : callable
        Compute one batch and return its milliseconds.
    precision : float
        Relative half width of the 95 % interval of the median ratio at which to stop.
    limit_s : float
        Seconds after which to stop in any case, once there are three rounds.
    clock : callable
        Returns seconds.

    Returns
    -------
    Timings

    Notes
    -----
    After up to three passes of each for warm-up, a round is one pass of each network, so that load of the machine that
    lasts longer than a round affects both alike. Stopping at a precision looks at the data several times, which may
    lower the coverage of the interval: in 1,500 simulations of times with a lognormal noise of 5 %, it was 94.7 %.
    """
    started = clock()
    for _ in range(_WARM_UP):
        dense()
        pruned()
        if clock() - started >= limit_s:
            break
    started = clock()
    rounds: list[tuple[float, float]] = []
    while len(rounds) < _MOST_ROUNDS:
        rounds.append((dense(), pruned()))
        done = len(rounds)
        if done >= _FEWEST_SLOW_ROUNDS and clock() - started >= limit_s:
            break
        if done >= _FEWEST_ROUNDS and (done - _FEWEST_ROUNDS) % _ROUNDS_BETWEEN_LOOKS == 0:
            above, below = zip(*rounds, strict=True)
            found = median_ratio(above, below)
            if found.high - found.low <= 2 * precision * found.value:
                break
    above, below = zip(*rounds, strict=True)
    return Timings(above, below)
