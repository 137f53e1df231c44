"""Errors with given weights against chance and an expected error: exact tests, their sizes, and the messages."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from prunestats.errors import TrialError
from prunestats.runners.execution.dense_check import (
    DenseCheck,
    SplitError,
    check_dense,
    highest_error,
    is_below_chance,
    trained_on_validation,
)
from prunestats.runners.execution.given_weights import GivenWeights


def given(expected_error=None):
    return GivenWeights("checkpoint 'w.pth'", "", None, 10, None, None, "", expected_error)


def errors(validation, test, images=1000):
    return DenseCheck(SplitError(validation, images, 0.9), SplitError(test, images, 0.9))


@pytest.mark.parametrize(
    ("wrong", "images", "chance"), [(850, 1000, 0.9), (868, 1000, 0.9), (150, 300, 0.6), (9, 20, 0.9)]
)
def test_chance_is_tested_as_scipy_tests_a_proportion(wrong, images, chance):
    pvalue = stats.binomtest(wrong, images, chance, alternative="less").pvalue
    assert is_below_chance(SplitError(wrong, images, chance)) == (pvalue < 0.001)


@pytest.mark.parametrize(("expected", "images"), [(0.0741, 10_000), (0.0827, 2000), (0.3, 50), (0.0, 100), (0.9, 337)])
def test_the_highest_error_is_the_last_that_is_not_rejected(expected, images):
    limit = round(highest_error(expected, images) * images)
    pvalues = [stats.binomtest(limit + more, images, expected, alternative="greater").pvalue for more in (0, 1)]
    assert pvalues[0] > 0.001 >= pvalues[1]


def test_right_weights_are_refused_at_most_once_in_a_thousand():
    rng, images, error = np.random.default_rng(0), 400, 0.08
    wrong = rng.binomial(images, error, 20_000)
    refused = np.mean(wrong / images > highest_error(error, images))
    by_chance = [is_below_chance(SplitError(int(count), images, 0.9)) for count in rng.binomial(images, 0.9, 5000)]
    # the level and three standard errors of its estimate
    assert refused <= 0.001 + 3 * (0.001 / 20_000) ** 0.5
    assert np.mean(by_chance) <= 0.001 + 3 * (0.001 / 5000) ** 0.5


def test_weights_trained_on_validation_images_are_noticed_and_others_seldom():
    rng = np.random.default_rng(0)
    alike = [trained_on_validation(errors(*map(int, rng.binomial(1000, 0.08, 2)))) for _ in range(2000)]
    assert np.mean(alike) <= 0.001 + 3 * (0.001 / 2000) ** 0.5
    assert trained_on_validation(errors(72, 138))
    assert not trained_on_validation(errors(138, 72))


@pytest.mark.parametrize(
    ("expected", "validation", "test", "complaint"),
    [
        (
            None,
            893,
            893,
            r"error of 89\.3 % \(1,000 images\) with the checkpoint 'w\.pth', and 90 % by chance",
        ),
        (
            None,
            893,
            893,
            r"normalisation is the usual reason \(in use: mean 0\.5; mean, std and scale of \[data\] set",
        ),
        (None, 893, 893, r"Where that is meant, say expected_error = 0\.9$"),
        (
            0.0827,
            100,
            138,
            r"test error of 8\.27 % \(expected_error; up to 11\.1 % is noise of so many images, at",
        ),
        (0.0827, 100, 138, r"found 13\.8 % \(1,000 images\) with the checkpoint 'w\.pth': normalisation is the usual"),
    ],
)
def test_what_is_near_chance_or_above_the_expected_error_is_refused(expected, validation, test, complaint):
    with pytest.raises(TrialError, match=complaint) as caught:
        check_dense("net", given(expected), errors(validation, test), "mean 0.5")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("expected", "validation", "test"), [(None, 800, 950), (0.9, 903, 903), (0.0827, 5, 100)])
def test_what_is_as_expected_is_not(expected, validation, test):
    check_dense("net", given(expected), errors(validation, test), "mean 0.5")


def test_weights_that_are_finetuned_may_be_of_other_classes():
    check_dense("net", replace(given(), is_finetuned=True), errors(903, 903), "mean 0.5")


def test_a_sample_is_said():
    assert SplitError(5, 50, 0.9, True).words == "10 % (50 randomly chosen images)"
    assert SplitError(5, 50, 0.9).words == "10 % (50 images)"
