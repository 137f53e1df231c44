"""Comparisons of a metric that is maximised are the mirror image of those of the error."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunestats.comparison.comparison import compare
from prunestats.comparison.tables import verdict_table
from prunestats.refinement.gain import head_to_head


def two_spaces(shift=0.02, n=60):
    rng = np.random.default_rng(0)
    frames = [
        pd.DataFrame({"subnetwork": [f"{space}{regime}{i}" for i in range(n)], "space": space, "regime": regime})
        .assign(flops=rng.integers(900, 1100, n), params=100)
        .assign(error=0.2 + shift * (space == "wide") + 0.03 * rng.standard_normal(n))
        for space in ("narrow", "wide")
        for regime in (0.25, 0.5)
    ]
    return pd.concat(frames, ignore_index=True)


def test_every_statistic_is_mirrored(as_miou, mirrors):
    frame = two_spaces()
    one = compare(frame, rng=np.random.default_rng(1), limit=0.2)
    other = compare(as_miou(frame), rng=np.random.default_rng(1), limit=0.8)
    assert len(one.pairs) == len(other.pairs) == 2
    assert len(other.pooled) == 1
    for a, b in zip((*one.pairs, *one.pooled), (*other.pairs, *other.pooled), strict=True):
        for name in ("mean_difference", "median_difference", "best_difference", "mean_simultaneous"):
            mirrors(getattr(b, name), getattr(a, name), within=1e-6)
        mirrors(b.binned_difference, a.binned_difference)
        mirrors(b.quantile_differences[0.9], a.quantile_differences[0.1], within=1e-6)
        mirrors(b.p_less, a.p_less, about=1)
        assert (b.p_better.value, b.p_better.low) == pytest.approx((a.p_less.value, a.p_less.low))
        assert b.area_difference.value == pytest.approx(a.area_difference.value)
        assert b.area_limit == pytest.approx(0.8)
        for name in ("p_less_p", "p_holm", "ks", "ks_p", "ad", "ad_p", "binned_p", "flops_overlap"):
            assert getattr(b, name) == pytest.approx(getattr(a, name), abs=1e-9), name
        assert b.dominance == a.dominance
    assert [part.p for part in other.omnibus] == [part.p for part in one.omnibus]


def test_tables_of_a_metric_that_is_maximised_say_which_is_higher(as_miou, as_perplexity):
    frame = two_spaces()
    head, rows = verdict_table(compare(as_miou(two_spaces(shift=0.04))).pairs)
    assert head[3:5] == ["mean A - B (pp)", "P(A > B)"]
    assert {row[-1] for row in rows} == {"A higher"}
    found = compare(as_perplexity(frame))
    head, rows = verdict_table(found.pairs)
    assert head[3:5] == ["mean A - B", "P(A < B)"]
    text = str((head, rows)) + str([pair.notes for pair in found.pairs])
    assert not any(word in text for word in ("error", "%", "(pp)"))


def test_a_head_to_head_is_mirrored(as_miou, as_perplexity, mirrors):
    frame = two_spaces()
    frame = frame[frame["regime"] == 0.25]

    def contest(frame):
        wide, narrow = frame[frame["space"] == "wide"], frame[frame["space"] == "narrow"]
        return head_to_head(wide, narrow, k=10, rng=np.random.default_rng(2))

    one, other = contest(frame), contest(as_miou(frame))
    mirrors(other.comparison.mean_difference, one.comparison.mean_difference)
    assert other.p_better.value == pytest.approx(one.p_better.value)
    assert other.p_better.value > 0.5
    assert other.saving.target == pytest.approx(1 - one.saving.target)
    assert other.saving.factor.value == pytest.approx(one.saving.factor.value)
    assert other.saving.words == one.saving.words
    assert other.curves[0].best_refined.value == pytest.approx(1 - one.curves[0].best_refined.value)
    assert other.to_dict()["metric"]["direction"] == "maximize"
    assert "metric" not in one.to_dict()
    words = " ".join((contest(as_perplexity(frame)).saving.words, *contest(as_perplexity(frame)).notes))
    assert not any(word in words for word in ("error", " pp"))
