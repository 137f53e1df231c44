"""Results of a meta-regression of optima on the ratio of the original, and predictions from it."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.conjectures.across_originals import MetaOptimum
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result
from prunestats.optimum.optimum import Optimum
from prunestats.results.designs import Costed, OriginalDesign, ratio_of

# A round number, an order of magnitude beyond the range that one population samples (factors below 10 in
# studies/three_originals.csv): a wider prediction interval excludes no ratio of interest. It only decides on a note.
_UNINFORMATIVE = 100.0


@dataclass(frozen=True)
class DesignOptimum:
    """The optimum of one design in one regime, estimated over all originals of the design.

    Parameters
    ----------
    design : OriginalDesign
    regime : float or None
        FLOPs fraction; None where the results name none.
    optimum : Optimum
    """

    design: OriginalDesign
    regime: float | None
    optimum: Optimum


@dataclass(frozen=True)
class PredictedOptimum(Result):
    """Where the optimum of a network that was not explored is expected.

    Parameters
    ----------
    ratio : float
        FLOPs over parameter buckets of the original.
    regime : float or None
        FLOPs fraction; None for the geometric mean of those explored.
    mean : Interval
        The geometric mean of the optima of such originals.
    new : Interval
        Prediction interval of the optimum of this original.
    n_designs, n_estimates : int
        Designs, and optima of theirs, that the prediction is based on.
    notes : tuple of str
        Its assumptions, and where it extrapolates.
    """

    ratio: float
    regime: float | None
    mean: Interval
    new: Interval
    n_designs: int
    n_estimates: int
    notes: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Transfer(Result):
    """Meta-regression of optima on the ratio of the original, over several designs.

    Parameters
    ----------
    verdict : {"follows", "opposes", "not seen", "drawn apart", "too few"}
        "follows", "opposes": the optimum significantly increases, or decreases, with the ratio of the original. "not
        seen": the slope does not differ significantly from 0. "drawn apart": the sampled ratios of the designs do not
        overlap, so a slope cannot be tested. "too few": no slope can be fitted.
    reasons : tuple of str
        Sentences with the numbers behind the verdict.
    optima : tuple of DesignOptimum
    slope : Interval or None
        Change of log optimum per unit of log ratio of the original; 1 is proportionality. None where it is not fitted.
    slope_p : float
        P-value of slope 0; nan without a slope.
    place_slope : Interval or None
        The same of the optimum over the middle of the sampled ratios; 0 is an optimum at a fixed position in the
        sampled range.
    place_slope_p : float
    meta : MetaOptimum
        The meta-regression, with the design as random effect; its own interval of the slope may be shorter, see
        `MetaOptimum.careful_slope`.
    drawn_slope : float
        Change of the log middle of the sampled ratios per unit of log ratio of the original; nan with fewer than two
        designs with an estimate.
    shared : bool
        Whether the sampled ratios overlap: in each regime some ratio lies in the middle 80 % of the sampled ratios of
        every design with an estimate.
    """

    verdict: str
    reasons: tuple[str, ...]
    optima: tuple[DesignOptimum, ...]
    slope: Interval | None
    slope_p: float
    place_slope: Interval | None
    place_slope_p: float
    meta: MetaOptimum
    drawn_slope: float
    shared: bool

    def __repr__(self) -> str:
        slope = "" if self.slope is None else f", slope={self.slope}"
        designs = len({one.design.name for one in self.optima})
        return f"Transfer({self.verdict!r}{slope}, n_designs={designs}, response={self.meta.response!r})"

    @property
    def used(self) -> tuple[DesignOptimum, ...]:
        """Those of the optima that have an estimate."""
        pairs = zip(self.optima, self.meta.estimates, strict=True)
        return tuple(one for one, estimate in pairs if not estimate.refusal)

    def predict(
        self, original: float | tuple[float, float] | Costed, *, regime: float | None = None
    ) -> PredictedOptimum:
        """Prediction interval of the optimum of an unexplored original.

        Parameters
        ----------
        original : float, (float, float) or Costed
            Its ratio, its FLOPs and parameters, or what has both, such as a trace.
        regime : float, optional
            FLOPs fraction; the geometric mean of those with an estimate when left out.

        Raises
        ------
        InputError
            For what is not an original, or where no line was fitted.
        """
        ratio = ratio_of(original, self.meta.bucket)
        found = self.meta.predict(ratio, regime)
        return PredictedOptimum(
            ratio=ratio,
            regime=regime,
            mean=found.mean,
            new=found.new,
            n_designs=self.meta.n_originals,
            n_estimates=self.meta.n_estimates,
            notes=prediction_notes(self, ratio, regime, found.new),
        )


def prediction_notes(found: Transfer, ratio: float, regime: float | None, new: Interval) -> tuple[str, ...]:
    """State the assumptions of a prediction, and where it extrapolates."""
    notes, meta = [], found.meta
    beyond = "the prediction extrapolates the line"
    seen = [one.design.ratio for one in found.used]
    if not min(seen) <= ratio <= max(seen):
        notes.append(
            f"A ratio of {ratio:.4g} lies outside the ratios of the designs with an optimum, {min(seen):.4g} to "
            f"{max(seen):.4g}: {beyond}."
        )
    fractions = {one.regime for one in found.used if one.regime is not None}
    if regime is not None and "regimes" not in meta.design.moderators and fractions != {regime}:
        notes.append("No slope on the FLOPs fraction is fitted: the prediction is the same in every regime.")
    elif regime is not None and not min(fractions) <= regime <= max(fractions):
        notes.append(f"A regime of {regime:g} lies outside {min(fractions):g} to {max(fractions):g}: {beyond}.")
    if found.slope is None:
        notes.append("No slope on the ratio of the original is fitted: the prediction is the same for every original.")
    if not found.shared:
        notes.append("It assumes an original whose ratios are sampled like those of the explored designs.")
    if not new.low * _UNINFORMATIVE >= new.high:
        notes.append(
            f"The interval spans a factor of {new.high / new.low:.3g}: {meta.n_originals} designs hardly constrain the "
            "optimum of another one; explore more designs."
        )
    return tuple(notes)
