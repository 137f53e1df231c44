"""Sentences on what an effect of the ratio may be confounded with: FLOPs and parameters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunestats.optimum.beyond_costs import Beyond
from prunestats.optimum.regression import Points, correlation
from prunestats.wording import p_words

# a band of ± 2 %, the default of a study, spans 4 %, and the widest in use, ± 5 %, spans 11 %: beyond 15 % the
# population is no longer one of about equal FLOPs
_MAX_FLOPS_SPREAD = 0.15
# beyond a correlation of 0.95 log parameters share nine tenths of the variance of log ratio
_COLLINEAR = 0.95


def confounding_cautions(means: pd.DataFrame, data: Points, beyond: Beyond | None, level: float) -> tuple[str, ...]:
    """Return a sentence for each way in which FLOPs or parameters may explain an effect of the ratio.

    Parameters
    ----------
    means : pandas.DataFrame
        The subnetworks, with flops and params.
    data : Points
        The same subnetworks on the log ratio axis.
    beyond : Beyond or None
        Test that the ratio adds to FLOPs and parameters.
    level : float
        1 - level is the significance level of that test.
    """
    cautions = []
    spread = float(means["flops"].max() / means["flops"].min() - 1)
    if spread > _MAX_FLOPS_SPREAD:
        cautions.append(
            f"FLOPs differ by up to {100 * spread:.0f} % among these subnetworks: an effect of the ratio may be an "
            "effect of FLOPs."
        )
    linked = correlation(data.x, np.log(means["params"].to_numpy(dtype=float)))
    if linked < -_COLLINEAR:
        cautions.append(
            f"Log ratio and log parameters correlate at {linked:.3f}: an effect of the ratio cannot be separated from "
            "an effect of parameters."
        )
    if beyond is not None:
        adds = "adds significantly" if beyond.p < 1 - level else "does not add significantly"
        cautions.append(
            f"The ratio {adds} to FLOPs and parameters (p {p_words(beyond.p)}): they explain "
            f"{100 * beyond.r2_costs:.0f} % of the variance without it, {100 * beyond.r2:.0f} % with it."
        )
    return tuple(cautions)
