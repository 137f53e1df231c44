"""Execution of runs: the plan of a study, the work of one worker, and executors with their Dask clusters."""
