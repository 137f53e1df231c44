"""The methods in a few sentences each, with their references; only methods whose results are reported appear."""

from __future__ import annotations

from collections.abc import Iterator

from prunestats.metric import ERROR, Metric
from prunestats.reports.analysis.results import StudyAnalysis
from prunestats.wording import ratio_unit, share

_REFERENCES = {
    "spaces": "He, X. et al. (2023). Network pruning spaces. arXiv 2304.09453.",
    "edf": "Radosavovic, I. et al. (2019). On network design spaces for visual recognition. ICCV.",
    "band": "Birnbaum, Z. W. (1952). Numerical tabulation of the distribution of Kolmogorov's statistic for finite "
    "sample size. Journal of the American Statistical Association 47, 425–441.",
    "bm": "Brunner, E. and Munzel, U. (2000). The nonparametric Behrens–Fisher problem. Biometrical Journal 42, 17–25.",
    "hc3": "MacKinnon, J. G. and White, H. (1985). Some heteroskedasticity-consistent covariance matrix estimators "
    "with improved finite sample properties. Journal of Econometrics 29, 305–325.",
    "fieller": "Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical Society "
    "B 16, 175–185.",
    "two_lines": "Simonsohn, U. (2018). Two lines: a valid alternative to the invalid testing of U-shaped "
    "relationships with quadratic regressions. Advances in Methods and Practices in Psychological Science 1, 538–555.",
    "hartung": "Röver, C., Knapp, G. and Friede, T. (2015). Hartung–Knapp–Sidik–Jonkman approach and its modification "
    "for random-effects meta-analysis with few studies. BMC Medical Research Methodology 15, 99.",
    "q": "Cochran, W. G. (1954). The combination of estimates from different experiments. Biometrics 10, 101–129.",
    "spline": "Wood, S. N. (2017). Generalized Additive Models: An Introduction with R, 2nd edition. CRC Press.",
}


def methods(study: StudyAnalysis) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was computed and how, and the references.

    Parameters
    ----------
    study : StudyAnalysis

    Returns
    -------
    paragraphs, references : tuple of str
    """
    described = list(_describe(study))
    cited = {key for _, keys in described for key in keys}
    return tuple(text for text, _ in described), tuple(text for key, text in _REFERENCES.items() if key in cited)


def _describe(study: StudyAnalysis) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Paragraphs, each with the keys of its references."""
    yield (
        "The unit of every statistic is the subnetwork; if it was trained with several seeds, their mean is used."
        f"{_strata(study)} Selection (of an optimal ratio, of a winner) uses the validation split; distributions and "
        f"comparisons, which select nothing, use the test split. {_defined(study.metric)}{_ratio(study)}",
        ("spaces",),
    )
    metric = study.metric
    edfs = [space.error for regime in study.regimes for space in regime.spaces if space.error is not None]
    if edfs:
        yield (
            f"An empirical distribution function is the share of subnetworks with at most the stated {metric.label}. "
            f"Its {share(edfs[0].level)} confidence bands are simultaneous: they invert the exact distribution of "
            f"Kolmogorov's statistic, and are conservative if {metric.plural} are tied.",
            ("edf", "band"),
        )
    if any(regime.comparison for regime in study.regimes):
        yield (
            "Two spaces are compared within each original, and the results are averaged over originals: means by "
            "Welch's interval, medians by the percentile interval of the bootstrap, the probability that a subnetwork "
            f"of one space has the {metric.better} {metric.label} by the test of Brunner and Munzel, and the "
            "Kolmogorov–Smirnov distance by a permutation test.",
            ("bm",),
        )
    yield from _describe_optimum(study)
    yield from _describe_conjectures(study)


def _describe_optimum(study: StudyAnalysis) -> Iterator[tuple[str, tuple[str, ...]]]:
    optima, maximised = study.every_optimum, study.metric.sign < 0
    shape, extreme = ("an inverted U", "maximum") if maximised else ("a U", "minimum")
    if any(optimum.quadratic for optimum in optima):
        both = "The response (log cross-entropy, which is less noisy, and error)"
        response = both if study.metric == ERROR else study.metric.title
        yield (
            f"{response} is regressed on the log ratio and its square with heteroskedasticity-consistent (HC3) "
            "covariance; the confidence set of the vertex is Fieller's, which can be unbounded. A significant "
            f"quadratic term alone is no evidence of {shape} shape.",
            ("hc3", "fieller"),
        )
    if any(optimum.two_lines for optimum in optima):
        yield (
            "An interior optimum requires evidence of a decrease and of an increase: the slopes of two lines, fitted "
            "on either side of a breakpoint, must both be significant, with opposite signs (two-lines test).",
            ("two_lines",),
        )
    if any(optimum.spline for optimum in optima):
        yield (
            f"A penalised regression spline, which assumes no shape, estimates the {extreme} by posterior draws of the "
            "curve; if it and the quadratic disagree, the estimate of the spline is reported.",
            ("spline",),
        )


def _describe_conjectures(study: StudyAnalysis) -> Iterator[tuple[str, tuple[str, ...]]]:
    if study.trend is not None:
        yield (
            "Equality of the optima of all regimes is tested by Cochran's Q on log optima; their dependence on the "
            "regime is the slope of weighted least squares on log FLOPs. Standard errors are derived from the "
            "confidence intervals of the optima.",
            ("q",),
        )
    if study.transfer is not None:
        yield (
            "The optimum is estimated for each network. The logs of interior optima are regressed on the log ratio of "
            "the original, and on log FLOPs if there are several regimes, by REML with the network as a random "
            "effect. The confidence interval of the slope has as many degrees of freedom as networks minus "
            "coefficients, and the variance factor of Knapp and Hartung, bounded below by 1. If the sampled ranges of "
            "the networks have no ratio in common, the slope may reflect those ranges alone.",
            ("spaces", "hartung"),
        )


def _ratio(study: StudyAnalysis) -> str:
    if not study.has_flops:
        return ""
    unit = ratio_unit(study.bucket)
    return f" The ratio is in {unit}; FLOPs are multiply-adds of convolution and linear layers."


def _defined(metric: Metric) -> str:
    """What the analysed metric is."""
    if metric == ERROR:
        return "Error is 1 minus top-1 accuracy."
    unit = f", in {metric.printed_unit}," if metric.printed_unit else ""
    return f"{metric.title}{unit} is the metric that this study names; {metric.better} is better."


def _strata(study: StudyAnalysis) -> str:
    if len(study.originals) < 2:
        return ""
    return (
        f" The {len(study.originals)} originals are strata: each has its own mean, and inference is conditional on "
        "these originals and does not extend to others."
    )
