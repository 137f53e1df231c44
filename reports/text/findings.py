"""The findings as sentences; their numbers are those of the results that the tables print, rounded alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prunestats.metric import ERROR, Metric
from prunestats.optimum.optimum import has_estimate
from prunestats.reports.text.blocks import of_regime, signed
from prunestats.reports.text.networks import networks_sentence
from prunestats.wording import (
    counted,
    fixed,
    p_value,
    percent,
    plain,
    ratio_digits,
    ratio_range,
    ratio_unit,
    share,
)

if TYPE_CHECKING:
    from prunestats.comparison.comparison import PairComparison
    from prunestats.conjectures.across_regimes import RegimeTrend
    from prunestats.optimum.optimum import Optimum
    from prunestats.reports.analysis.populations import Winner
    from prunestats.reports.analysis.results import RegimeAnalysis, StudyAnalysis

_MOST_SENTENCES = 6
"""Two further spaces in three regimes get a sentence each; more comparisons are counted in one sentence, as a longer
list of findings would fill more than the first page."""


def verdict_sentence(optimum: Optimum | None, regime: float | None, metric: Metric = ERROR) -> str:
    """One sentence: whether a regime has an optimal ratio, where, and from which sample.

    Parameters
    ----------
    optimum : Optimum or None
        The result; None if it could not be computed.
    regime : float or None
        FLOPs target as a fraction of the original's; None for results without FLOPs.
    metric : Metric
        The study's, whose direction the response has.

    Returns
    -------
    str
    """
    where = f"At {of_regime(regime)}"
    if optimum is None:
        return f"{where}, no optimum was computed."
    return f"{where}, {_VERDICTS[optimum.verdict](optimum, metric)} ({_sample(optimum)})."


def regime_sentence(regime: RegimeAnalysis) -> str:
    """One sentence: whether a regime has an optimal ratio, or for how many networks it has one."""
    if regime.designs:
        return networks_sentence(regime)
    return verdict_sentence(regime.optimum, regime.regime, regime.metric)


def trend_sentence(trend: RegimeTrend) -> str:
    """One sentence: whether the optimum differs between regimes, by what factor, estimated from how many of them."""
    halving = trend.halving
    if halving is None:
        found = counted(trend.n_estimates, "regime")
        return f"{found} with an optimum: too few to test whether the optimum depends on the FLOPs."
    value, low, high = (fixed(bound, 2) for bound in (halving.value, halving.low, halving.high))
    factor = f"half the FLOPs multiply it by {value} ({share(trend.level)} confidence interval {low} to {high})"
    differs = "differs significantly" if trend.equality_p < 1 - trend.level else "does not differ significantly"
    bent = " It is not linear in log FLOPs: the lack of fit is significant." if trend.line_p < 1 - trend.level else ""
    return (
        f"The optimum of {Metric(trend.response).label} {differs} between regimes: {factor}; test of equality: "
        f"{p_value(trend.equality_p)} ({trend.n_estimates} of {len(trend.regimes)} regimes have an optimum).{bent}"
    )


def comparison_sentence(pair: PairComparison, regime: float | None, metric: Metric = ERROR) -> str:
    """One sentence: which of two spaces has the better mean on the test split, by how much, with its interval."""
    where = f"At {of_regime(regime)}"
    difference = pair.mean_difference
    a, b = _quoted(pair.a), _quoted(pair.b)
    level = share(difference.level)
    sizes = f"n = {pair.n_a} and {pair.n_b}"
    digits, unit = metric.digits(difference.value, difference.low, difference.high), _unit(metric)
    if difference.low <= 0 <= difference.high:
        value, low, high = (metric.number(one, digits) for one in (difference.value, difference.low, difference.high))
        return (
            f"{where}, the mean test {metric.plural} of {a} and {b} are not significantly different: their difference "
            f"is {value}{unit} ({level} confidence interval {low} to {high}; {sizes})."
        )
    first = metric.sign * difference.value < 0
    better, worse = (a, b) if first else (b, a)
    probability = pair.p_less.value if difference.value < 0 else 1 - pair.p_less.value
    near, far = (metric.number(one, digits) for one in sorted((abs(difference.low), abs(difference.high))))
    return (
        f"{where}, {better} has a mean test {metric.label} {metric.number(abs(difference.value), digits)}{unit} "
        f"{metric.better} than {worse} ({level} confidence interval {near} to {far}; {sizes}); the probability that "
        f"one of its subnetworks has the {metric.better} {metric.label} of the two is {percent(probability, 0)}."
    )


def comparisons_sentence(pairs: Sequence[PairComparison], initial: str, metric: Metric = ERROR) -> str:
    """One sentence: how many of many comparisons with the initial space are significant, each at its own level."""
    gains = [_gain(pair, initial, metric) for pair in pairs]
    better, worse = (sum(sign * gain > 0 for gain in gains) for sign in (1, -1))
    return (
        f"Of {counted(len(pairs), 'comparison')} with {_quoted(initial)}, at {share(pairs[0].level)} confidence "
        f"each and not adjusted for their number, the other space has a significantly {metric.better} mean test "
        f"{metric.label} in {better}, a significantly {metric.worse} one in {worse}, and in "
        f"{len(pairs) - better - worse} the two are not significantly different."
    )


def winner_sentence(winners: Sequence[Winner], metric: Metric = ERROR) -> str:
    """One sentence: the selection bias of the winners' validation errors, or of the study's own metric."""
    optimism, label = sum(winner.optimism for winner in winners) / len(winners), metric.label
    size = f"{metric.number(abs(optimism))}{_unit(metric)} {metric.worse if optimism >= 0 else metric.better}"
    first = sum(winner.test_rank == 1 for winner in winners)
    if len(winners) == 1:
        which, average, whose = f"winner, selected by validation {label},", "", "its"
        kept = f"by test {label} it ranks {winners[0].test_rank} of {winners[0].n_subnetworks}"
    else:
        which, average, whose = f"{len(winners)} winners, selected by validation {label},", "on average ", "their"
        kept = f"{first} of them {'is' if first == 1 else 'are'} also first by test {label}"
    return (
        f"Winner's curse: the test {label} of the {which} is {average}{size} than {whose} validation {label}, "
        f"beyond the mean difference between the splits; {kept}."
    )


def counts_sentence(study: StudyAnalysis) -> str:
    """One sentence: how many runs finished and failed."""
    done = f"{counted(study.n_done, 'run')} finished"
    if not study.n_failed:
        return f"{done}, none failed."
    part = study.n_failed / (study.n_done + study.n_failed)
    return f"{done}, {study.n_failed:,} failed ({percent(part)})."


def key_findings(study: StudyAnalysis) -> tuple[str, ...]:
    """The findings of a study, a sentence each: verdicts, comparisons with the initial space, winners, counts."""
    winners = tuple(w for regime in study.regimes for space in regime.spaces for w in space.winners)
    return (
        *(map(regime_sentence, study.regimes) if study.has_flops else ()),
        *((trend_sentence(study.trend),) if study.trend else ()),
        *((signed(study.transfer.reasons[0]),) if study.transfer else ()),
        *_against_initial(study),
        *((winner_sentence(winners, study.metric),) if winners else ()),
        *(refined.sentence for refined in study.refined if refined.contests),
        counts_sentence(study),
    )


def _against_initial(study: StudyAnalysis) -> list[str]:
    """One sentence per comparison with the initial space, or one about all where they are many."""
    initial = study.spaces[0]
    pairs = [
        (pair, regime.regime)
        for regime in study.regimes
        for pair in (regime.comparison.pairs if regime.comparison else ())
        if initial in (pair.a, pair.b)
    ]
    if len(pairs) > _MOST_SENTENCES:
        return [comparisons_sentence([pair for pair, _ in pairs], initial, study.metric)]
    return [comparison_sentence(pair, regime, study.metric) for pair, regime in pairs]


def _gain(pair: PairComparison, initial: str, metric: Metric) -> int:
    """1 if the other space is significantly better than the initial one, -1 if worse, 0 if neither."""
    if pair.mean_difference.low <= 0 <= pair.mean_difference.high:
        return 0
    return 1 if (metric.sign * pair.mean_difference.value > 0) == (pair.a == initial) else -1


def _sample(optimum: Optimum) -> str:
    return (
        f"{counted(optimum.n_subnetworks, 'subnetwork')} of {counted(optimum.n_originals, 'original')}, "
        f"ratios {ratio_range(optimum.ratio_min, optimum.ratio_max)}"
    )


def _estimate(optimum: Optimum) -> str:
    digits = ratio_digits((optimum.ratio, optimum.low, optimum.high, optimum.ratio_min, optimum.ratio_max))
    ratio, low, high = (fixed(value, digits) for value in (optimum.ratio, optimum.low, optimum.high))
    by = f", estimated by {optimum.believed}" if optimum.believed else ""
    return f"{ratio} {ratio_unit(optimum.bucket)}, {share(optimum.level)} confidence interval {low} to {high}{by}"


def _interior(optimum: Optimum, _: Metric) -> str:
    return f"{_name(optimum)} has an interior optimum: {_estimate(optimum)}"


def _edge(optimum: Optimum, metric: Metric) -> str:
    where = f": {_estimate(optimum)}" if has_estimate(optimum) else ""
    return f"{_name(optimum)} is {metric.best} at the edge of the sampled ratios, not inside them{where}"


def _monotone(optimum: Optimum, _: Metric) -> str:
    return f"{_name(optimum)} has no interior optimum: it {_direction(optimum)} with the ratio over the whole range"


def _flat(optimum: Optimum, _: Metric) -> str:
    return f"{_name(optimum)} has no optimum: its dependence on the ratio is negligible"


def _unidentified(optimum: Optimum, metric: Metric) -> str:
    if len(optimum.pieces) > 1:
        basins = " or ".join(ratio_range(low, high) for low, high in optimum.pieces)
        extreme = "minimum" if metric.sign > 0 else "maximum"
        where = f"{_name(optimum)} has its {extreme} in one of two basins, {basins}"
        return f"{where}, and the data do not decide between them"
    return f"the data do not decide whether {_name(optimum)} has an optimum"


_VERDICTS = {
    "interior": _interior,
    "edge": _edge,
    "monotone": _monotone,
    "flat": _flat,
    "unidentified": _unidentified,
}


def _direction(optimum: Optimum) -> str:
    if optimum.quadratic is None:
        return "is monotone"
    (first, last), _, _ = optimum.quadratic.predict([optimum.ratio_q10, optimum.ratio_q90])
    return "rises" if last > first else "falls"


def _name(optimum: Optimum) -> str:
    return Metric(optimum.response).label


def _quoted(name: str) -> str:
    return f"“{plain(name)}”"


def _unit(metric: Metric) -> str:
    """Unit of a difference behind its number; nothing for a metric without one."""
    return f" {metric.difference_words}" if metric.difference_words else ""
