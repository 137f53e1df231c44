"""A process that opens a database: `opener.py URL [STEP]`; it is killed after the step of the upgrade that is named."""

import os
import signal
import sys

from prunestats.db import open_database
from prunestats.db.schema import upgrade


def kill_after(step: str) -> None:
    done = getattr(upgrade, step)

    def deadly(*arguments: object) -> None:
        done(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(upgrade, step, deadly)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        kill_after(sys.argv[2])
    open_database(sys.argv[1]).dispose()
