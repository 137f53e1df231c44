"""Runners: build, trace, prune, train and evaluate networks, and execute studies."""

from prunestats.runners.data.datasets import load_data
from prunestats.runners.networks.builtin import NETWORKS, build_network
from prunestats.runners.pruning.filter_choice import prune
from prunestats.runners.pruning.traced import Trace
from prunestats.runners.pruning.tracing import trace

__all__ = ["NETWORKS", "Trace", "build_network", "load_data", "prune", "trace"]
