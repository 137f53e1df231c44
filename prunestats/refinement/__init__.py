"""From an optimum to a narrower space, and what that gained on draws that had no part in finding it."""

from prunestats.refinement.draws_saved import Saving, compute_saved
from prunestats.refinement.gain import HeadToHead, head_to_head
from prunestats.refinement.rule import Refinement, refine

__all__ = ["HeadToHead", "Refinement", "Saving", "compute_saved", "head_to_head", "refine"]
