"""Refine a space around an optimum, and evaluate it on subnetworks that had no part in finding the optimum."""

from prunestats.refinement.draws_saved import Saving, compute_saved
from prunestats.refinement.gain import HeadToHead, head_to_head
from prunestats.refinement.rule import Refinement, refine

__all__ = ["HeadToHead", "Refinement", "Saving", "compute_saved", "head_to_head", "refine"]
