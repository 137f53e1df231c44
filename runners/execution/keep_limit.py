"""The limit of the validation metric up to which a worker returns the trained weights of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from prunestats.outcome import Outcome


@dataclass(frozen=True)
class KeepLimit:
    """Value of the validation metric that the weights of a run must reach to be kept.

    A worker returns weights only where they reach it, as sending the weights of every run would take more time than
    storing its row. The limit is the metric of the worst run that is kept when the task is sent; it only improves until
    the run ends, so no weights are missing, and some are returned that are not kept.

    Parameters
    ----------
    value : float
        Product of the metric and `sign`; infinity returns all weights, minus infinity none.
    sign : int
        1 where lower values of the metric are better, -1 where higher ones are.
    """

    value: float = -math.inf
    sign: int = 1

    def allows(self, outcome: Outcome) -> bool:
        """Whether the weights of a run with this outcome may be kept; at the limit another rule decides ties."""
        metric = outcome.val_error if outcome.val_metric is None else outcome.val_metric
        return outcome.state == "done" and metric is not None and self.sign * metric <= self.value
