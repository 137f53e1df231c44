"""A process that imports a table: `importer.py URL FILE STUDY [CALL]`.

With a number, it is killed at that call of a Python function: the same moment of the import on every machine, which a
number of seconds would not be. With 0, it is a dry run that prints the number of calls.
"""

import os
import signal
import sys

from prunestats.db import import_results


class Calls:
    """Counts calls of Python functions, and kills this process at one of them."""

    def __init__(self, deadly: int | None) -> None:
        self.n, self.deadly = 0, deadly

    def __call__(self, frame: object, event: str, argument: object) -> None:
        if event == "call":
            self.n += 1
            if self.n == self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    url, file, study, *call = sys.argv[1:]
    calls = Calls(int(call[0]) if call else None)
    sys.setprofile(calls)
    options = {"original": "net", "flops_convention": "multiply-adds", "study": study}
    import_results(url, file, **options, dry_run=call == ["0"])
    sys.setprofile(None)
    print(calls.n)
