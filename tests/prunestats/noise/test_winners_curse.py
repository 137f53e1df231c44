"""The winner's curse: golden values, theory, what is not identified, refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from prunestats.errors import InputError, ResultsError
from prunestats.noise.deconvolution import fit_prior, shrink
from prunestats.noise.winners_curse import winner_error


def weyl(n, step):
    return (np.arange(1, n + 1) * step) % 1


def runs(n=60, seeds=2, *, noise=0.01, seed=0):
    """Returns the runs and the true means."""
    rng = np.random.default_rng(seed)
    truth = 0.10 + 0.01 * rng.standard_normal(n)
    frame = pd.DataFrame({"subnetwork": np.repeat([f"s{i:04d}" for i in range(n)], seeds)})
    frame = frame.assign(seed=np.tile(np.arange(seeds), n), flops=9, params=3)
    return frame.assign(error=np.repeat(truth, seeds) + noise * rng.standard_normal(n * seeds)), truth


def test_the_distribution_of_true_values_is_that_of_r(golden):
    r = golden("deconvolution")
    y = 0.1 + 0.02 * stats.norm.ppf(weyl(60, 0.6180339887498949)) + 0.03 * weyl(60, 0.41421356237309515) ** 3
    variance = 0.0001 / (1 + np.arange(1, 61) % 3)
    prior = fit_prior(y, variance)
    mean = prior.mass @ prior.grid
    assert mean == pytest.approx(r["mean"], rel=1e-4)
    assert np.sqrt(prior.mass @ (prior.grid - mean) ** 2) == pytest.approx(r["sd"], rel=1e-3)
    i = int(np.argmin(y))
    assert y[i] == pytest.approx(r["least"])
    at = prior.grid
    assert prior.posterior(y[i], variance[i], at) @ at == pytest.approx(r["least.mean"], rel=1e-3)
    kernel = np.exp(-((y[:, None] - prior.grid) ** 2) / (2 * variance[:, None]))
    assert -np.log(kernel @ prior.mass).sum() <= r["loss"] + 1e-3


def test_a_normal_distribution_shrinks_as_the_textbook_says():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(1500)
    y = truth + rng.standard_normal(1500)
    found = shrink(y, np.ones(1500), 7, df=1500, level=0.95, rng=rng)
    assert found.value == pytest.approx(y[7] / 2, abs=0.15)
    assert found.sd == pytest.approx(np.sqrt(0.5), abs=0.08)
    assert found.high - found.low == pytest.approx(2 * 1.96 * np.sqrt(0.5), rel=0.12)


def test_counting_many_means_changes_next_to_nothing(monkeypatch):
    rng = np.random.default_rng(1)
    y = rng.standard_normal(1500) + rng.standard_normal(1500)
    one = fit_prior(y, np.ones(1500))
    monkeypatch.setattr("prunestats.noise.deconvolution._MANY", 100)
    two = fit_prior(y, np.ones(1500))
    assert two.mass == pytest.approx(one.mass, abs=1e-4)


def test_the_winner_is_biased_and_shrunk():
    frame, truth = runs()
    found = winner_error(frame, rng=np.random.default_rng(0))
    means = frame.groupby("subnetwork")["error"].mean()
    assert (found.subnetwork, found.seen) == (means.idxmin(), pytest.approx(means.min()))
    assert found.method == "shrinkage"
    assert found.seen < found.estimate.value < means.mean()
    assert found.flattery == pytest.approx(found.estimate.value - found.seen)
    assert truth[int(found.subnetwork[1:])] in found.estimate
    assert (found.n_subnetworks, found.n_runs, found.n_fresh) == (60, 2, 0)
    assert "by shrinkage" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_same_seed_and_other_order_give_the_same_bits():
    frame, _ = runs()
    one, two = (
        winner_error(f, rng=np.random.default_rng(4)).to_dict() for f in (frame, frame.sample(frac=1, random_state=0))
    )
    assert one == two


def test_fresh_seeds_give_the_t_interval_with_pooled_noise():
    frame, _ = runs()
    winner = winner_error(frame).subnetwork
    fresh = pd.DataFrame({"subnetwork": winner, "seed": [7, 8, 9], "flops": 9, "params": 3, "error": [0.1, 0.12, 0.11]})
    found = winner_error(frame, fresh=fresh)
    assert (found.method, found.n_fresh, found.estimate.value) == ("fresh seeds", 3, pytest.approx(0.11))
    assert found.flattery == pytest.approx(0.11 - found.seen)
    within = frame["error"] - frame.groupby("subnetwork")["error"].transform("mean")
    variance = (within @ within + 2e-4) / 62
    half = stats.t.ppf(0.975, 62) * np.sqrt(variance / 3)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((0.11 - half, 0.11 + half))


def test_one_fresh_seed_without_other_repeats_has_no_interval():
    frame, _ = runs(seeds=1)
    winner = winner_error(frame).subnetwork
    fresh = pd.DataFrame({"subnetwork": [winner], "seed": [7], "flops": 9, "params": 3, "error": [0.1]})
    found = winner_error(frame, fresh=fresh)
    assert (found.estimate.value, found.estimate.low) == (0.1, -np.inf)
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_test_split_with_independent_noise_is_not_corrected():
    frame, truth = runs(n=400)
    rng = np.random.default_rng(5)
    test = frame.assign(error=np.repeat(truth, 2) + 0.02 + 0.005 * rng.standard_normal(800))
    found = winner_error(frame, test=test)
    assert found.test == pytest.approx(test.loc[test["subnetwork"] == found.subnetwork, "error"].mean())
    assert abs(found.estimate.value - found.test) < 0.2 * found.flattery
    half = 1.96 * 0.005 / np.sqrt(2)
    assert (found.estimate.high - found.estimate.low) / 2 == pytest.approx(half, rel=0.15)


def test_a_test_split_with_the_same_noise_is_corrected_as_much():
    frame, _ = runs()
    test = frame.assign(error=frame["error"] + 0.02)
    found = winner_error(frame, test=test, rng=np.random.default_rng(0))
    alone = winner_error(frame, rng=np.random.default_rng(0))
    assert found.estimate.value == pytest.approx(alone.estimate.value + 0.02)
    assert found.flattery == alone.flattery


def test_one_seed_each_does_not_identify_the_bias():
    found = winner_error(runs(seeds=1)[0])
    assert (found.estimate, found.method) == (None, None)
    assert np.isnan(found.flattery)
    assert found.notes[-1].startswith("No subnetwork was trained with two seeds")
    assert "unknown" in repr(found)
    json.dumps(found.to_dict(), allow_nan=False)


def test_few_subnetworks_are_not_shrunk():
    found = winner_error(runs(n=9)[0])
    assert found.estimate is None
    assert found.notes[-1].startswith("9 subnetworks: fewer than 10")


def test_winners_that_tie_are_counted():
    frame, _ = runs()
    frame.loc[frame["subnetwork"].isin(["s0003", "s0001"]), "error"] = 0.01
    found = winner_error(frame)
    assert found.subnetwork == "s0001"
    assert found.notes[0].startswith("2 subnetworks share the least mean error")


def test_what_has_no_winner_is_refused():
    frame, _ = runs()
    winner = winner_error(frame).subnetwork
    fresh = pd.DataFrame({"subnetwork": [winner], "seed": [7], "flops": 9, "params": 3, "error": [0.1]})
    with pytest.raises(ResultsError, match="found seed 1 in both"):
        winner_error(frame, fresh=fresh.assign(seed=1))
    with pytest.raises(ResultsError, match="fresh must hold runs of the winner"):
        winner_error(frame, fresh=fresh.assign(subnetwork="other"))
    with pytest.raises(ResultsError, match="found no column seed"):
        winner_error(frame, fresh=fresh.drop(columns="seed"))
    with pytest.raises(ResultsError, match="test must hold the same runs"):
        winner_error(frame, test=frame[:-1])
    with pytest.raises(ResultsError, match="one original at a time"):
        winner_error(frame.assign(original=np.arange(len(frame)) % 2))
    with pytest.raises(InputError, match="no such column 'loss'"):
        winner_error(frame, response="loss")


@pytest.mark.parametrize("split", ["validation", "test", "fresh"])
def test_of_a_metric_that_is_maximised_the_estimate_is_mirrored(as_miou, mirrors, split):
    frame, _ = runs()
    rng = np.random.default_rng(5)
    given = {}
    if split == "test":
        given["test"] = frame.assign(error=frame["error"] + 0.01 * rng.standard_normal(len(frame)) + 0.05)
    if split == "fresh":
        winner = winner_error(frame).subnetwork
        given["fresh"] = pd.DataFrame({"subnetwork": winner, "seed": [7, 8], "flops": 9, "params": 3}).assign(
            error=[0.1, 0.12]
        )
    one = winner_error(frame, **given, rng=np.random.default_rng(4))
    mirrored = {name: as_miou(values) for name, values in given.items()}
    other = winner_error(as_miou(frame), **mirrored, rng=np.random.default_rng(4))
    assert (other.subnetwork, other.method, other.response) == (one.subnetwork, one.method, "miou")
    assert other.seen == pytest.approx(1 - one.seen)
    assert other.test == (None if one.test is None else pytest.approx(1 - one.test))
    # the likelihood is maximised numerically: its tolerance, not rounding, limits the agreement
    mirrors(other.estimate, one.estimate, about=1, within=1e-5)
    assert other.flattery == pytest.approx(one.flattery, abs=1e-5)
    assert other.flattery > 0
    assert other.metric.direction == "maximize"


def test_notes_on_a_perplexity_do_not_speak_of_errors(as_perplexity):
    frame, _ = runs(seeds=1)
    found = winner_error(as_perplexity(frame))
    assert found.response == "perplexity"
    assert not any(word in note for note in found.notes for word in ("error", "%", "pp "))
