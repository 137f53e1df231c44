"""A process that runs `prunestats remove --study STUDY`: `remover.py URL STUDY [CALL]`.

With a number, it is killed at that call of a Python function, as `importer.py` is. With 0, it is a dry run that prints
the number of calls. A dry run before imports what the command needs: the calls are those of a removal alone.
"""

import sys

from prunestats.cli import app

if __name__ == "__main__":
    # here alone: pytest reads this file for doctests
    from importer import Calls

    url, study, *call = sys.argv[1:]
    backup = ["--no-backup"] if url.startswith("postgresql") else []
    arguments = ["remove", "--db", url, "--study", study, "--yes", *backup]
    app([*arguments, "--dry-run"], standalone_mode=False)
    calls = Calls(int(call[0]) if call else None)
    sys.setprofile(calls)
    app(arguments + ["--dry-run"] * (call == ["0"]), standalone_mode=False)
    sys.setprofile(None)
    print("calls", calls.n)
