"""Rungs of successive halving: within the budget, and as large as it allows."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunestats.errors import InputError
from prunestats.runners.searching.halving import Rung, halving_rungs, search_cost


@given(
    epochs=st.integers(1, 200),
    budget=st.integers(1, 500),
    eta=st.integers(2, 5),
    least=st.integers(1, 200),
    finalists=st.integers(1, 10),
)
def test_rungs_are_within_the_budget_and_get_longer(epochs, budget, eta, least, finalists):
    least, finalists = min(least, epochs), min(finalists, budget)
    rungs = halving_rungs(epochs, budget, eta=eta, least_epochs=least, finalists=finalists)
    assert search_cost(rungs) <= budget
    assert rungs[-1].epochs == epochs
    assert rungs[-1].candidates >= finalists
    for short, long in pairwise(rungs):
        assert least <= short.epochs < long.epochs
        assert short.candidates >= long.candidates >= short.candidates / eta


def test_one_more_candidate_would_exceed_the_budget():
    rungs = halving_rungs(8, 41, eta=2)
    assert rungs == (Rung(1, 80), Rung(2, 40), Rung(4, 20), Rung(8, 10))
    assert search_cost((Rung(1, 81), Rung(2, 41), Rung(4, 21), Rung(8, 11))) > 41


def test_too_few_epochs_for_a_shorter_rung_is_random_search():
    assert halving_rungs(2, 17, eta=3) == (Rung(2, 17),)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"budget": 2, "finalists": 3}, "budget of 3 trainings or more for the search; found 2"),
        ({"eta": 1}, "found eta 1"),
        ({"least_epochs": 10}, "10 of 9 epochs"),
    ],
)
def test_options_out_of_range_are_refused(options, reason):
    with pytest.raises(InputError, match=reason):
        halving_rungs(9, options.pop("budget", 20), **options)
