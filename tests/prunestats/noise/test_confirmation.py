"""Independent seeds: golden values, and intervals that cover although the winner was selected."""

import numpy as np
import pandas as pd
import pytest

from prunestats.errors import ResultsError
from prunestats.noise.confirmation import confirm


def runs(values, first_seed=0):
    """One row for each value of each subnetwork, seeds counted up."""
    rows = [(key, first_seed + seed, value) for key, each in values.items() for seed, value in enumerate(each)]
    return pd.DataFrame(rows, columns=["subnetwork", "seed", "error"]).assign(flops=9, params=3)


# R: x <- c(.10, .12, .17, .20, .22, .23, .30, .33, .25, .24)
# g <- factor(c("a", "a", "a", "b", "b", "b", "c", "c", "d", "d"))
# confint(lm(x ~ 0 + g)); confint(lm(x ~ relevel(g, "b")))
GOLDEN = {
    "winner": (0.0955560196094, 0.164443980391),
    "other": (0.1822226862761, 0.251110647057),
    "difference": (-0.1353778108771, -0.0379555224562),
}


def test_equal_to_r_with_noise_of_others():
    fresh = runs({"a": [0.10, 0.12, 0.17], "b": [0.20, 0.22, 0.23]})
    noise = runs({"c": [0.30, 0.33], "d": [0.25, 0.24]})
    found = confirm(fresh, "a", "b", noise=noise)
    assert found.df == 6
    reference = {
        "winner": (0.13, GOLDEN["winner"]),
        "other": (0.65 / 3, GOLDEN["other"]),
        "difference": (0.13 - 0.65 / 3, GOLDEN["difference"]),
    }
    for name, (value, ends) in reference.items():
        interval = getattr(found, name)
        assert interval.value == pytest.approx(value, rel=1e-12)
        assert (interval.low, interval.high) == pytest.approx(ends, rel=1e-8)


def test_one_seed_each_leaves_no_variance_between_seeds():
    with pytest.raises(ResultsError, match="two seeds or more"):
        confirm(runs({"a": [0.1], "b": [0.2]}), "a", "b")


def test_a_subnetwork_without_a_run_is_named():
    with pytest.raises(ResultsError, match="subnetwork 'z'; found none"):
        confirm(runs({"a": [0.1, 0.2]}), "a", "z")


def test_noise_of_the_two_is_not_counted_twice():
    fresh = runs({"a": [0.1, 0.2], "b": [0.3, 0.5]})
    assert confirm(fresh, "a", "b", noise=fresh).df == confirm(fresh, "a", "b").df == 2


@pytest.mark.slow
def test_intervals_cover_although_the_winner_was_selected():
    """A small search: the best of 60 by one noisy value, then independent seeds for it and for a baseline."""
    rng = np.random.default_rng(0)
    rounds, covered = 1000, np.zeros(2)
    for _ in range(rounds):
        truth = 0.1 + 0.01 * rng.standard_normal(61)
        first = truth[:60] + 0.01 * rng.standard_normal(60)
        best = np.argsort(first)[:3]
        second = {str(i): truth[i] + 0.01 * rng.standard_normal(2) for i in best}
        winner = min(second, key=lambda key: second[key].mean())
        fresh = {key: truth[int(key)] + 0.01 * rng.standard_normal(3) for key in (winner, "60")}
        found = confirm(runs(fresh, 10), winner, "60", noise=runs(second))
        covered += [truth[int(winner)] in found.winner, truth[int(winner)] - truth[60] in found.difference]
    assert np.all(np.abs(covered / rounds - 0.95) < 3 * np.sqrt(0.95 * 0.05 / rounds))


def test_a_confirmation_of_a_metric_that_is_maximised_is_mirrored(as_miou, mirrors):
    fresh, noise = runs({"a": [0.10, 0.12, 0.17], "b": [0.20, 0.22, 0.23]}), runs({"c": [0.30, 0.33]})
    one, other = confirm(fresh, "a", "b", noise=noise), confirm(as_miou(fresh), "a", "b", noise=as_miou(noise))
    mirrors(other.winner, one.winner, about=1)
    mirrors(other.other, one.other, about=1)
    mirrors(other.difference, one.difference)
    assert other.sd == pytest.approx(one.sd)
    assert (other.response, other.verdict, one.verdict) == ("miou", "better", "better")
    assert confirm(as_miou(fresh), "b", "a").verdict == "worse"
    assert "metric" not in one.to_dict()
