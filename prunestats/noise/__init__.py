"""Variance components of originals, subnetworks and seeds; selection of a winner, and the winner's curse."""

from prunestats.noise.components import VarianceComponents, variance_components
from prunestats.noise.confirmation import Confirmation, confirm
from prunestats.noise.precision_plan import plan_precision
from prunestats.noise.winners_curse import WinnerError, winner_error

__all__ = [
    "Confirmation",
    "VarianceComponents",
    "WinnerError",
    "confirm",
    "plan_precision",
    "variance_components",
    "winner_error",
]
