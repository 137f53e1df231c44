"""One rule selects a winner: validation error, then cross-entropy, then cost, and the key between equals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunestats.metric import Metric, with_metric
from prunestats.noise.choice import choose, rank_subnetworks, runs_of_one_original, selection_notes
from prunestats.noise.winners_curse import winner_error

BASE = pd.DataFrame({"subnetwork": ["a", "b", "c"], "flops": [9, 9, 9], "params": [3, 3, 3], "error": [0.1, 0.1, 0.2]})


def first(**columns):
    return rank_subnetworks(BASE.assign(**columns)).index[0]


@pytest.mark.parametrize(
    ("columns", "winner", "decided"),
    [
        ({"loss": [0.4, 0.3, 0.1]}, "b", "cross-entropy"),
        ({"log_cross_entropy": np.log([0.4, 0.3, 0.1])}, "b", "cross-entropy"),
        ({"loss": [0.4, 0.4, 0.1], "flops": [9, 8, 7]}, "b", "fewest FLOPs"),
        ({"params": [3, 2, 1]}, "b", "fewest parameters"),
        ({"loss": [0.4, 0.4, 0.1]}, "a", "first by key"),
        ({"loss": [0.4, np.nan, 0.1], "flops": [9, 8, 7]}, "b", "cross-entropy is not recorded"),
    ],
)
def test_a_tie_is_broken_by_the_next_criterion_and_that_is_said(columns, winner, decided):
    runs = BASE.assign(**columns)
    ranked = rank_subnetworks(runs)
    assert ranked.index[0] == winner
    (note,) = selection_notes(runs, ranked, "error")
    assert note.startswith("2 subnetworks share the least mean error")
    assert decided in note


def test_the_least_error_wins_whatever_else():
    assert first(error=[0.3, 0.2, 0.1], loss=[0.1, 0.2, 0.9], flops=[1, 2, 3], params=[1, 2, 3]) == "c"
    assert selection_notes(BASE, rank_subnetworks(BASE.assign(error=[0.3, 0.2, 0.1])), "error") == ()


def test_means_over_seeds_that_are_equal_tie_whatever_their_last_digits():
    runs = pd.DataFrame({"subnetwork": list("aaabbb"), "seed": [0, 1, 2] * 2, "flops": 9, "params": [3] * 3 + [2] * 3})
    runs["error"] = [0.1, 0.2, 0.3, 0.3, 0.15, 0.15]
    assert runs["error"][:3].mean() != runs["error"][3:].mean()
    assert rank_subnetworks(runs).index[0] == "b"


def test_the_order_of_the_runs_does_not_matter():
    rng = np.random.default_rng(0)
    runs = pd.DataFrame(
        {"subnetwork": rng.permutation(np.repeat(np.arange(40).astype(str), 3)), "flops": 9, "params": 3}
    )
    runs = runs.assign(error=rng.integers(0, 4, 120) / 10, loss=rng.random(120))
    shuffled = runs.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(rank_subnetworks(runs), rank_subnetworks(shuffled))


def test_another_response_ranks_by_itself_then_cost():
    runs = BASE.assign(log_cross_entropy=[-1.0, -1.0, 0.0], flops=[9, 8, 7])
    assert list(rank_subnetworks(runs, "log_cross_entropy")) == ["log_cross_entropy", "flops", "params"]
    assert rank_subnetworks(runs, "log_cross_entropy").index[0] == "b"


def test_it_is_said_where_the_split_that_selects_is_the_split_that_is_reported():
    runs = BASE.assign(error=[0.1, 0.2, 0.3]).assign(val_error=lambda f: f["error"], test_error=lambda f: f["error"])
    (note,) = winner_error(runs.assign(seed=0)).notes[:1]
    assert "selected on the split that is reported" in note


def test_a_metric_that_is_maximised_is_ranked_from_the_greatest(as_miou):
    rng = np.random.default_rng(0)
    runs = pd.DataFrame({"subnetwork": np.repeat(np.arange(40).astype(str), 3), "flops": 9, "params": 3})
    runs = runs.assign(error=rng.integers(0, 9, 120) / 10)
    ranked, mirrored = rank_subnetworks(runs), rank_subnetworks(as_miou(runs))
    assert list(mirrored.index) == list(ranked.index)
    assert list(mirrored) == ["miou", "flops", "params"]
    assert mirrored["miou"].to_numpy() == pytest.approx(1 - ranked["error"].to_numpy())


def test_notes_on_a_metric_name_it(as_miou, as_perplexity):
    runs = as_miou(BASE).assign(val_metric=0.9, test_metric=0.9)
    tie, split = selection_notes(runs, rank_subnetworks(runs))
    assert tie.startswith("2 subnetworks share the greatest mean mIoU: ")
    assert split.startswith("Validation and test mIoU are equal in every run")
    runs = as_perplexity(BASE)
    (note,) = selection_notes(runs, rank_subnetworks(runs))
    assert note.startswith("2 subnetworks share the least mean perplexity: ")
    assert "error" not in note


def test_means_tie_to_as_many_digits_in_any_unit():
    runs = pd.DataFrame({"subnetwork": list("aaabbb"), "seed": [0, 1, 2] * 2, "flops": 9, "params": [3] * 3 + [2] * 3})
    values = np.array([0.1, 0.2, 0.3, 0.3, 0.15, 0.15])
    for scale in (1e-9, 1.0, 1e9):
        runs = with_metric(runs.assign(score=scale * values), Metric("score", "maximize"))
        assert rank_subnetworks(runs).index[0] == "b"


def test_estimates_of_a_metric_that_is_maximised_are_mirrored(as_miou):
    rng = np.random.default_rng(0)
    runs = pd.DataFrame({"subnetwork": np.repeat(np.arange(40), 2), "seed": np.tile([0, 1], 40), "flops": 9})
    runs = runs.assign(params=3, error=0.2 + 0.02 * np.repeat(rng.random(40), 2) + 0.01 * rng.random(80))
    one, other = (choose(runs_of_one_original(frame)) for frame in (runs, as_miou(runs)))
    assert other.winner == one.winner
    assert other.seen == pytest.approx(1 - one.seen)
    assert other.expected_means().to_numpy() == pytest.approx(1 - one.expected_means().to_numpy(), abs=1e-6)
