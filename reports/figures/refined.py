"""The figure of a refined space against the one that it came from."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from prunestats.distribution.best_of_k import BestOf
from prunestats.distribution.empirical import Edf
from prunestats.refinement.gain import HeadToHead
from prunestats.reports.figures.panels import draw_edfs, head, log_axis
from prunestats.reports.figures.style import WIDTH, label, place_legend, space_look
from prunestats.wording import share

_PANELS_IN = 2.3


def plot_refined(contests: Sequence[HeadToHead]) -> Figure:
    """Distribution functions and expected bests of spaces head to head, a row a regime.

    Parameters
    ----------
    contests : sequence of HeadToHead
        Of one study: every later space against its first.

    Returns
    -------
    Figure
    """
    regimes = list(dict.fromkeys(found.regime for found in contests))
    spaces = [contests[0].initial, *dict.fromkeys(found.refined for found in contests)]
    figure = Figure(figsize=(WIDTH, 0.5 + _PANELS_IN * len(regimes)), layout="constrained")
    grid = figure.subplots(len(regimes), 2, squeeze=False)
    for regime, (left, right) in zip(regimes, grid, strict=True):
        mine = [found for found in contests if found.regime == regime]
        draw_edfs(left, _edfs(mine), spaces, "error")
        head(left, f"{share(regime or 1)} of the FLOPs")
        left.set(xlabel="test error (%)", ylabel="share of subnetworks")
        largest = 1
        for space, curve in _bests(mine):
            right.plot(curve.k, 100 * curve.value, **{**space_look(spaces, space), "linewidth": 1.1})
            largest = max(largest, int(curve.k[-1]))
        right.set(xlabel="best of k subnetworks", ylabel="expected test error (%)", xlim=(1, largest))
        log_axis(right, "x", lambda value: f"{value:g}")
        right.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    place_legend(figure, [(Line2D([], [], **space_look(spaces, space)), label(space)) for space in spaces])
    return figure


def _edfs(contests: Sequence[HeadToHead]) -> dict[str, Edf]:
    first = contests[0].curves[0].original
    found = {contests[0].initial: contests[0].curves[0].edf_initial}
    for contest in contests:
        for curves in contest.curves:
            if curves.original == first:
                found[contest.refined] = curves.edf_refined
    return found


def _bests(contests: Sequence[HeadToHead]) -> list[tuple[str, BestOf]]:
    """One curve a space and original."""
    first = [(contests[0].initial, curves.best_initial) for curves in contests[0].curves]
    return first + [(contest.refined, curves.best_refined) for contest in contests for curves in contest.curves]
