"""What the performance claims rest on: side by side with what a user would otherwise use, as ratios from one run."""
