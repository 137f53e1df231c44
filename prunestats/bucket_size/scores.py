"""Cross-validated R2 of bucket sizes and of competing predictors."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from prunestats.bucket_size.cross_validation import corrected_interval
from prunestats.errors import InputError
from prunestats.numeric.arrays import Floats
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result
from prunestats.optimum.beyond_costs import Beyond


@dataclass(frozen=True)
class Score:
    """Cross-validated R2 of one predictor, and its gain over parameters alone.

    Parameters
    ----------
    predictor : str
    bucket : int or None
        Parameters per bucket; None for predictors other than a ratio.
    terms : int
        Coefficients, without the fixed effects of originals.
    r2 : float
        1 - squared error / squared error of the originals' averages, both by cross-validation; negative where the
        average predicts better.
    gain : Interval
        r2 less that of parameters alone, with its confidence interval.
    p : float
        Two-sided p-value of gain zero.
    correlation : float
        Correlation of log ratio and log parameters; nan for predictors other than a ratio.
    beyond : Beyond or None
        Nested test of the ratio beyond separate curves in FLOPs and parameters; None where no term is left to test.
    """

    predictor: str
    bucket: int | None
    terms: int
    r2: float
    gain: Interval
    p: float
    correlation: float
    beyond: Beyond | None


@dataclass(frozen=True, repr=False)
class BucketComparison(Result):
    """Bucket sizes and competitors of the ratio, by how well they predict.

    Parameters
    ----------
    best : str
        The predictor with the largest r2.
    reasons : tuple of str
        Conclusions in sentences, with numbers.
    scores : tuple of Score
    losses : ndarray, shape (repeats * folds, predictors)
        Mean squared error on each fold, relative to that of the originals' averages over all folds.
    folds, repeats : int
    n_subnetworks, n_runs, n_originals : int
    response : str
    level : float
    """

    best: str
    reasons: tuple[str, ...]
    scores: tuple[Score, ...]
    losses: Floats
    folds: int
    repeats: int
    n_subnetworks: int
    n_runs: int
    n_originals: int
    response: str
    level: float

    def __repr__(self) -> str:
        return f"BucketComparison(best={self.best!r}, n_subnetworks={self.n_subnetworks}, response={self.response!r})"

    @property
    def frame(self) -> pd.DataFrame:
        """One row a predictor: r2, its gain over parameters alone with interval and p-value, and the nested test."""
        return pd.DataFrame(
            {
                "predictor": score.predictor,
                "bucket": score.bucket,
                "terms": score.terms,
                "r2": score.r2,
                "gain": score.gain.value,
                "gain_low": score.gain.low,
                "gain_high": score.gain.high,
                "gain_p": score.p,
                "correlation": score.correlation,
                "beyond_f": float("nan") if score.beyond is None else score.beyond.f,
                "beyond_p": float("nan") if score.beyond is None else score.beyond.p,
            }
            for score in self.scores
        ).astype({"bucket": "Int64"})

    def gain(self, predictor: str, over: str) -> tuple[Interval, float]:
        """Difference of the r2 of two predictors, with its corrected interval and two-sided p-value."""
        names = [score.predictor for score in self.scores]
        for name in (predictor, over):
            if name not in names:
                raise InputError(f"predictor must be one of {', '.join(names)}; found {name!r}: check the name")
        differences = self.losses[:, names.index(over)] - self.losses[:, names.index(predictor)]
        return corrected_interval(differences, self.folds, self.level)
