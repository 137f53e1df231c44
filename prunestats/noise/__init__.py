"""Variance components of originals, subnetworks and seeds; selection of a winner, and the winner's curse."""

from prunestats.noise.best_result import BestSubnetwork
from prunestats.noise.budget import Budget
from prunestats.noise.components import VarianceComponents, variance_components
from prunestats.noise.confirmation import Confirmation, confirm
from prunestats.noise.precision_plan import plan_precision
from prunestats.noise.subnetwork_to_take import best_subnetworks
from prunestats.noise.subset_selection import best_subset
from prunestats.noise.winners_curse import WinnerError, winner_error

__all__ = [
    "BestSubnetwork",
    "Budget",
    "Confirmation",
    "VarianceComponents",
    "WinnerError",
    "best_subnetworks",
    "best_subset",
    "confirm",
    "plan_precision",
    "variance_components",
    "winner_error",
]
