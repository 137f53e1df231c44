"""What a comparison of bucket sizes says, in sentences."""

from __future__ import annotations

from prunestats.bucket_size.predictors import EVERYTHING
from prunestats.bucket_size.scores import BucketComparison, Score
from prunestats.numeric.intervals import Interval
from prunestats.wording import p_words

_SAME = 0.95


def comparison_reasons(found: BucketComparison) -> tuple[str, ...]:
    """Say which predictor and which bucket size is best, and what each ratio adds to parameters and FLOPs."""
    ratios = [score for score in found.scores if score.bucket is not None]
    return (
        _winner(found),
        *_sizes(found, ratios),
        *(_over_parameters(score) for score in ratios),
        *(_beyond(score) for score in ratios),
        *_of_widths(found, ratios),
    )


def _winner(found: BucketComparison) -> str:
    best = max(found.scores, key=lambda score: score.r2)
    how = f"{found.folds}-fold cross-validation over {found.n_subnetworks} subnetworks, {found.repeats} times"
    if best.terms == 0:
        return f"Nothing predicts the {found.response} of unseen subnetworks better than the average does ({how})."
    return (
        f"The {found.response} of unseen subnetworks is predicted best by {best.predictor}: {_percent(best.r2)} of its "
        f"variance ({how})."
    )


def _sizes(found: BucketComparison, ratios: list[Score]) -> list[str]:
    if len(ratios) < 2:
        return []
    best, second, *_ = sorted(ratios, key=lambda score: -score.r2)
    lead, p = found.gain(best.predictor, second.predictor)
    told = "told apart" if p < 1 - found.level else "not told apart"
    return [
        f"Among the bucket sizes {best.bucket:,} predicts best ({_percent(best.r2)}), then {second.bucket:,} "
        f"({_percent(second.r2)}): {told}, the difference is {_points(lead)}."
    ]


def _over_parameters(score: Score) -> str:
    linked = f"log ratio and log parameters correlate at {score.correlation:.3f}"
    how = "better" if score.gain.low > 0 else "worse" if score.gain.high < 0 else "no better"
    compared = f"it predicts {how} than parameters alone, the difference is {_points(score.gain)}"
    if how != "better" and abs(score.correlation) > _SAME:
        return f"The {score.predictor} is the parameter count in disguise: {linked}, and {compared}."
    return f"The {score.predictor}: {linked}, and {compared}."


def _beyond(score: Score) -> str:
    beyond = score.beyond
    if beyond is None:
        return f"The {score.predictor} leaves nothing to test beside FLOPs and parameters apart."
    says = "says more than" if beyond.p < 1 - score.gain.level else "is not seen to say more than"
    return (
        f"The {score.predictor} {says} FLOPs and parameters apart (p {p_words(beyond.p)}): they explain "
        f"{_percent(beyond.r2_costs)} of the variance, {_percent(beyond.r2)} with it."
    )


def _of_widths(found: BucketComparison, ratios: list[Score]) -> list[str]:
    whole = next((score for score in found.scores if score.predictor == EVERYTHING), None)
    best = max(ratios, key=lambda score: score.r2)
    if whole is None or whole.r2 <= 0:
        return []
    return [
        f"Of the {_percent(whole.r2)} of the variance that {EVERYTHING} predict together, the ratio with buckets of "
        f"{best.bucket:,} alone predicts {_percent(max(best.r2, 0.0))}."
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(gain: Interval) -> str:
    return f"{100 * gain.value:.2f} [{100 * gain.low:.2f}, {100 * gain.high:.2f}] points of the variance"
