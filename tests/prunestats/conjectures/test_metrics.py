"""Bucket sizes and conjectures on a metric of a study's own: mirrored where higher values are better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunestats.bucket_size import compare_buckets
from prunestats.conjectures import meta_optimum, optimum_across_regimes, transfer_optimum, winners_near_optimum
from prunestats.metric import Metric, with_metric
from prunestats.optimum import find_optimum

MIOU = Metric("miou", "maximize", "fraction", 0, 1)
PERPLEXITY = Metric("perplexity", low=0)


def population(best: float = 100.0, n: int = 200, seed: int = 0, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    params = rng.integers(5_000, 20_000, n)
    error = 0.1 + 0.1 * np.log(params * best / 10**6) ** 2 + 0.01 * rng.random(n)
    frame = pd.DataFrame({"subnetwork": [f"{seed}-{i:03d}" for i in range(n)], "flops": 10**6, "params": params})
    return frame.assign(error=error, **columns)


def designs() -> pd.DataFrame:
    return pd.concat(
        [
            population(30 * ratio**0.3, seed=seed, original=f"n{ratio}", original_flops=ratio * 30_000)
            for seed, ratio in enumerate((30, 50, 70, 90))
        ]
    ).assign(original_params=30_000)


def regimes() -> pd.DataFrame:
    first, second = population(100, regime=0.5), population(85, seed=1, regime=0.25)
    return pd.concat([first, second.assign(flops=500_000)])


def mirrored(frame: pd.DataFrame) -> pd.DataFrame:
    return with_metric(frame.drop(columns="error").assign(miou=1 - frame["error"]), MIOU)


def as_perplexity(frame: pd.DataFrame) -> pd.DataFrame:
    return with_metric(frame.drop(columns="error").assign(perplexity=np.exp(5 * frame["error"])), PERPLEXITY)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def bounds(interval) -> list[float]:
    return [interval.value, interval.low, interval.high]


def test_buckets_predict_a_metric_as_well_as_its_mirror_image():
    frame = population()
    one, other = (compare_buckets(f, sizes=[1], rng=rng()) for f in (frame, mirrored(frame)))
    assert (other.response, other.best) == ("miou", one.best)
    assert other.losses == pytest.approx(one.losses, abs=1e-9)
    assert "predictor of the mIoU of unseen subnetworks" in other.reasons[0]
    said = [sentence.replace("the mIoU", "the error") for sentence in other.reasons]
    assert said == list(one.reasons)


def test_the_shift_across_regimes_is_that_of_the_mirror_image():
    frame = regimes()
    one, other = (optimum_across_regimes(f, rng=rng()) for f in (frame, mirrored(frame)))
    assert other.response == "miou"
    assert {optimum.metric for optimum in other.optima} == {MIOU}
    assert other.n_estimates == 2
    assert bounds(other.halving) == pytest.approx(bounds(one.halving), rel=1e-6)
    assert (other.equality_p, other.notes) == (pytest.approx(one.equality_p, rel=1e-6), one.notes)


def test_transfer_and_prediction_are_those_of_the_mirror_image():
    frame = designs()
    one, other = (transfer_optimum(f, rng=rng()) for f in (frame, mirrored(frame)))
    assert (other.verdict, other.meta.response) == (one.verdict, "miou")
    assert other.verdict == "follows"
    assert bounds(other.slope) == pytest.approx(bounds(one.slope), rel=1e-5)
    assert bounds(other.predict(60).new) == pytest.approx(bounds(one.predict(60).new), rel=1e-5)


def test_optima_of_a_maximised_metric_are_combined_as_those_of_its_mirror_image():
    frames = [population(best, seed=seed) for seed, best in enumerate((85, 100, 100, 115))]
    one, other = (
        meta_optimum([find_optimum(f, rng=rng()) for f in some], original_ratio=[120, 150, 160, 180])
        for some in (frames, [mirrored(frame) for frame in frames])
    )
    assert (other.n_estimates, other.response) == (one.n_estimates, "miou")
    assert bounds(other.mean) == pytest.approx(bounds(one.mean), rel=1e-5)
    assert bounds(other.slope) == pytest.approx(bounds(one.slope), rel=1e-5)


@pytest.mark.parametrize("originals", [1, 2])
def test_winners_are_the_highest_of_a_maximised_metric(originals):
    frame = population(n=400).assign(original=[f"net{i % originals}" for i in range(400)])
    one, other = (winners_near_optimum(f, rng=rng()) for f in (frame, mirrored(frame)))
    assert one.equivalent
    assert (other.equivalent, other.response, other.n_winners) == (True, "miou", one.n_winners)
    assert other.optimum.metric == MIOU
    assert other.winners_ratio == pytest.approx(one.winners_ratio)
    assert bounds(other.quotient) == pytest.approx(bounds(one.quotient), rel=1e-6)
    assert (other.p, other.near, other.near_all) == pytest.approx((one.p, one.near, one.near_all), rel=1e-5)


def test_sentences_on_a_perplexity_speak_of_no_error():
    trend = optimum_across_regimes(as_perplexity(regimes()))
    transferred = transfer_optimum(as_perplexity(designs()))
    compared = compare_buckets(as_perplexity(population()), sizes=[1])
    near = winners_near_optimum(as_perplexity(population(n=400)), rng=rng())
    said = [
        *trend.notes,
        *transferred.reasons,
        *transferred.predict(200).notes,
        *compared.reasons,
        *near.notes,
        *(reason for one in (*trend.optima, near.optimum) for reason in one.reasons),
    ]
    assert said
    assert not [sentence for sentence in said if "error" in sentence]
    assert near.response == transferred.meta.response == trend.response == compared.response == "perplexity"


def test_optima_of_two_metrics_are_not_combined():
    optima = [find_optimum(population()), find_optimum(mirrored(population()))]
    with pytest.raises(ValueError, match="one response to be combined; found error, miou"):
        meta_optimum(optima)
