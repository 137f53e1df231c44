"""Are winners near the optimum: theory, limits of the data, refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.conjectures.winners_near import _winners, winners_near_optimum
from prunestats.errors import InputError, ResultsError


def runs(n=400, *, noise=0.005, seed=0, curve=lambda u: 0.1 * u**2, originals=1):
    rng = np.random.default_rng(seed)
    u = rng.uniform(-0.8, 0.8, n)
    params = np.rint(1e6 / (100 * np.exp(u))).astype(int)
    frame = pd.DataFrame({"subnetwork": np.arange(n).astype(str), "flops": 1_000_000, "params": params})
    frame["original"] = np.array(list("abc"))[np.arange(n) % originals]
    shift = 0.05 * (np.arange(n) % originals)
    return frame.assign(error=0.2 + curve(u) + shift + noise * rng.standard_normal(n))


def near(frame, **arguments):
    return winners_near_optimum(frame, rng=np.random.default_rng(1), **arguments)


def test_winners_at_the_optimum_are_equivalent():
    found = near(runs())
    assert found.equivalent is True
    assert found.p < 0.05
    assert 0.8 < found.quotient.low < 1 < found.quotient.high < 1.25
    assert found.quotient.level == pytest.approx(0.9)
    assert found.near >= 0.9
    assert found.near_all == pytest.approx(np.log(1.25) / 0.8, abs=0.1)
    assert (found.n_winners, found.optimum.n_subnetworks) == (20, 200)
    assert "equivalent=True" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_equivalence_is_the_interval_within_the_margin():
    frame = runs(noise=0.02)
    for margin in (1.02, 1.05, 1.1, 1.2, 1.4):
        found = near(frame, margin=margin)
        inside = 1 / margin < found.quotient.low and found.quotient.high < margin
        assert found.equivalent == inside
        assert found.equivalent == (found.p < 0.05)


def test_a_narrow_margin_is_not_shown_and_not_refuted():
    found = near(runs(noise=0.03), margin=1.001)
    assert found.equivalent is False
    assert 1 in found.quotient


def test_no_subnetwork_is_in_both_halves():
    frame = runs(n=100, originals=2)
    found = near(frame, share=0.2)
    assert found.optimum.n_subnetworks == 50
    assert found.n_winners == 10
    second = near(frame, share=0.999)
    assert second.n_winners == 50


def test_originals_have_winners_of_their_own():
    found = near(runs(n=600, originals=3), share=0.1)
    assert found.n_winners == 30
    assert found.equivalent is True


def test_without_an_optimum_nothing_is_tested():
    found = near(runs(curve=lambda u: 0.1 * u))
    assert found.equivalent is None
    assert found.quotient is None
    assert np.isnan(found.p)
    assert found.notes[0].startswith("The first half has no optimum to compare with (monotone")
    assert "no optimum" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_the_same_seed_gives_the_same_bits_in_any_order():
    frame = runs()
    other = frame.sample(frac=1, random_state=3)
    assert near(frame).to_dict() == near(other).to_dict()


def test_the_variance_of_the_winners_mean_is_that_of_many_samples():
    rng = np.random.default_rng(0)
    means, variances = [], []
    for _ in range(600):
        x = rng.standard_normal(200)
        mine, variance, n = _winners(pd.Series(x), pd.Series(x + 0.5 * rng.standard_normal(200)), 0.1)
        means.append(mine.mean())
        variances.append(variance)
        assert (mine.size, n) == (20, 200)
    observed = np.var(means, ddof=1)
    low, high = observed * 599 / stats.chi2.ppf([0.9995, 0.0005], 599)
    assert low * 0.9 < np.mean(variances) < high * 1.1


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"margin": 1.0}, InputError, "margin must be a factor above 1"),
        ({"margin": 0.8}, InputError, "margin must be a factor above 1"),
        ({"share": 0.0}, InputError, "share must lie between"),
        ({"share": 0.004}, ResultsError, "each half of an original needs 2 winners; found 200 subnetworks"),
        ({"level": 0.4}, InputError, "level must be above 0.5"),
    ],
)
def test_what_cannot_be_tested_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        near(runs(), **arguments)
