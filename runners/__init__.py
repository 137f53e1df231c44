"""Runners: build, trace, prune, train and evaluate networks, and execute whole studies."""

from prunestats.runners.data import load_data
from prunestats.runners.networks import NETWORKS, build_network
from prunestats.runners.prune import prune
from prunestats.runners.trace import trace
from prunestats.runners.traced import Trace

__all__ = ["NETWORKS", "Trace", "build_network", "load_data", "prune", "trace"]
