"""The results that a report prints: frozen, from one network in a regime up to the whole study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from prunestats.comparison.comparison import Comparison
from prunestats.conjectures.across_regimes import RegimeTrend
from prunestats.conjectures.transfer_result import Transfer
from prunestats.metric import ERROR, Metric
from prunestats.noise.best_result import BestSubnetwork
from prunestats.optimum.optimum import Optimum
from prunestats.reports.analysis.populations import SpaceAnalysis, space_dict
from prunestats.reports.analysis.refined import Refined
from prunestats.results.designs import OriginalDesign

RESPONSES = ("log_cross_entropy", "error")
"""Metrics whose optimum is estimated; the verdict of a regime is that of the first that was recorded."""


def responses_of(metric: Metric) -> tuple[str, ...]:
    """The metrics that are analysed in a study of this metric: its own alone, without cross-entropy."""
    return RESPONSES if metric == ERROR else (metric.name,)


@dataclass(frozen=True)
class DesignAnalysis:
    """The optima of one network in a regime, in a study of several networks.

    Parameters
    ----------
    design : OriginalDesign
        The network and its originals.
    optima : dict of str to Optimum
        By response, ``"log_cross_entropy"`` first: the initial space on the validation split.
    """

    design: OriginalDesign
    optima: dict[str, Optimum]

    @property
    def optimum(self) -> Optimum | None:
        """The optimum that gives the verdict: of log cross-entropy if there is one, else of the study's metric."""
        return _sharpest(self.optima)


@dataclass(frozen=True)
class RegimeAnalysis:
    """All results of one regime.

    Parameters
    ----------
    regime : float or None
        FLOPs target as a fraction of the original's; None for results without FLOPs.
    spaces : tuple of SpaceAnalysis
        In the order of the study.
    comparison : Comparison or None
        Test error, or the study's own metric, of every pair of spaces.
    optima : dict of str to Optimum
        By response, ``"log_cross_entropy"`` first: the initial space on the validation split. Empty with several
        networks.
    refusals : tuple of str
        Which results could not be computed, and why.
    subnetworks : DataFrame
        One row per subnetwork and space, means over seeds, for the figures.
    designs : tuple of DesignAnalysis
        With several networks the optima of each, smallest ratio of the original first; else empty.
    metric : Metric
        The study's.
    """

    regime: float | None
    spaces: tuple[SpaceAnalysis, ...]
    comparison: Comparison | None
    optima: dict[str, Optimum]
    refusals: tuple[str, ...]
    subnetworks: pd.DataFrame = field(repr=False, compare=False)
    designs: tuple[DesignAnalysis, ...] = ()
    metric: Metric = ERROR

    @property
    def optimum(self) -> Optimum | None:
        """The optimum that gives the verdict: of log cross-entropy if there is one, else of the study's metric."""
        return _sharpest(self.optima)

    @property
    def every_optimum(self) -> tuple[tuple[str, Optimum], ...]:
        """All optima, each with the name of its network; the name is empty in a study of one network."""
        named = [("", self.optima), *((one.design.name, one.optima) for one in self.designs)]
        return tuple((name, optimum) for name, optima in named for optimum in optima.values())


@dataclass(frozen=True)
class StudyAnalysis:
    """All results of a report on one study.

    Parameters
    ----------
    regimes : tuple of RegimeAnalysis
        Largest first.
    spaces, originals : tuple of str
        The first space is the initial one.
    names : dict of str to str
        Printed name of each original, by its key.
    bucket : int
        Size of a parameter bucket.
    failures : tuple of (str, int)
        Reasons of failed runs and their numbers, most frequent first.
    trend : RegimeTrend or None
        Whether the optimum depends on the regime; None unless two or more regimes have an optimum.
    refined : tuple of Refined
        Studies that refine this one.
    transfer : Transfer or None
        With several networks, whether the optimum is associated with the ratio of the original.
    best : tuple of BestSubnetwork
        The subnetworks to take, one per network and regime; empty where no run finished.
    findings : tuple of str
        The key findings, one sentence each, from `prunestats.reports.text.findings.key_findings`.
    metric : Metric
        What its subnetworks are selected by and reported in.
    """

    regimes: tuple[RegimeAnalysis, ...]
    spaces: tuple[str, ...]
    originals: tuple[str, ...]
    names: dict[str, str]
    bucket: int
    failures: tuple[tuple[str, int], ...]
    trend: RegimeTrend | None = None
    refined: tuple[Refined, ...] = ()
    transfer: Transfer | None = None
    best: tuple[BestSubnetwork, ...] = ()
    findings: tuple[str, ...] = ()
    metric: Metric = ERROR

    @property
    def responses(self) -> tuple[str, ...]:
        """The metrics whose optimum is estimated."""
        return responses_of(self.metric)

    @property
    def every_optimum(self) -> tuple[Optimum, ...]:
        """All optima of all regimes."""
        return tuple(optimum for regime in self.regimes for _, optimum in regime.every_optimum)

    @property
    def populations(self) -> tuple[tuple[float | None, SpaceAnalysis], ...]:
        """All populations, each with its regime."""
        return tuple((regime.regime, space) for regime in self.regimes for space in regime.spaces)

    @property
    def has_flops(self) -> bool:
        """Whether FLOPs are recorded: without them there are neither regimes nor ratios."""
        return any(regime.regime is not None for regime in self.regimes)

    @property
    def n_done(self) -> int:
        """Finished runs."""
        return sum(space.n_done for regime in self.regimes for space in regime.spaces)

    @property
    def n_failed(self) -> int:
        """Failed runs."""
        return sum(space.n_failed for regime in self.regimes for space in regime.spaces)

    def to_dict(self) -> dict[str, Any]:
        """Return all results as plain JSON types, without the subnetworks and the findings."""
        return {
            "bucket": self.bucket,
            "spaces": list(self.spaces),
            "originals": list(self.originals),
            "names": dict(self.names),
            "failures": [list(failure) for failure in self.failures],
            "regimes": [_regime_dict(regime) for regime in self.regimes],
            "trend": _trend_dict(self.trend),
            "refined": [study.to_dict() for study in self.refined],
            "transfer": _transfer_dict(self.transfer),
            "best": [one.to_dict() for one in self.best],
            "metric": self.metric.to_dict(),
        }


def _regime_dict(regime: RegimeAnalysis) -> dict[str, Any]:
    return {
        "regime": regime.regime,
        "spaces": [space_dict(space, regime.metric) for space in regime.spaces],
        "comparison": regime.comparison.to_dict() if regime.comparison else None,
        "optima": _optima_dict(regime.optima),
        "designs": [{**vars(one.design), "optima": _optima_dict(one.optima)} for one in regime.designs],
        "refusals": list(regime.refusals),
    }


def _sharpest(optima: Mapping[str, Optimum]) -> Optimum | None:
    return optima.get("log_cross_entropy", next(iter(optima.values()), None))


def _optima_dict(optima: Mapping[str, Optimum]) -> dict[str, Any]:
    return {response: optimum.to_dict() for response, optimum in optima.items()}


def _transfer_dict(transfer: Transfer | None) -> dict[str, Any] | None:
    """The meta-regression without the optima, which are stored with their regimes."""
    return None if transfer is None else {key: value for key, value in transfer.to_dict().items() if key != "optima"}


def _trend_dict(trend: RegimeTrend | None) -> dict[str, Any] | None:
    """The trend without the optima, which are stored with their regimes."""
    return None if trend is None else {key: value for key, value in trend.to_dict().items() if key != "optima"}
