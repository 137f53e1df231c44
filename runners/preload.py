"""What each local worker process does first: leave Ctrl-C to its parent."""

from __future__ import annotations

import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Ignore SIGINT, which a terminal sends to the whole process group: the parent stops the workers in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
