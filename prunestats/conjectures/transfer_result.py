"""The results of putting optima of several designs together."""

from __future__ import annotations

from dataclasses import dataclass

from prunestats.conjectures.across_originals import MetaOptimum
from prunestats.numeric.intervals import Interval
from prunestats.numeric.plain_data import Result
from prunestats.optimum.optimum import Optimum
from prunestats.results.designs import Costed, OriginalDesign, ratio_of


@dataclass(frozen=True)
class DesignOptimum:
    """The optimum of one design in one regime, over all of its originals.

    Parameters
    ----------
    design : OriginalDesign
    regime : float or None
        FLOPs fraction; None where the frame names none.
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
        FLOPs fraction; None for the middle of those studied.
    mean : Interval
        The geometric mean of the optima of such originals.
    new : Interval
        Where the optimum of this one is expected.
    n_designs, n_estimates : int
        Designs, and optima of theirs, that this rests on.
    notes : tuple of str
        What it takes for granted.
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
    """Optima of several designs, and what the ratio of the original says of them.

    Parameters
    ----------
    verdict : {"follows", "opposes", "not seen", "drawn apart", "too few"}
        "follows", "opposes": the optimum grows, or falls, with the ratio of the original. "not seen": no slope can be
        told from 0. "drawn apart": the ratios drawn of the originals have so little in common that optima had to
        differ. "too few": no slope can be fitted.
    reasons : tuple of str
        Sentences with the numbers that it rests on.
    optima : tuple of DesignOptimum
    slope : Interval or None
        Change of log optimum per unit of log ratio of the original; 1 means in proportion. None where it is not fitted.
    slope_p : float
        P-value that it is 0; nan without it.
    place_slope : Interval or None
        The same of the optimum over the middle of the ratios drawn: 0 is an optimum that keeps its place among them.
    place_slope_p : float
    meta : MetaOptimum
        What they are read off, with the design as random effect; its own intervals may be shorter, see
        `MetaOptimum.careful_slope`.
    drawn_slope : float
        How the middle of the ratios drawn moves per unit of log ratio of the original; nan with fewer than two
        designs with an estimate.
    shared : bool
        Whether some ratio is among the middle 80 % of those drawn of every design with an estimate, regime by regime.
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
        """Return where the optimum of an original that was not explored is expected.

        Parameters
        ----------
        original : float, (float, float) or Costed
            Its ratio, its FLOPs and parameters, or what has both, such as a trace.
        regime : float, optional
            FLOPs fraction; the middle of those with an estimate when left out.

        Raises
        ------
        InputError
            For what is no original, or where nothing was fitted.
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
    """Say what a prediction takes for granted, and where it goes beyond what was studied."""
    notes, meta = [], found.meta
    beyond = "the line is taken further than it was seen"
    seen = [one.design.ratio for one in found.used]
    if not min(seen) <= ratio <= max(seen):
        notes.append(
            f"A ratio of {ratio:.4g} lies outside those of the designs with an optimum, {min(seen):.4g} to "
            f"{max(seen):.4g}: {beyond}."
        )
    fractions = {one.regime for one in found.used if one.regime is not None}
    if regime is not None and "regimes" not in meta.design.moderators and fractions != {regime}:
        notes.append("No slope in the FLOPs fraction is fitted: the same is expected in every regime.")
    elif regime is not None and not min(fractions) <= regime <= max(fractions):
        notes.append(f"A regime of {regime:g} lies outside {min(fractions):g} to {max(fractions):g}: {beyond}.")
    if found.slope is None:
        notes.append("No slope in the ratio of the original is fitted: the same is expected of every original.")
    if not found.shared:
        notes.append("It holds for originals whose ratios are drawn as those of the designs studied are.")
    if not new.low * _WIDE >= new.high:
        notes.append(
            f"The interval spans a factor of {new.high / new.low:.3g}: {meta.n_originals} designs say next to nothing "
            "of a new one; study more designs."
        )
    return tuple(notes)


_WIDE = 100.0
