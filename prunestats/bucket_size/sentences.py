"""Sentences on a comparison of bucket sizes."""

from __future__ import annotations

from prunestats.bucket_size.predictors import ALL_WIDTHS_AND_COSTS
from prunestats.bucket_size.scores import BucketComparison, Score
from prunestats.metric import Metric
from prunestats.numeric.intervals import Interval
from prunestats.wording import p_words

# a round number: beyond it ratio and parameters share over 90 % of their variance. It only decides on a wording
_COLLINEAR = 0.95


def comparison_reasons(found: BucketComparison, metric: Metric) -> tuple[str, ...]:
    """The best predictor, the best bucket size, and the gain of each ratio over parameters and FLOPs."""
    ratios = [score for score in found.scores if score.bucket is not None]
    return (
        _best_predictor(found, metric.label),
        *_bucket_sizes(found, ratios),
        *(_over_parameters(score) for score in ratios),
        *(_beyond(score) for score in ratios),
        *_of_widths(found, ratios),
    )


def _best_predictor(found: BucketComparison, name: str) -> str:
    best = max(found.scores, key=lambda score: score.r2)
    how = f"{found.folds}-fold cross-validation over {found.n_subnetworks} subnetworks, {found.repeats} times"
    if best.terms == 0:
        return f"No predictor of the {name} of unseen subnetworks is better than the average ({how})."
    return (
        f"The best predictor of the {name} of unseen subnetworks is {best.predictor}: {_percent(best.r2)} of "
        f"the variance ({how})."
    )


def _bucket_sizes(found: BucketComparison, ratios: list[Score]) -> list[str]:
    if len(ratios) < 2:
        return []
    best, second, *_ = sorted(ratios, key=lambda score: -score.r2)
    lead, p = found.gain(best.predictor, second.predictor)
    differ = "significantly" if p < 1 - found.level else "not significantly"
    return [
        f"Among the bucket sizes {best.bucket:,} predicts best ({_percent(best.r2)}), then {second.bucket:,} "
        f"({_percent(second.r2)}): {differ} different, by {_percentage_points(lead)}."
    ]


def _over_parameters(score: Score) -> str:
    collinearity = f"log ratio and log parameters have correlation {score.correlation:.3f}"
    better = score.gain.low > 0
    how = (
        "significantly better"
        if better
        else "significantly worse"
        if score.gain.high < 0
        else "not significantly better"
    )
    compared = f"it predicts {how} than parameters alone, by {_percentage_points(score.gain)}"
    if not better and abs(score.correlation) > _COLLINEAR:
        return f"The {score.predictor} is a proxy of the parameter count: {collinearity}, and {compared}."
    return f"The {score.predictor}: {collinearity}, and {compared}."


def _beyond(score: Score) -> str:
    beyond = score.beyond
    if beyond is None:
        return f"The {score.predictor} adds no term to separate curves in FLOPs and parameters: nothing to test."
    adds = "adds significantly to" if beyond.p < 1 - score.gain.level else "does not add significantly to"
    return (
        f"The {score.predictor} {adds} separate curves in FLOPs and parameters (nested test, p {p_words(beyond.p)}): "
        f"they explain {_percent(beyond.r2_costs)} of the variance, {_percent(beyond.r2)} with it."
    )


def _of_widths(found: BucketComparison, ratios: list[Score]) -> list[str]:
    whole = next((score for score in found.scores if score.predictor == ALL_WIDTHS_AND_COSTS), None)
    best = max(ratios, key=lambda score: score.r2)
    if whole is None or whole.r2 <= 0:
        return []
    return [
        f"Of the {_percent(whole.r2)} of the variance that {ALL_WIDTHS_AND_COSTS} predict together, the ratio with "
        f"buckets of {best.bucket:,} alone predicts {_percent(max(best.r2, 0.0))}."
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _percentage_points(gain: Interval) -> str:
    return f"{100 * gain.value:.2f} [{100 * gain.low:.2f}, {100 * gain.high:.2f}] percentage points of the variance"
