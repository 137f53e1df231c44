"""The results frame, one row per run: built from any table, checked once, averaged over seeds, split.

Statistics take such a frame without checking it again; nothing here estimates anything.
"""

from prunestats.results.checks import check_results
from prunestats.results.designs import OriginalDesign, group_designs
from prunestats.results.frame import results_frame
from prunestats.results.means import subnetwork_means
from prunestats.results.splitting import split_population

__all__ = ["OriginalDesign", "check_results", "group_designs", "results_frame", "split_population", "subnetwork_means"]
