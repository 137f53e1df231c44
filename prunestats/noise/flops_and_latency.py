"""How well FLOPs predict latency: the correlation of the two over measured subnetworks."""

from __future__ import annotations

from numpy.typing import ArrayLike

from prunestats.numeric.correlation import LEAST_PAIRS, correlation
from prunestats.wording import counted, fixed, share


def association_sentence(flops: ArrayLike, ms: ArrayLike, of: str = "", level: float = 0.95) -> str:
    """Spearman's correlation of FLOPs and latency with its interval, and Pearson's, in a sentence.

    Parameters
    ----------
    flops, ms : array_like, shape (n,)
        FLOPs and milliseconds of subnetworks of one original.
    of : str
        What they are of, at the beginning of the sentence.
    level : float
        Confidence level, in (0, 1).

    Returns
    -------
    str
        Empty for fewer than four subnetworks, or where all have the same FLOPs or latency.

    Notes
    -----
    Estimand: the rank correlation in the population that these subnetworks are a sample of. Those that are measured by
    default are selected, and span the regimes: within one regime, where FLOPs are nearly equal, it is lower.

    Examples
    --------
    >>> association_sentence([1, 2, 3, 4, 5, 6], [1, 3, 2, 4, 6, 5])[:63]
    "FLOPs and latency of 6 subnetworks: Spearman's correlation 0.89"
    """
    rank, linear = (correlation(flops, ms, method=method, level=level) for method in ("spearman", "pearson"))
    n = len(list(flops))  # type: ignore[arg-type]
    if n < LEAST_PAIRS or rank.value != rank.value:
        return ""
    where = f"{of[:1].upper()}{of[1:]}: " if of else ""
    interval = f"{share(level)} confidence interval {fixed(rank.low, 2)} to {fixed(rank.high, 2)}"
    return (
        f"{where}FLOPs and latency of {counted(n, 'subnetwork')}: Spearman's correlation {fixed(rank.value, 2)} "
        f"({interval}), Pearson's {fixed(linear.value, 2)}."
    )
