"""Latency of a network as it will be deployed: runtimes, timing of two networks in turn, and the machine's load."""
