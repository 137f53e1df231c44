"""The result of `find_optimum`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prunestats.errors import InputError
from prunestats.metric import ERROR, Metric, is_own
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result
from prunestats.optimum.beyond_costs import Beyond
from prunestats.optimum.broken_stick import BrokenStick
from prunestats.optimum.flatness import Flatness
from prunestats.optimum.lack_of_fit import LackOfFit
from prunestats.optimum.lind_mehlum import LindMehlum
from prunestats.optimum.lower_envelope import Envelope
from prunestats.optimum.quadratic import Quadratic
from prunestats.optimum.regression import Points
from prunestats.optimum.spline_minimum import SplineOptimum
from prunestats.optimum.statsmodels_quadratic import statsmodels_quadratic
from prunestats.optimum.two_lines import TwoLines
from prunestats.optimum.winners_ratio import Winners

if TYPE_CHECKING:
    from statsmodels.regression.linear_model import RegressionResultsWrapper


@dataclass(frozen=True, repr=False)
class Optimum(Result):
    """The optimal ratio of a population in one regime: verdict, estimate, confidence set, and the fits behind them.

    Fitted curves, coefficients and slopes are in values of the response, also where higher values are better.

    Parameters
    ----------
    verdict : {"interior", "edge", "monotone", "flat", "unidentified"}
        "interior": the optimum, a minimum of the response or a maximum where higher values are better, lies inside the
        sampled range of ratios. "edge": it lies at an end of the range or beyond. "monotone": the response only falls
        or only rises. "flat": the ratio explains next to no variance. "unidentified": the data do not decide between
        these.
    reasons : tuple of str
        Sentences with the statistics that the verdict rests on.
    ratio, low, high : float
        The reported estimate and the bounds of its confidence set, on the ratio scale; nan where none is reported. The
        ratio alone is nan where the optimum may lie in either of two basins.
    pieces : tuple of (float, float)
        The confidence set: one interval, or one for each of two basins; `low` and `high` are its outer bounds.
    believed : {"quadratic", "spline"} or None
        The fit that the reported estimate is taken from.
    quadratic : Quadratic or None
    spline : SplineOptimum or None
    cubic : Interval or None
        The optimum of a cubic, whose interval is joined to the quadratic's where that is reported.
    corner : BrokenStick or None
        The breakpoint of a broken-stick regression.
    envelope : tuple of Envelope
        Quantile regressions at 5 % and 10 %, or at 95 % and 90 % where higher values are better; those with fewer than
        ten subnetworks beyond them are left out. They do not enter the verdict, and neither do the winners.
    winners : Winners or None
        Distribution of the ratio of the best subnetwork in a bootstrap sample; None with fewer than six subnetworks.
    two_lines : TwoLines or None
    lind_mehlum : LindMehlum or None
    lack_of_fit : LackOfFit or None
    flatness : Flatness or None
        Fits and tests are None where there are too few points for them.
    beyond : Beyond or None
        Test that the ratio adds to FLOPs and parameters; None where its terms are spanned by theirs.
    r2 : float
        Adjusted R squared of the quadratic within originals; nan without a quadratic.
    r2_widths : float or None
        Adjusted R squared of all log widths within originals, a bound of what the ratio could explain linearly; None
        without widths.
    n_subnetworks, n_runs, n_originals : int
    bucket : int
        Parameters per bucket.
    response : str
    level : float
        Confidence level.
    ratio_min, ratio_max : float
        Range of the sampled ratios.
    ratio_q10, ratio_q90 : float
        Their 10 % and 90 % quantiles, which bound the middle 80 %.
    points : Points or None
        The subnetworks that were fitted, for `model()`; not in `to_dict()`, and so in no stored analysis.
    metric : Metric
        The response, with its direction and unit; in `to_dict()` where it is neither error nor cross-entropy.
    """

    verdict: str
    reasons: tuple[str, ...]
    ratio: float
    low: float
    high: float
    pieces: tuple[tuple[float, float], ...]
    believed: str | None
    quadratic: Quadratic | None
    spline: SplineOptimum | None
    cubic: Interval | None
    corner: BrokenStick | None
    envelope: tuple[Envelope, ...]
    winners: Winners | None
    two_lines: TwoLines | None
    lind_mehlum: LindMehlum | None
    lack_of_fit: LackOfFit | None
    flatness: Flatness | None
    beyond: Beyond | None
    r2: float
    r2_widths: float | None
    n_subnetworks: int
    n_runs: int
    n_originals: int
    bucket: int
    response: str
    level: float
    ratio_min: float
    ratio_max: float
    ratio_q10: float
    ratio_q90: float
    points: Points | None = field(default=None, repr=False, compare=False, metadata={"plain": False})
    metric: Metric = field(default=ERROR, repr=False, metadata={"plain": is_own})

    def __repr__(self) -> str:
        bounds = " or ".join(f"[{low:.4g}, {high:.4g}]" for low, high in self.pieces)
        where = f", ratio={self.ratio:.4g} {bounds}" if bounds else ""
        return f"Optimum({self.verdict!r}{where}, n_subnetworks={self.n_subnetworks}, response={self.response!r})"

    def model(self) -> RegressionResultsWrapper:
        """Return statsmodels' results of the quadratic in log ratio, with the HC3 covariance.

        Returns
        -------
        statsmodels.regression.linear_model.RegressionResultsWrapper
            `OLS` results, or `WLS` results where subnetworks differ in their number of seeds. The endogenous variable
            is the response, one observation per subnetwork. The exogenous variables are `const`, `centered_log_ratio`
            (u, log ratio less its mean `quadratic.x_center`), `centered_log_ratio_squared` (u squared), and
            `original[NAME]` for every original but the first, an indicator less its mean.

        Raises
        ------
        InputError
            Where no quadratic was fitted: too few subnetworks or distinct ratios, or a constant response.

        Notes
        -----
        Coefficients, covariance and intervals are those of `quadratic`, and tests use Student's t and F. A significant
        curvature is not evidence of a minimum; see docs/methods/quadratic.md.

        References
        ----------
        J. G. MacKinnon and H. White, J. Econometrics 29 (1985), 305-325: HC3.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> from prunestats.optimum import find_optimum
        >>> rng = np.random.default_rng(0)
        >>> params = rng.integers(5_000, 20_000, 200)
        >>> frame = pd.DataFrame({"subnetwork": [f"s{i}" for i in range(200)], "flops": 1_000_000, "params": params})
        >>> frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.005 * rng.standard_normal(200)
        >>> results = find_optimum(frame).model()
        >>> results.params.round(2).to_dict()
        {'const': 0.1, 'centered_log_ratio': -0.04, 'centered_log_ratio_squared': 0.1}
        >>> bool(results.pvalues["centered_log_ratio_squared"] < 0.001), results.cov_type
        (True, 'HC3')
        """
        if self.points is None or self.quadratic is None:
            raise InputError(
                f"model() expects an optimum with a quadratic; found none for {self.n_subnetworks} subnetworks: give "
                "find_optimum more subnetworks or distinct ratios, and a response that varies"
            )
        return statsmodels_quadratic(self.points, self.response)


def has_estimate(optimum: Optimum) -> bool:
    """Whether an optimum is reported with a finite confidence interval."""
    return all(v is not None and math.isfinite(v) for v in (optimum.ratio, optimum.low, optimum.high))
