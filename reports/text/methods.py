"""The methods of a report in a few sentences each, with their sources; only what was computed is described."""

from __future__ import annotations

from collections.abc import Iterator

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
    """What was computed and how, and the sources.

    Parameters
    ----------
    study : StudyAnalysis

    Returns
    -------
    paragraphs, references : tuple of str
    """
    told = list(_tell(study))
    cited = {key for _, keys in told for key in keys}
    return tuple(text for text, _ in told), tuple(text for key, text in _REFERENCES.items() if key in cited)


def _tell(study: StudyAnalysis) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Paragraphs, each with the keys of its sources."""
    yield (
        "The unit of every statistic is the subnetwork; where one was trained with several seeds, these are averaged "
        f"first.{_strata(study)} Whatever chooses (an optimal ratio, a winner) looks at the validation split; "
        "distributions and comparisons, which choose nothing, are of the test split. Error is 1 less top-1 accuracy. "
        f"The ratio is in {ratio_unit(study.bucket)}; FLOPs are multiply-adds of convolution and linear layers.",
        ("spaces",),
    )
    edfs = [space.error for regime in study.regimes for space in regime.spaces if space.error is not None]
    if edfs:
        yield (
            "Distribution functions count the subnetworks with at most the stated error. Their "
            f"{share(edfs[0].level)} bands are simultaneous: they invert the exact distribution of Kolmogorov's "
            "statistic, and are conservative where errors are tied.",
            ("edf", "band"),
        )
    if any(regime.comparison for regime in study.regimes):
        yield (
            "Two spaces are compared within originals, and the results averaged over them: means by Welch's "
            "interval, medians by the bootstrap's percentile interval, the chance that a subnetwork of one has the "
            "lower error by Brunner and Munzel's, and the largest distance between the distribution functions by "
            "permutation.",
            ("bm",),
        )
    yield from _tell_optimum(study)


def _tell_optimum(study: StudyAnalysis) -> Iterator[tuple[str, tuple[str, ...]]]:
    optima = study.every_optimum
    if any(optimum.quadratic for optimum in optima):
        yield (
            "The response (log cross-entropy, which is the sharper, and error) is regressed on the log ratio and its "
            "square "
            "with heteroskedasticity-consistent (HC3) covariance; the interval of the vertex is Fieller's, which can "
            "be unbounded. A significant square is not yet a U.",
            ("hc3", "fieller"),
        )
    if any(optimum.two_lines for optimum in optima):
        yield (
            "An optimum inside the range needs evidence of a fall and of a rise: two lines, fitted on either side of a "
            "breakpoint, must both be significant with opposite signs.",
            ("two_lines",),
        )
    if any(optimum.spline for optimum in optima):
        yield (
            "A penalised regression spline, which assumes no shape, gives the position of the minimum by draws from "
            "its posterior; where it and the quadratic disagree, the spline is believed.",
            ("spline",),
        )
    if study.trend is not None:
        yield (
            "Whether the optimum moves with the regime is tested by Cochran's Q on log optima, and the move is the "
            "slope of weighted least squares on log FLOPs; standard errors are read off the intervals of the optima.",
            ("q",),
        )
    if study.transfer is not None:
        yield (
            "The optimum is looked for network by network. Those inside their ranges are put together: their logs are "
            "regressed on the log ratio of the original, and on log FLOPs where regimes are several, by REML with "
            "the network as a random effect. The interval of the slope has networks less terms degrees of freedom, and "
            "a factor of Knapp and Hartung's of at least 1. Where no ratio is drawn of every network, the ratios drawn "
            "may be all that the slope shows.",
            ("spaces", "hartung"),
        )


def _strata(study: StudyAnalysis) -> str:
    if len(study.originals) < 2:
        return ""
    return (
        f" The {len(study.originals)} originals are strata: each has its own level, and inference is conditional on "
        "these originals and does not reach beyond them."
    )
