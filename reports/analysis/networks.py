"""Studies of several networks: which these are, and the meta-regression of their optima."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from prunestats.conjectures.transfer import combine_optima
from prunestats.conjectures.transfer_result import DesignOptimum, Transfer
from prunestats.errors import ResultsError
from prunestats.metric import Metric
from prunestats.reports.analysis.results import RegimeAnalysis
from prunestats.results.designs import OriginalDesign, group_designs


def several_designs(frame: pd.DataFrame, bucket: int) -> tuple[OriginalDesign, ...]:
    """The networks of a study, smallest ratio first; empty if there is only one, or if costs were not recorded.

    Parameters
    ----------
    frame : DataFrame
        One row per run. The ratio of a network is FLOPs over the column original_buckets if there is one, else over
        parameters.
    bucket : int
    """
    try:
        found = group_designs(frame, bucket if "original_buckets" in frame else 1)
    except ResultsError:
        return ()
    return tuple(found) if len(found) > 1 else ()


def put_designs_together(regimes: Sequence[RegimeAnalysis], metric: Metric) -> Transfer | None:
    """Test whether the optimum is associated with the ratio of the original; None unless there are several networks.

    The optima are those that the verdicts are about: of log cross-entropy, or of the study's metric if one network has
    no other.
    """
    analysed = [(one, regime) for regime in regimes for one in regime.designs]
    if not analysed:
        return None
    sharper = all("log_cross_entropy" in one.optima for one, _ in analysed if one.optima)
    response = "log_cross_entropy" if sharper else metric.name
    optima = [
        DesignOptimum(one.design, regime.regime, one.optima[response])
        for one, regime in analysed
        if response in one.optima
    ]
    optima.sort(key=lambda one: (one.design.ratio, one.design.name, -(one.regime or 0)))
    return combine_optima(optima) if optima else None
