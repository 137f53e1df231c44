"""Timing in turn, with clocks and networks that a test moves: no machine's speed matters."""

from functools import partial

import numpy as np
import pytest

from prunestats.runners.deployment.timing import time_in_turn


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Batch:
    """Takes the milliseconds that it is given, and notes its turn."""

    def __init__(self, name, times, clock, turns):
        self.name, self.times, self.clock, self.turns = name, iter(times), clock, turns

    def __call__(self):
        self.turns.append(self.name)
        ms = next(self.times)
        self.clock.now += ms / 1000
        return ms


def pair(dense, pruned):
    clock, turns = Clock(), []
    return Batch("dense", dense, clock, turns), Batch("pruned", pruned, clock, turns), clock, turns


def forever(value):
    while True:
        yield value


def test_networks_take_turns_and_equal_times_stop_at_once():
    dense, pruned, clock, turns = pair(forever(6.0), forever(2.0))
    found = time_in_turn(dense, pruned, clock=clock)
    assert turns == ["dense", "pruned"] * (3 + 11)
    assert (found.dense_ms, found.ms, found.quartiles) == (6, 2, (2, 2))
    assert (found.speedup.value, found.speedup.low, found.speedup.high) == (3, 3, 3)


def test_noise_is_timed_longer_until_the_ratio_is_known_to_a_hundredth():
    rng = np.random.default_rng(0)
    noise = lambda at: (at * rng.lognormal(0, 0.04) for _ in iter(int, 1))  # noqa: E731
    dense, pruned, clock, _ = pair(noise(4.0), noise(2.0))
    found = time_in_turn(dense, pruned, clock=clock)
    assert 40 < len(found.pruned) < 2000
    assert found.speedup.high - found.speedup.low <= 0.02 * found.speedup.value
    assert pytest.approx(found.speedup.value, rel=0.02) == 2


def test_a_slow_network_stops_when_time_is_up():
    dense, pruned, clock, _ = pair(forever(3000.0), forever(2500.0))
    found = time_in_turn(dense, pruned, clock=clock, limit_s=10)
    assert len(found.pruned) == 3
    assert (found.speedup.low, found.speedup.high) == (0, np.inf)
    dense, pruned, clock, _ = pair((k % 2 + 1 for k in iter(int, 1)), forever(400.0))
    assert len(time_in_turn(dense, pruned, clock=clock, limit_s=1).pruned) == 3


def test_load_that_lasts_slows_both_and_the_ratio_stays():
    """A machine that becomes ten times slower in the middle: milliseconds suffer, the ratio does not."""
    slow = [1.0] * 6 + [10.0] * 99
    dense, pruned, clock, _ = pair((6 * k for k in slow), (2 * k for k in slow))
    found = time_in_turn(dense, pruned, clock=clock)
    assert found.speedup.value == pytest.approx(3)
    assert found.ms == 20


def test_coverage_although_the_data_decide_when_to_stop():
    """Stopping when the interval is narrow favours samples that look less noisy than they are."""
    rng = np.random.default_rng(1)
    inside, rounds = [], []
    for _ in range(200):
        times = (rng.lognormal(np.log([5.0, 2.0]), 0.05) for _ in iter(int, 1))
        turns = (value for row in times for value in row)
        once = partial(next, turns)
        found = time_in_turn(once, once, precision=0.02, clock=Clock())
        inside.append(2.5 in found.speedup)
        rounds.append(len(found.pruned))
    assert 30 < np.median(rounds) < 400
    # 95 % less 2.6 binomial standard errors of 200 repetitions, and two points for stopping
    assert np.mean(inside) > 0.95 - 0.04 - 0.02
